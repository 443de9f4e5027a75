//! Vectors of bytes and their exact integer products, for each instruction set.
//!
//! | instruction set | product of bytes |
//! |---|---|
//! | AVX2 | `vpmaddubsw` and `vpmaddwd`: 16-bit sums of two, then 32-bit ones |
//! | AVX-VNNI, AVX512-VNNI | `vpdpbusd`: 32-bit sums of four in one instruction |
//!
//! Sums of integers are exact, so all give the same.

use std::arch::x86_64::{__m128i, __m256, __m256i};

use pulp::x86::V3;

use crate::cpu::isa::Isa;

/// An instruction set with AVX2, FMA and F16C, by its products of bytes.
pub(super) trait Integers: Copy {
    /// `true` if [`Integers::dot`] is one instruction.
    const DOT: bool;

    /// Returns the instructions that all have.
    fn v3(self) -> V3;

    /// Adds the products of unsigned `u` and signed `x` to `sum`, four neighbours to a lane. Without
    /// [`Integers::DOT`], `u` must be below 128.
    fn dot(self, sum: __m256i, u: __m256i, x: __m256i) -> __m256i;
}

/// AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(V3);

/// AVX-VNNI: the product of AVX512-VNNI on processors without AVX-512.
#[derive(Clone, Copy)]
pub(super) struct AvxVnni(V3);

/// AVX512-VNNI, in registers of 256 bits.
#[derive(Clone, Copy)]
pub(super) struct Avx512Vnni(V3);

impl Integers for Avx2 {
    const DOT: bool = false;

    #[inline(always)]
    fn v3(self) -> V3 {
        self.0
    }

    #[inline(always)]
    fn dot(self, sum: __m256i, u: __m256i, x: __m256i) -> __m256i {
        let avx2 = self.0.avx2;
        let pairs = avx2._mm256_maddubs_epi16(u, x);
        avx2._mm256_add_epi32(sum, fours(self, pairs))
    }
}

#[expect(unsafe_code, reason = "the instruction is not in pulp's list")]
impl Integers for AvxVnni {
    const DOT: bool = true;

    #[inline(always)]
    fn v3(self) -> V3 {
        self.0
    }

    #[inline(always)]
    fn dot(self, sum: __m256i, u: __m256i, x: __m256i) -> __m256i {
        // SAFETY: a value of this type exists only where the processor has AVX-VNNI.
        unsafe { std::arch::x86_64::_mm256_dpbusd_avx_epi32(sum, u, x) }
    }
}

#[expect(unsafe_code, reason = "the instruction is not in pulp's list")]
impl Integers for Avx512Vnni {
    const DOT: bool = true;

    #[inline(always)]
    fn v3(self) -> V3 {
        self.0
    }

    #[inline(always)]
    fn dot(self, sum: __m256i, u: __m256i, x: __m256i) -> __m256i {
        // SAFETY: a value of this type exists only where the processor has AVX512-VNNI and -VL.
        unsafe { std::arch::x86_64::_mm256_dpbusd_epi32(sum, u, x) }
    }
}

/// Adds neighbours of 16 bits: 32-bit lanes.
#[inline(always)]
pub(super) fn fours<I: Integers>(simd: I, pairs: __m256i) -> __m256i {
    let avx = simd.v3().avx;
    simd.v3().avx2._mm256_madd_epi16(pairs, avx._mm256_set1_epi16(1))
}

/// Returns the total of the 16 lanes of 16 bits of each of eight registers. Lanes must be below
/// 4096, so that sums of eight fit 16 bits.
#[inline(always)]
pub(super) fn totals_of_pairs<I: Integers>(simd: I, p: [__m256i; 8]) -> __m256i {
    let low = join(simd, join(simd, p[0], p[1]), join(simd, p[2], p[3]));
    let high = join(simd, join(simd, p[4], p[5]), join(simd, p[6], p[7]));
    let (low, high) = (fours(simd, low), fours(simd, high));
    add_halves(simd, low, high)
}

#[inline(always)]
fn join<I: Integers>(simd: I, a: __m256i, b: __m256i) -> __m256i {
    simd.v3().avx2._mm256_packs_epi32(fours(simd, a), fours(simd, b))
}

