#!/usr/bin/env bash
# Compares the results of two builds, bit for bit: metrics, scores, samples, weights.
#
# usage: benches/golden.sh OLD NEW [--steps]
#   OLD, NEW   two `toolkit` binaries, as `target/debug/toolkit` and a copy of it from before a change
#   --steps    also trains 200 steps of each stage on the nano tier (about three minutes a binary)
#
# A change that should change no number must end with "identical". The binaries run one after the
# other, in this repository, into a temporary folder.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
old=$(realpath "$1") new=$(realpath "$2") steps=${3:-}
cd "$(dirname "$0")/.."
out=$(mktemp -d)

# Runs everything with binary $1 into folder $2.
produce() {
    local binary=$1 folder=$2 name
    mkdir -p "$folder"
    for name in ablate_stage1 ablate_losses ablate_bridge; do
        "$binary" run "experiments/$name.toml" --smoke --set compute.save_seconds=1 --quiet \
            --out "$folder/$name" > /dev/null
    done
    if [ "$steps" = --steps ]; then
        "$binary" run experiments/ablate_stage1.toml --set 'seeds=[0]' --set stage1.steps=200 \
            --set stage2.steps=200 --set eval.every=50 --quiet --out "$folder/steps" > /dev/null
    fi
    for name in tests/fixtures/*/reference.safetensors; do
        name=$(dirname "$name")
        "$binary" verify "$name" --json \
            > "$folder/verify-$(basename "$name").json" 2> /dev/null || true
    done
}

# Prints a SHA-256 for each file of $1 that is a result: no times, no names of builds.
sums() {
    (cd "$1" && find . \( -name metrics.jsonl -o -name scores.json -o -name 'step-*.json' \
        -o -name samples.jsonl -o -name captions.jsonl -o -name 'verify-*.json' \
        -o -name 'step-*.safetensors' ! -name '*.optimizer.safetensors' \) -print0 | sort -z | xargs -0 sha256sum)
}

produce "$old" "$out/old"
produce "$new" "$out/new"
sums "$out/old" > "$out/old.sums"
sums "$out/new" > "$out/new.sums"
if diff "$out/old.sums" "$out/new.sums" > "$out/difference"; then
    echo "identical: $(wc -l < "$out/new.sums") files"
    rm -rf "$out"
else
    echo "different (both runs are kept in $out):"
    grep '^>' "$out/difference" | awk '{ print "  " $3 }'
    exit 1
fi
