"""A user's own images with masks: images/ and masks/, SegNet's folders, or lists of pairs."""

from pathlib import Path, PurePosixPath

import numpy as np

from kerazoo.data.decode import SUFFIXES
from kerazoo.data.mask_values import to_classes
from kerazoo.data.masks import MASK_SUFFIXES, MaskData, read_pairs
from kerazoo.data.parts import PART_OF, parts_among
from kerazoo.data.splits import TEST_SHARE, VALIDATION_SHARE
from kerazoo.data.text_files import read_lines, read_names
from kerazoo.data.voc_lists import read_lists
from kerazoo.data.walk import hidden_row, reasons, walk, without_suffix
from kerazoo.paths import expand

VOC_IMAGES, VOC_MASKS = "JPEGImages", "SegmentationClass"
IMAGES, MASKS = ("images", "image", "imgs"), ("masks", "mask", "labels", "label", "annotations")
CLASSES = ("classes.txt", "labels.txt")


def from_mask_folder(folder, *, size=None, seed=0, border=None, threshold=None, values=None):
    """Reads a folder of images with masks: PNGs whose values, palette or grey, are classes.

    Known layouts, each with the splits of its own that it has:

    - `images/<name>.jpg` and `masks/<name>.png`, alone or inside `train`, `validation` and `test`,
    - `train/<name>.png` and `trainannot/<name>.png` beside one another, and so for val and test (SegNet's),
    - `train.txt`, `val.txt`, `test.txt` with an image and its mask in each line (SegNet's lists),
    - Pascal VOC's `JPEGImages` and `SegmentationClass`, by the lists in `ImageSets/Segmentation`.

    An image and its mask lie below their folders by the same path: `images/a/0.jpg` goes with `masks/a/0.png`.
    `classes.txt` names the classes, one in a line, in the order of the values; without it the values must go up from 0
    without a gap, or be said by `threshold` or `values`. Where all masks have 0 and 255 alone, 255 is the class 1; else
    255 is void. What has no partner, cannot be read, or differs in size is left out and named. A missing split is drawn
    from the training images.

    Args:
        folder: the path.
        size: (H, W) that images and masks are resized to; None where all have one size.
        seed: of the splits that are drawn.
        border: name of the class whose pixels divide objects, or None.
        threshold: value from which a pixel is the class 1, of two; for masks with soft edges.
        values: those that are classes, in the classes' order; for values with gaps.

    Returns:
        A `MaskData`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no known layout, two files or folders for one thing, a part without a readable pair, masks whose
            values do not say which classes there are, a value that is no class, or too few images for the splits.

    Example:

    >>> from_mask_folder("road").classes  # doctest: +SKIP
    ('sky', 'road')
    """
    folder = expand(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"The data must be a folder of images and masks. Received: {str(folder)!r}.")
    parts, unreadable = {}, []
    for part, (pairs, alone) in _layout(folder).items():
        if not pairs:
            raise ValueError(
                f"The {part} part of {folder} must have an image with a mask of the same name, but for the suffix. "
                f"Received: none.{reasons(alone)}"
            )
        parts[part], failed = read_pairs(pairs, size=size)
        unreadable += alone + failed
    if len({part.joined.shape[1:3] for part in parts.values()}) > 1:
        raise ValueError(f"Images of several sizes need a `size` to be resized to. Received: {folder}.")
    classes = to_classes(
        parts.values(), names=_names(folder), threshold=threshold, values=values, where=repr(str(folder))
    )
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


def match(images, masks, folders=("images", "masks")):
    """Pairs images with the masks of the same name but for the suffix.

    Args:
        images, masks: {path below the folder of images or of masks: bytes or path of the file}.
        folders: what messages and reports call those folders.

    Returns:
        `([(name, image, mask)], [(name, reason)])`, sorted by name; what has no partner is in the second.

    Raises:
        ValueError: two images, or two masks, of one name.

    Example:

    >>> match({"a/0.jpg": b"", "b/0.jpg": b""}, {"a/0.png": b""})
    ([('images/a/0.jpg', b'', b'')], [('images/b/0.jpg', 'has no mask b/0.png')])
    """
    by_name, partners = without_suffix(masks), without_suffix(images)
    pairs, alone = [], []
    for path in sorted(images, key=_natural):
        key = PurePosixPath(path).with_suffix("").as_posix()
        if key in by_name:
            pairs.append((f"{folders[0]}/{path}", images[path], by_name[key]))
        else:
            alone.append((f"{folders[0]}/{path}", f"has no mask {key}.png"))
    return pairs, alone + [
        (f"{folders[1]}/{path}", "has no image of its name")
        for path in masks
        if PurePosixPath(path).with_suffix("").as_posix() not in partners
    ]


def _natural(path):
    """Numbers in the order of their size: slice 2 comes before slice 10."""
    stem = PurePosixPath(path).stem
    return (0, int(stem), path) if stem.isascii() and stem.isdigit() else (1, 0, path)


