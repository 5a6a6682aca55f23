"""A user's own images with masks: images/ and masks/, SegNet's folders, or lists of pairs."""

from pathlib import Path

import numpy as np

from kerazoo.data.decode import SUFFIXES
from kerazoo.data.folders import PARTS
from kerazoo.data.masks import MASK_SUFFIXES, VOID, MaskData, check_values, read_pairs
from kerazoo.data.splits import TEST_SHARE, VALIDATION_SHARE
from kerazoo.data.text_files import read_lines

IMAGES, MASKS = ("images", "image", "imgs"), ("masks", "mask", "labels", "label", "annotations")
CLASSES = ("classes.txt", "labels.txt")


def from_mask_folder(folder, *, size=None, seed=0, border=None):
    """Reads a folder of images with masks: PNGs whose values, palette or grey, are classes.

    Known layouts, each with the splits of its own that it has:

    - `images/<name>.jpg` and `masks/<name>.png`, alone or inside `train`, `validation` and `test`,
    - `train/<name>.png` and `trainannot/<name>.png` beside one another, and so for val and test (SegNet's),
    - `train.txt`, `val.txt`, `test.txt` with an image and its mask in each line (SegNet's lists).

    `classes.txt` names the classes, one in a line, in the order of the values; without it they are as many as the
    largest value says. Where all masks have 0 and 255 alone, 255 is the class 1; else 255 is void. Pairs that cannot
    be read, or whose sizes differ, are left out and named. A missing split is drawn from the training images.

    Args:
        folder: the path.
        size: (H, W) that images and masks are resized to; None where all have one size.
        seed: of the splits that are drawn.
        border: name of the class whose pixels divide objects, or None.

    Returns:
        A `MaskData`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no known layout, no readable pair, a value that is no class, or too few images for the splits.

    Example:

    >>> from_mask_folder("road").classes  # doctest: +SKIP
    ('sky', 'road')
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"The data must be a folder of images and masks. Received: {str(folder)!r}.")
    parts, unreadable = {}, []
    for part, (pairs, alone) in _layout(folder).items():
        parts[part], failed = read_pairs(pairs, size=size)
        unreadable += alone + failed
    if len({part.joined.shape[1:3] for part in parts.values()}) > 1:
        raise ValueError(f"Images of several sizes need a `size` to be resized to. Received: {folder}.")
    parts = _binary(parts)
    classes = _classes(folder, parts)
    check_values(parts.values(), classes)
    if border is not None and border not in classes:
        raise ValueError(f"`border` must be one of the classes {list(classes)}. Received: {border!r}.")
    said = [f"the folder's own {', '.join(parts)}"] if len(parts) > 1 else []
    parts, drawn = _draw_missing(parts, seed=seed)
    return MaskData(
        folder.resolve().name,
        classes,
        **parts,
        split="; ".join(said + drawn),
        source=f"the folder {folder.resolve().name!r}",
        terms="the user's own",
        unreadable=unreadable,
        border=None if border is None else classes.index(border),
    )


def match(images, masks):
    """Pairs images with the masks of the same stem.

    Args:
        images, masks: {path as text: bytes or path of the file}.

    Returns:
        `([(name, image, mask)], [(name, reason)])`, sorted by name; images without a mask are in the second.
    """
    by_stem = {Path(path).stem: content for path, content in masks.items()}
    pairs, alone = [], []
    for path in sorted(images, key=_natural):
        stem = Path(path).stem
        if stem in by_stem:
            pairs.append((path, images[path], by_stem[stem]))
        else:
            alone.append((path, f"has no mask {stem}.png"))
    return pairs, alone


def _natural(path):
    """Numbers in the order of their size: slice 2 comes before slice 10."""
    stem = Path(path).stem
    return (0, int(stem), path) if stem.isascii() and stem.isdigit() else (1, 0, path)


def _layout(folder):
    """{part: (pairs, images without a mask)} of whatever layout the folder has."""
    known = {spelling: part for part, spellings in PARTS.items() for spelling in spellings}
    lists = {known[file.stem]: file for file in folder.glob("*.txt") if file.stem in known}
    if "train" in lists:
        return {part: (_listed(file, folder), []) for part, file in sorted(lists.items())}
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    found = {}
    for spelling, part in known.items():
        if spelling in inside:
            beside = inside.get(f"{spelling}annot")
            pair = (inside[spelling], beside) if beside else _two(inside[spelling])
            if pair:
                found[part] = pair
    if "train" not in found:
        pair = _two(folder)
        found = {"train": pair} if pair else {}
    if not found:
        raise ValueError(
            "The data must have folders images and masks, alone or inside train, validation and test, or train and "
            f"trainannot, or train.txt with an image and its mask in each line. Received: {str(folder)!r} with "
            f"{sorted(inside)}."
        )
    return {
        part: match(_files(a, folder, SUFFIXES), _files(b, folder, MASK_SUFFIXES)) for part, (a, b) in found.items()
    }


def _two(folder):
    """The folders of images and of masks in a folder, or None."""
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    images, masks = ([inside[name] for name in names if name in inside] for names in (IMAGES, MASKS))
    return (images[0], masks[0]) if images and masks else None


def _files(root, folder, suffixes):
    found = (path for path in root.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def _listed(file, folder):
    """[(name, image, mask)] of a list; paths are the folder's, or end in a folder and a file of it."""
    pairs = []
    for number, line in enumerate(read_lines(file), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise ValueError(f"{file}, line {number}, must have an image and its mask. Received: {line!r}.")
        # SegNet's lists begin with where the authors kept their files, "/SegNet/CamVid/train/...".
        image, mask = (
            path if (path := folder / word.lstrip("/")).is_file() else folder.joinpath(*Path(word).parts[-2:])
            for word in words
        )
        pairs.append((f"{image.parent.name}/{image.name}", image, mask))
    return pairs


def _binary(parts):
    """The parts with class 1 in place of 255 where 0 and 255 are all values there are."""
    values = set().union(*(np.unique(part.masks).tolist() for part in parts.values()))
    if values == {0, VOID}:
        for part in parts.values():
            part.masks[part.masks == VOID] = 1
    return parts


def _classes(folder, parts):
    """Names of the classes, from a file or from the largest value."""
    for name in CLASSES:
        if (folder / name).is_file():
            lines = read_lines(folder / name)
            return tuple(line.strip() for line in lines if line.strip())
    masks = parts["train"].masks
    known = masks[masks != VOID]
    if not len(known) or not known.max():
        raise ValueError(f"Masks must have two classes at least. Received: {np.unique(masks).tolist()} in {folder}.")
    return tuple(f"class {value}" for value in range(known.max() + 1))


def _draw_missing(parts, *, seed):
    """`(parts, said)`: all three splits, and a clause for each one drawn from the training images."""
    said = []
    for name, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        if name in parts:
            continue
        train = parts["train"]
        count = max(round(len(train) * share), 1)
        if count >= len(train):
            raise ValueError(f"A {name} split cannot be drawn. Received: {len(train)} images with masks.")
        order = np.random.default_rng(seed).permutation(len(train))
        parts[name], parts["train"] = train.take(np.sort(order[:count])), train.take(np.sort(order[count:]))
        said.append(f"{count:,} images drawn from the training images for {name}, seed {seed}")
    return parts, said
