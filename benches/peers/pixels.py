"""Compares what `toolkit` makes of picture files with what Pillow makes of them: every byte of the 224 x 224 pictures. run.py times both.

usage: PYTHON pixels.py FOLDER PROGRAM
where PYTHON has pillow installed, FOLDER holds pictures, and PROGRAM is what `cargo build -p toolkit-data --example encoder_pixels` made.
Exit code 1 if a byte differs.
"""

import hashlib
import pathlib
import subprocess
import sys

from PIL import Image


def main(folder, program):
    files = sorted(folder.iterdir())
    resized = (Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC).tobytes() for path in files)
    want = hashlib.sha256(b"".join(resized)).hexdigest()
    got = subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout.strip()
    if got != want:
        sys.exit(f"the pictures differ: {got}, Pillow {want}")
    print(f"{len(files)} pictures are equal")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
