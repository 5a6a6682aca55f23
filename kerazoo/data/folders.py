"""A user's own images: `class/image.jpg`, with or without train, validation and test folders around."""

from pathlib import Path

import numpy as np

from kerazoo.data.decode import SUFFIXES, decode_all
from kerazoo.data.images import ImageData, Images
from kerazoo.data.memory import fits
from kerazoo.data.splits import draw_missing

PARTS = {"train": ("train", "training"), "validation": ("validation", "val", "valid"), "test": ("test", "testing")}


def from_folder(folder, *, size, seed=0, progress=None):
    """Reads a folder of class folders; every image is decoded once, and unreadable ones are named.

    Where a `train` folder stands beside `validation` and `test`, the splits are those; a missing one
    is drawn from the training images, class by class: a fifth for the test, a tenth of the rest
    (1,000 at most) for validation. The pixels are held in memory where they fit, else read from the
    files in every epoch.

    Args:
        folder: the path.
        size: (H, W) that images are resized to.
        seed: of the splits that are drawn.
        progress: called with the number of images decoded so far.

    Returns:
        An `ImageData`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it has no class folders, one only, or one without a readable image.

    Example:

    >>> from_folder("photos", size=(64, 64)).classes  # doctest: +SKIP
    ('cat', 'dog')
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"The data must be a folder of class folders. Received: {str(folder)!r}.")
    parts = _parts(folder)
    classes = tuple(sorted({path.name for root in parts.values() for path in _folders(root)}))
    if len(classes) < 2:
        raise ValueError(
            f"Classification needs at least two class folders, each with images ({'class/image.jpg'!r}). "
            f"Received: {list(classes)} in {str(parts['train'])!r}."
        )
    loaded, unreadable = {}, []
    for part, root in parts.items():
        images, failed = _read(root, classes, size, progress)
        unreadable += failed
        counts = np.bincount(images.labels, minlength=len(classes))
        if part == "train" and (counts == 0).any():
            empty = [name for name, count in zip(classes, counts) if not count]
            raise ValueError(
                f"Every class folder needs at least one readable image ({', '.join(SUFFIXES)}): remove or fill "
                f"{empty} in {str(root)!r}." + _reasons(unreadable)
            )
        loaded[part] = images
    said = [f"the folder's own {', '.join(loaded)}"] if len(loaded) > 1 else []
    loaded, drawn = draw_missing(loaded, seed=seed)
    return ImageData(
        folder.resolve().name,
        classes,
        **loaded,
        split="; ".join(said + drawn),
        source=f"the folder {folder.resolve().name!r}",
        terms="the user's own",
        unreadable=unreadable,
    )


def _parts(folder):
    """{part: folder}: what is there of train, validation and test, or {"train": folder}."""
    names = {path.name.lower(): path for path in _folders(folder)}
    parts = {part: names[spelling] for part, spellings in PARTS.items() for spelling in spellings if spelling in names}
    return parts if "train" in parts else {"train": folder}


def _folders(root):
    return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _read(root, classes, size, progress):
    """`(Images, [(file, reason)])` of one part."""
    files, labels = [], []
    for label, name in enumerate(classes):
        if (root / name).is_dir():
            found = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            files += found
            labels += [label] * len(found)
    keep = fits(len(files) * size[0] * size[1] * 3)
    names = [str(file.relative_to(root.parent)) for file in files]
    pixels, readable, unreadable = decode_all(files, names, size=size, keep=keep, progress=progress)
    labels, names = np.array(labels, "int32")[readable], np.array(names, object)[readable]
    if keep:
        pixels = np.zeros((0, *size, 3), "uint8") if pixels is None else pixels
        return Images(labels, pixels=pixels, names=names), unreadable
    return Images(labels, files=np.array([str(file) for file in files])[readable], names=names), unreadable


def _reasons(unreadable):
    if not unreadable:
        return ""
    return " Unreadable: " + "; ".join(f"{name}: {reason}" for name, reason in unreadable[:5]) + "."
