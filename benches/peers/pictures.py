"""JPEG files that look natural enough to cost what photographs cost: fields of falling amplitude, flat shapes with edges, fine noise."""

import pathlib

WIDTH, HEIGHT, QUALITY = 640, 480, 90


def picture(seed):
    import numpy as np
    from PIL import Image, ImageDraw

    draw = np.random.default_rng(seed)
    field = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for octave in range(1, 8):
        small = draw.integers(0, 256, (3 * 2 ** octave // 2, 2 ** (octave + 1), 3), dtype=np.uint8)
        large = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        field += (np.asarray(large, np.float32) - 128) / 1.7 ** octave
    image = Image.fromarray(np.clip(128 + field, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(8):
        left, top = draw.integers(0, WIDTH - 40), draw.integers(0, HEIGHT - 40)
        box = [int(left), int(top), int(left + draw.integers(20, 200)), int(top + draw.integers(20, 200))]
        shape = pen.ellipse if draw.random() < 0.5 else pen.rectangle
        shape(box, fill=tuple(int(c) for c in draw.integers(0, 256, 3)))
    noisy = np.asarray(image, np.float32) + draw.normal(0, 4, (HEIGHT, WIDTH, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def written(folder, count):
    """The files in `folder`, which are written first if the folder is not there. It gets its name when it is full."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        part = folder.with_name(folder.name + ".tmp")
        part.mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            picture(seed).save(part / f"{seed:05}.jpg", quality=QUALITY)
        part.rename(folder)
    files = sorted(folder.glob("*.jpg"))
    assert len(files) == count, f"{folder} holds {len(files)} pictures, not {count}: remove it to have it written anew"
    return files
