"""Pictures without labels: from a folder, and random windows of them for training."""

import math
from pathlib import Path

import numpy as np

from kerazoo.data.archives import read_zip
from kerazoo.data.decode import SUFFIXES, decode
from kerazoo.data.locate import data_folder
from kerazoo.data.walk import hidden_row, is_visible, reasons, walk
from kerazoo.extras import need
from kerazoo.paths import expand

LARGEST_SIDE = 1024  # Pixels of a picture's longer side.
MOST = 2_000  # Pictures that are held.


def read_picture(content, *, side=None, shorter=False, multiple=1):
    """One image, smaller where it is larger than `side`, as uint8, (H, W, 3).

    Args:
        content: bytes, or a path.
        side: pixels of the longer side at most; None takes `LARGEST_SIDE`.
        shorter: `side` is that of the shorter side instead, exactly, so that windows of that size fit.
        multiple: of which both sides become multiples, cut off alike on both ends.

    Raises:
        ValueError: not a readable image, or a side above `LARGEST_SIDE`.
        FileNotFoundError: no such file.
    """
    need("PIL")
    from PIL import Image

    side = LARGEST_SIDE if side is None else side
    if side > LARGEST_SIDE:
        raise ValueError(f"A picture's side must be at most {LARGEST_SIDE}. Received: {side}.")
    pixels = decode(content)
    height, width = pixels.shape[:2]
    factor = side / min(height, width) if shorter else min(1.0, side / max(height, width))
    if factor != 1.0:
        size = (max(math.ceil(width * factor), 1), max(math.ceil(height * factor), 1))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    return crop(pixels, *(length // multiple * multiple for length in pixels.shape[:2]))


def crop(pixels, height, width):
    """The middle of a picture, (height, width, 3).

    Raises:
        ValueError: it is smaller, or nothing would be left.
    """
    top, left = ((had - wanted) // 2 for had, wanted in zip(pixels.shape[:2], (height, width)))
    if min(top, left) < 0 or min(height, width) < 1:
        wanted = f"{max(height, 1)}x{max(width, 1)}"
        raise ValueError(f"A picture must have at least {wanted} pixels. Received: {pixels.shape[:2]}.")
    return pixels[top : top + height, left : left + width]


def read_pictures(folder, *, side, inside=""):
    """Every image in a folder and the folders in it, at most 2,000 spread evenly, their shorter sides `side` pixels.

    Args:
        folder: the path, or a zip archive's.
        side: pixels.
        inside: what the names of an archive's members must begin with.

    Returns:
        `(pictures, left out)`: uint8 arrays, (H, W, 3), and [(file, reason)].

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it has no readable image.
    """
    folder, left_out = expand(folder), []
    if folder.is_file():
        found = read_zip(folder, lambda name: name.startswith(inside) and name.lower().endswith(SUFFIXES))
        contents = {name: found[name] for name in sorted(found) if is_visible(name)}
        left_out = hidden_row([name for name in sorted(found) if not is_visible(name)])
    elif folder.is_dir():
        found = walk(folder, SUFFIXES)
        contents, left_out = found.files, found.left_out + hidden_row(found.hidden)
    else:
        raise FileNotFoundError(f"The data must be a folder of images. Received: {str(folder)!r}.")
    names, pictures = list(contents), []
    for name in names[:: math.ceil(len(names) / MOST) or 1]:
        try:
            pictures.append(read_picture(contents[name], side=side, shorter=True))
        except (ValueError, OSError) as error:
            left_out.append((name, str(error)))
    if not pictures:
        raise ValueError(
            f"The folder must have a readable image ({', '.join(SUFFIXES)}). Received: {str(folder)!r}."
            f"{reasons(left_out)}"
        )
    return pictures, left_out


def windows(pictures, *, size, batch_size, seed=0):
    """An endless `tf.data.Dataset` of batches of random windows, half of them mirrored: (B, size, size, 3), float32.

    Args:
        pictures: uint8 arrays, (H, W, 3), no side below `size`.
        size: pixels of a window's sides.
        batch_size: windows in a batch.
        seed: of the draws.
    """
    import tensorflow as tf

    def draw():
        rng = np.random.default_rng(seed)
        while True:
            for index in rng.permutation(len(pictures)):
                picture = pictures[index]
                top, left = (rng.integers(0, length - size + 1) for length in picture.shape[:2])
                window = picture[top : top + size, left : left + size]
                yield (window[:, ::-1] if rng.random() < 0.5 else window).astype("float32")

    data = tf.data.Dataset.from_generator(draw, output_signature=tf.TensorSpec((size, size, 3), "float32"))
    return data.batch(batch_size, drop_remainder=True).prefetch(2)


def photographs():
    """{"china", "flower"}: scikit-learn's two photographs, as the paths of their files.

    Raises:
        ImportError: without scikit-learn.
    """
    need("sklearn")
    from sklearn.datasets import load_sample_images

    return {Path(name).stem: Path(name) for name in load_sample_images().filenames}


def pictures_at_hand(*, side):
    """`(pictures, where from)` that a style can be learnt on: CamVid's training images in the data folder, else
    scikit-learn's two photographs.

    Args:
        side: pixels of their shorter sides.
    """
    archive = data_folder() / "camvid.zip"
    if archive.is_file():
        return read_pictures(archive, side=side, inside="train/")[0], "CamVid's training images, for academic use"
    found = [read_picture(path, side=side, shorter=True) for path in photographs().values()]
    return found, "scikit-learn's two photographs, CC BY 2.0"
