"""JPEG files to normalised pictures with Pillow in a pool of processes: decode, RGB, 224 x 224 bicubic, float32 less mean by deviation.

A worker drops each picture once it is made, so that Pillow is not charged for handing it to another process. One iteration is all the
files. Memory is the sum of what each process holds by itself, shared pages divided among them (proportional set size).
"""

import multiprocessing
import os
import time

import peer
import pictures

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def prepare(path, size):
    import numpy as np
    from PIL import Image

    with Image.open(path) as file:
        image = file.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, np.float32) * np.float32(1 / 255)
    pixels = (pixels - np.float32(MEAN)) / np.float32(DEVIATION)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def prepare_all(paths, size):
    return sum(float(prepare(path, size).mean()) for path in paths)


def proportional_set_size():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def held(pause):
    """A worker and its memory. The pause lets every worker take one of these calls."""
    time.sleep(pause)
    return os.getpid(), proportional_set_size()


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=5)
    parser.add_argument("--images", required=True, help="the folder of pictures; written if it is not there")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--write-only", action="store_true", help="write the pictures and stop")
    args = parser.parse_args()
    peer.end_with_parent()
    files = pictures.written(args.images, args.count)
    if args.write_only:
        return
    import numpy
    import PIL

    # Several pieces for each process: the last ones even out who is late.
    pieces = [(files[k::args.threads * 4], args.size) for k in range(args.threads * 4)]
    with multiprocessing.Pool(args.threads, initializer=peer.end_with_parent) as pool:
        seconds, sums = peer.measure(args, lambda: pool.starmap(prepare_all, pieces, chunksize=1))
        memory = dict(pool.map(held, [0.2] * args.threads * 2, chunksize=1))
        pool.close()
        pool.join()
    peer.report("images", seconds, sum(memory.values()) + proportional_set_size(), modules=(numpy, PIL), items=len(files),
                processes=len(memory), mean=sum(sums) / len(files))


if __name__ == "__main__":
    main()
