"""Tars of JPEG files to normalised batches with webdataset, torchvision and PyTorch's DataLoader: decode, RandomResizedCrop to 224
(bicubic), flip, float32 less mean by deviation, as LAVIS's `blip2_image_train`.

The workers stay from one iteration to the next, so that their start is not timed. One iteration is all samples of all tars. Memory is the
sum of what each process holds by itself, shared pages divided among them.
"""

import io
import pathlib
import tarfile

import images
import peer
import pictures

# As large as the files of COCO are on average: 160 KB.
NOISE, QUALITY = 8, 95


def jpeg(seed):
    import numpy as np
    from PIL import Image

    smooth = np.asarray(pictures.picture(seed), np.float32)
    noisy = smooth + np.random.default_rng(seed).normal(0, NOISE, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def written(folder, count, each=500):
    """The tars in `folder`, which are written first if the folder is not there. It gets its name when it is full."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".tmp")
        part.mkdir(parents=True, exist_ok=True)
        for first in range(0, count, each):
            with tarfile.open(part / f"{first // each:05}.tar", "w") as tar:
                for seed in range(first, min(first + each, count)):
                    for end, content in (("jpg", jpeg(seed)), ("txt", f"picture number {seed}".encode())):
                        member = tarfile.TarInfo(f"{seed:08}.{end}")
                        member.size = len(content)
                        tar.addfile(member, io.BytesIO(content))
        part.rename(folder)
    return sorted(str(path) for path in folder.glob("*.tar"))


def loader(args, files):
    import torch
    import webdataset
    from torchvision import transforms

    transform = transforms.Compose([
        transforms.RandomResizedCrop(args.size, scale=(0.5, 1.0), interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(images.MEAN, images.DEVIATION),
    ])
    # Whole tars go to workers, as webdataset does it; it decodes with Pillow.
    samples = webdataset.WebDataset(files, shardshuffle=False).decode("pilrgb").to_tuple("jpg", "txt").map_tuple(transform, str)
    return torch.utils.data.DataLoader(samples.batched(args.batch), batch_size=None, num_workers=args.threads, persistent_workers=True,
                                       worker_init_fn=lambda _: peer.end_with_parent())


def memory():
    """The proportional set sizes of this process and of its children."""
    import multiprocessing

    def held(process):
        with open(f"/proc/{process}/smaps_rollup") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))

    return sum(held(process) for process in ["self"] + [child.pid for child in multiprocessing.active_children()])


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=3)
    parser.add_argument("--tars", required=True, help="the folder of tars; written if it is not there")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--write-only", action="store_true", help="write the tars and stop")
    args = parser.parse_args()
    peer.end_with_parent()
    files = written(args.tars, args.count)
    if args.write_only:
        return
    torch = peer.start(1)
    import torchvision
    import webdataset

    batches = loader(args, files)

    def iteration():
        count, total = 0, 0.0
        for pixels, texts in batches:
            assert pixels.shape[1:] == (3, args.size, args.size)
            count, total = count + len(texts), total + float(pixels[0, 0, 0, 0])
        return count

    seconds, count = peer.measure(args, iteration)
    peer.report("shards", seconds, memory(), modules=(torch, torchvision), items=count, processes=args.threads,
                webdataset=webdataset.__version__)


if __name__ == "__main__":
    main()
