"""Times decoding, resizing to 224 x 224 and normalising of JPEG files in turn: ours on 2 threads, Pillow with numpy in 2 processes.

usage: PYTHON pixels.py FOLDER PROGRAM [ROUNDS]
where PYTHON has pillow==12.0.0 and numpy installed, FOLDER holds what `cargo bench --profile dev -p toolkit-data --bench images --
--write FOLDER` wrote (or other pictures), and PROGRAM is what `cargo build -p toolkit-data --example encoder_pixels` made. Stops if one
byte of the resized pictures differs. Prints one line of JSON for each round, in milliseconds for a picture, then medians and the ratio.
"""

import hashlib
import json
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
from PIL import Image

MEAN = numpy.array([0.48145466, 0.4578275, 0.40821073], dtype=numpy.float32)
STD = numpy.array([0.26862954, 0.26130258, 0.27577711], dtype=numpy.float32)
TIMES = 20


def resized(path):
    return Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)


def one(path):
    values = numpy.asarray(resized(path), dtype=numpy.float32) / 255
    return numpy.ascontiguousarray(((values - MEAN) / STD).transpose(2, 0, 1)).shape


def main(folder, program, rounds):
    files = sorted(folder.iterdir())
    sha256 = hashlib.sha256(b"".join(resized(path).tobytes() for path in files)).hexdigest()
    rows = []
    with multiprocessing.Pool(2) as pool:
        pool.map(one, files * 2)
        for _ in range(rounds):
            said = json.loads(subprocess.run([program, folder, str(TIMES), "2"], check=True, capture_output=True).stdout)
            assert said["sha256"] == sha256, "resized pixels differ"
            start = time.perf_counter()
            pool.map(one, files * TIMES, chunksize=8)
            b = (time.perf_counter() - start) / TIMES / len(files) * 1000
            a = said["seconds"] / len(files) * 1000
            rows.append((a, b))
            print(json.dumps(dict(ours=round(a, 3), pillow=round(b, 3), ratio=round(b / a, 2))), flush=True)
    a, b = (statistics.median(column) for column in zip(*rows))
    print(json.dumps(dict(rounds=rounds, ours=round(a, 3), pillow=round(b, 3), ratio=round(statistics.median(y / x for x, y in rows), 2))))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5)
