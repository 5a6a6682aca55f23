"""A user's own images: `class/image.jpg`, with or without train, validation and test folders around."""

from pathlib import Path

import numpy as np

from kerazoo.data.decode import SUFFIXES, decode_all
from kerazoo.data.images import ImageData, Images
from kerazoo.data.memory import fits
from kerazoo.data.parts import check_not_empty, class_parts
from kerazoo.data.splits import draw_missing
from kerazoo.data.walk import check_name, hidden_row, reasons, walk


def from_folder(folder, *, size, seed=0, progress=None):
    """Reads a folder of class folders; every image is decoded once, and whatever is left out is named.

    Where a `train` folder with class folders stands beside `validation` and `test`, the splits are those; a missing one
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
        ValueError: it has no class folders, one only, or one without a readable image; a split of its own without one;
            two folders for one split; a class's name that is not UTF-8.

    Example:

    >>> from_folder("photos", size=(64, 64)).classes  # doctest: +SKIP
    ('cat', 'dog')
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"The data must be a folder of class folders. Received: {str(folder)!r}.")
    parts, left_out, hidden = _parts(folder)
    inside = {part: walk(root, deep=False).folders for part, root in parts.items()}
    classes = tuple(sorted({name for found in inside.values() for name in found}))
    for name in classes:
        check_name(name, "The name of a class folder")
    if len(classes) < 2:
        raise ValueError(
            f"Classification needs at least two class folders, each with images ({'class/image.jpg'!r}). "
            f"Received: {list(classes)} in {str(parts['train'])!r}.{reasons(left_out)}"
        )
    loaded = {}
    for part, root in parts.items():
        found = {name: walk(inside[part][name], SUFFIXES).below(f"{root.name}/{name}") for name in inside[part]}
        left_out += [row for of_class in found.values() for row in of_class.left_out]
        hidden += [name for of_class in found.values() for name in of_class.hidden]
        images, failed = _read(root, classes, found, size, progress)
        left_out += failed
        counts = np.bincount(images.labels, minlength=len(classes))
        if part == "train" and (counts == 0).any():
            empty = [name for name, count in zip(classes, counts) if not count]
            raise ValueError(
                f"Every class folder needs at least one readable image ({', '.join(SUFFIXES)}): remove or fill "
                f"{empty} in {str(root)!r}.{reasons(left_out)}"
            )
        loaded[part] = images
    check_not_empty(loaded, left_out)
    said = [f"the folder's own {', '.join(loaded)}"] if len(loaded) > 1 else []
    loaded, drawn = draw_missing(loaded, seed=seed)
    return ImageData(
        folder.resolve().name,
        classes,
        **loaded,
        split="; ".join(said + drawn),
        source=f"the folder {folder.resolve().name!r}",
        terms="the user's own",
        unreadable=left_out + hidden_row(hidden),
    )


def _parts(folder):
    """`({part: folder}, left out, hidden)`: what is there of train, validation and test, or {"train": folder}."""
    inside = walk(folder, SUFFIXES, deep=False)
    folders = list(inside.folders.values())
    parts = class_parts(folders, SUFFIXES)
    beside = f"a folder beside {', '.join(part.name for part in parts.values())}"
    left_out = [(path.name, beside) for path in folders if parts and path not in parts.values()]
    tops = [inside, *(walk(path, SUFFIXES, deep=False).below(path.name) for path in parts.values())]
    for top, prefix in zip(tops, ["", *(f"{path.name}/" for path in parts.values())]):
        left_out += [(prefix + name, "in no class folder") for name in top.files] + top.left_out
    return parts or {"train": folder}, left_out, [name for top in tops for name in top.hidden]


def _read(root, classes, found, size, progress):
    """`(Images, [(file, reason)])` of one part, from a `Walk` of each class folder."""
    files = [path for of_class in found.values() for path in of_class.files.values()]
    labels = [classes.index(name) for name, of_class in found.items() for _ in of_class.files]
    keep = fits(len(files) * size[0] * size[1] * 3)
    names = [str(file.relative_to(root.parent)) for file in files]
    pixels, readable, unreadable = decode_all(files, names, size=size, keep=keep, progress=progress)
    labels, names = np.array(labels, "int32")[readable], np.array(names, object)[readable]
    if keep:
        pixels = np.zeros((0, *size, 3), "uint8") if pixels is None else pixels
        return Images(labels, pixels=pixels, names=names), unreadable
    return Images(labels, files=np.array([str(file) for file in files])[readable], names=names), unreadable