/// Returns the total of the eight lanes of each of eight registers.
#[inline(always)]
pub(super) fn totals<I: Integers>(simd: I, s: [__m256i; 8]) -> __m256i {
    let avx2 = simd.v3().avx2;
    let (a, b) = (avx2._mm256_hadd_epi32(s[0], s[1]), avx2._mm256_hadd_epi32(s[2], s[3]));
    let (c, d) = (avx2._mm256_hadd_epi32(s[4], s[5]), avx2._mm256_hadd_epi32(s[6], s[7]));
    let (low, high) = (avx2._mm256_hadd_epi32(a, b), avx2._mm256_hadd_epi32(c, d));
    add_halves(simd, low, high)
}

/// Adds the halves of each register and puts the sums side by side.
#[inline(always)]
fn add_halves<I: Integers>(simd: I, low: __m256i, high: __m256i) -> __m256i {
    let avx2 = simd.v3().avx2;
    let first = avx2._mm256_permute2x128_si256::<0x20>(low, high);
    avx2._mm256_add_epi32(first, avx2._mm256_permute2x128_si256::<0x31>(low, high))
}

/// Widens eight half-precision numbers.
#[inline(always)]
#[expect(unsafe_code, reason = "the instruction is not in pulp's list")]
pub(super) fn widen<I: Integers>(_: I, halves: __m128i) -> __m256 {
    // SAFETY: an `I` exists only where the processor has F16C.
    unsafe { std::arch::x86_64::_mm256_cvtph_ps(halves) }
}

/// Loads sixteen bytes.
#[inline(always)]
#[expect(unsafe_code, reason = "registers are read through pointers only")]
pub(super) fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: sixteen readable bytes; the load needs no alignment, and SSE2 is the baseline.
    unsafe { std::arch::x86_64::_mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Loads 32 bytes.
#[inline(always)]
#[expect(unsafe_code, reason = "registers are read through pointers only")]
pub(super) fn load32<I: Integers>(_: I, bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 readable bytes; the load needs no alignment, and an `I` exists only with AVX.
    unsafe { std::arch::x86_64::_mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// Stores 32 bytes.
#[inline(always)]
#[expect(unsafe_code, reason = "registers are written through pointers only")]
pub(super) fn store32<I: Integers>(_: I, x: __m256i, bytes: &mut [u8; 32]) {
    // SAFETY: as above, and they are writable.
    unsafe { std::arch::x86_64::_mm256_storeu_si256(bytes.as_mut_ptr().cast(), x) }
}

/// Work that is compiled for each of these instruction sets.
pub(super) trait IntegerKernel {
    /// Computes it.
    fn run<I: Integers>(self, simd: I);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn in_avx2<K: IntegerKernel>(simd: Avx2, kernel: K) {
    kernel.run(simd);
}

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn in_avx_vnni<K: IntegerKernel>(simd: AvxVnni, kernel: K) {
    kernel.run(simd);
}

#[target_feature(enable = "avx2,fma,f16c,avx512vnni,avx512vl")]
fn in_avx512_vnni<K: IntegerKernel>(simd: Avx512Vnni, kernel: K) {
    kernel.run(simd);
}

/// Runs the kernel with the instructions that [`Isa`] allows. Returns `false`, without running it,
/// if the processor lacks AVX2, FMA or F16C.
#[expect(unsafe_code, reason = "only the processor tells what it has")]
pub(super) fn run<K: IntegerKernel>(kernel: K) -> bool {
    use std::arch::is_x86_feature_detected as has;
    let isa = Isa::current();
    let Some(v3) = V3::try_new().filter(|_| has!("f16c") && isa != Isa::Portable) else {
        return false;
    };
    // AVX-VNNI has no name of its own: whoever asks for AVX2 gets no more than that.
    if isa == Isa::Avx512 && has!("avx512vnni") {
        // SAFETY: the processor has all of the features; `Isa::Avx512` includes AVX512-VL.
        unsafe { in_avx512_vnni(Avx512Vnni(v3), kernel) };
    } else if has!("avxvnni") && !Isa::is_chosen() {
        // SAFETY: as above.
        unsafe { in_avx_vnni(AvxVnni(v3), kernel) };
    } else {
        // SAFETY: as above.
        unsafe { in_avx2(Avx2(v3), kernel) };
    }
    true
}