def _layout(folder):
    """{part: (pairs, left out)} of whatever layout the folder has."""
    inside = walk(folder, (".txt",), deep=False)
    if (folder / VOC_IMAGES).is_dir() and (folder / VOC_MASKS).is_dir():
        return _voc(folder)
    lists = parts_among(inside.files.values())
    if lists and "train" not in lists:
        raise ValueError(f"{folder} must have a list train.txt too. Received: {[*map(str, lists.values())]}.")
    if lists:
        return {part: (_listed(file, folder), []) for part, file in lists.items()}
    found, left_out = _folder_parts(folder, inside.folders)
    if "train" not in found:
        raise ValueError(
            "The data must have folders images and masks, alone or inside train, validation and test, or train and "
            "trainannot, or train.txt with an image and its mask in each line, or Pascal VOC's JPEGImages and "
            f"SegmentationClass. Received: {str(folder)!r} with {sorted(inside.folders)}."
        )
    result = {part: _matched(images, masks, folder) for part, (images, masks) in found.items()}
    pairs, alone = result["train"]
    return result | {"train": (pairs, alone + left_out + hidden_row(inside.hidden))}


def _folder_parts(folder, inside):
    """`({part: (folder of images, folder of masks)}, left out)`, by folders inside or around those of each part."""
    by_name = {path.name.lower(): path for path in inside.values()}
    outer, pair = parts_among(inside.values()), _two(folder)
    found = {part: _beside(path, by_name) for part, path in outer.items()}
    if pair and not found.get("train"):
        images, masks = (parts_among(walk(side, deep=False).folders.values()) for side in pair)
        inner = {part: (images[part], masks.get(part)) for part in images} if "train" in images and masks else {}
        found |= inner or {"train": pair}
    whole = {part: sides for part, sides in found.items() if sides and None not in sides}
    lacking = [outer.get(part) or found[part][0] for part in found if part not in whole]
    return whole, [(path.relative_to(folder).as_posix(), "a part without masks") for path in lacking]


def _beside(path, by_name):
    """The images and masks of a part's folder: itself and the folder <name>annot, or two folders in it, or None."""
    masks = by_name.get(f"{path.name.lower()}annot")
    return (path, masks) if masks else _two(path)


def _matched(images, masks, folder, listed=None):
    """`(pairs, left out)` of a folder of images and one of masks; `listed` names the ones that are wanted."""
    names = [root.relative_to(folder).as_posix() for root in (images, masks)]
    kinds = (SUFFIXES, MASK_SUFFIXES)
    found = [walk(root, kind).below(name) for root, kind, name in zip((images, masks), kinds, names)]
    files, missing = [side.files for side in found], []
    if listed is not None:
        by_name, wanted = [without_suffix(side) for side in files], set(listed)
        missing = [(name, "is listed, and there is no such image") for name in listed if name not in by_name[0]]
        files = [
            {name: path for name, path in side.items() if PurePosixPath(name).with_suffix("").as_posix() in wanted}
            for side in files
        ]
    pairs, alone = match(*files, names)
    return pairs, missing + alone + [row for side in found for row in side.left_out + hidden_row(side.hidden)]


def _voc(folder):
    """Pascal VOC as it is published: SegmentationClass, by the lists of ImageSets/Segmentation where there are any."""
    lists = read_lists(folder / "ImageSets" / "Segmentation")
    images, masks = folder / VOC_IMAGES, folder / VOC_MASKS
    if not lists:
        return {"train": _matched(images, masks, folder)}
    return {PART_OF[part]: _matched(images, masks, folder, names) for part, names in lists.items()}


def _two(folder):
    """The folders of images and of masks in a folder, or None.

    Raises:
        ValueError: two of either with files of that kind in them.
    """
    inside, chosen = list(walk(folder, deep=False).folders.values()), []
    for names, suffixes in ((IMAGES, SUFFIXES), (MASKS, MASK_SUFFIXES)):
        called = [path for name in names for path in inside if path.name.lower() == name]
        filled = [path for path in called if walk(path, suffixes).files] if len(called) > 1 else called
        if len(filled) > 1:
            raise ValueError(
                f"One folder must have the {names[0]}. Received: {' and '.join(repr(str(path)) for path in filled)}."
            )
        chosen += (filled or called)[:1]
    return tuple(chosen) if len(chosen) == 2 else None


def _listed(file, folder):
    """[(name, image, mask)] of a list; a path is below the folder, or ends in a folder and a file of it."""
    pairs = []
    for number, line in enumerate(read_lines(file), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise ValueError(f"{file}, line {number}, must have an image and its mask. Received: {line!r}.")
        image, mask = (_listed_path(word, folder) for word in words)
        pairs.append((image.relative_to(folder).as_posix(), image, mask))
    return pairs


def _listed_path(word, folder):
    """SegNet's lists begin with where the authors kept their files, "/SegNet/CamVid/train/...": that is dropped."""
    path = folder / word.lstrip("/")
    return path if path.is_file() or not word.startswith("/") else folder.joinpath(*Path(word).parts[-2:])


def _names(folder):
    """Names of the classes from a file, or None."""
    for name in CLASSES:
        if (folder / name).is_file():
            return read_names(folder / name)
    return None


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
