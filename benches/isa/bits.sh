#!/usr/bin/env bash
# Trains 200 steps of each stage on the nano tier in several ways and compares every bit: logs, curves, scores,
# texts and weights. About three minutes each.
#
# usage: benches/isa/bits.sh [TOOLKIT]
#   TOOLKIT   the binary [default: target/debug/toolkit]
#
# The ways: as it is; with TOOLKIT_ISA=avx2; with the tiles of AVX-512 computed with AVX2 and two threads a job;
# with three threads; with a C library without AVX2 and FMA; with one whose functions are wrong in the last bit.
# The last says that no number goes through the C library. It needs `rustc`. It must end with "identical".
set -euo pipefail

root=$(realpath "$(dirname "$0")/../..")
binary=$(realpath "${1:-$root/target/debug/toolkit}")
cd "$root"
out=$(mktemp -d)

# A library that is loaded before the C library, with functions that are off by one unit in the last place.
cat > "$out/wrong.rs" <<'RUST'
use std::ffi::{c_char, c_void};
unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}
fn next(name: &str) -> *mut c_void {
    let name = format!("{name}\0");
    // -1 is RTLD_NEXT.
    unsafe { dlsym(-1_isize as *mut c_void, name.as_ptr().cast()) }
}
macro_rules! wrong {
    ($float:ty, $($name:ident)*; $($two:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(x: $float) -> $float {
            let real: extern "C" fn($float) -> $float = unsafe { std::mem::transmute(next(stringify!($name))) };
            real(x).next_up()
        }
    )*$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $two(x: $float, y: $float) -> $float {
            let real: extern "C" fn($float, $float) -> $float = unsafe { std::mem::transmute(next(stringify!($two))) };
            real(x, y).next_up()
        }
    )*};
}
wrong!(f64, exp exp2 expm1 log log2 log10 log1p sin cos tan tanh sinh cosh asin acos atan erf cbrt; pow atan2 hypot);
wrong!(f32, expf exp2f expm1f logf log2f log10f log1pf sinf cosf tanf tanhf sinhf coshf asinf acosf atanf erff cbrtf; powf atan2f hypotf);
RUST
rustc --edition 2024 -O --crate-type cdylib -o "$out/wrong.so" "$out/wrong.rs"

# Runs with environment and settings $2.. into folder $1, with features of its own.
way() {
    local name=$1
    shift
    echo "$name" >&2
    TOOLKIT_CACHE="$out/$name" env "$@" "$binary" run experiments/ablate_stage1.toml --set 'seeds=[0]' \
        --set stage1.steps=200 --set stage2.steps=200 --set eval.every=50 --quiet --out "$out/$name" \
        --set "compute.threads=${threads:-1}" > /dev/null
    (cd "$out/$name" && find . \( -name metrics.jsonl -o -name scores.json -o -name 'step-*.json' \
        -o -name samples.jsonl -o -name captions.jsonl -o -name 'step-*.safetensors' \
        ! -name '*.optimizer.safetensors' \) -print0 | sort -z | xargs -0 sha256sum) > "$out/$name.sums"
}

way default LC_ALL=C
way avx2 TOOLKIT_ISA=avx2
threads=2 way wide TOOLKIT_ISA=wide
threads=3 way threads LC_ALL=C
way plain GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX2_Usable,-FMA_Usable,-FMA4_Usable
way wrong LD_PRELOAD="$out/wrong.so"
for name in avx2 wide threads plain wrong; do
    if ! diff "$out/default.sums" "$out/$name.sums" > "$out/difference"; then
        echo "$name is different (the runs are kept in $out):"
        grep '^>' "$out/difference" | awk '{ print "  " $3 }'
        exit 1
    fi
done
echo "identical: $(wc -l < "$out/default.sums") files, six ways"
rm -rf "$out"
