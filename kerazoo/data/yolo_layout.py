"""Where a YOLO data set has its images and their text files, and which belong together."""

from pathlib import Path

from kerazoo.data.decode import SUFFIXES
from kerazoo.data.parts import PART_OF
from kerazoo.data.text_files import read_lines
from kerazoo.data.walk import walk

NAMES = ("classes.txt", "obj.names", "classes.names")
SETTINGS = (".txt", ".yaml", ".yml", ".names", ".data")  # Files that say what the images are.


def part_places(root, part):
    """Where a part's images are: [folder], [text file of paths], or [] where there is neither.

    The folder is called after the part, and so is `images` in it, or it lies in `images` itself.

    Raises:
        ValueError: there are two.
    """
    inside = walk(root, (".txt",), deep=False)
    outer = list(inside.folders.values())
    inner = [path for folder in outer if folder.name == "images" for path in walk(folder, deep=False).folders.values()]
    found = [path for path in outer + inner if PART_OF.get(path.name.lower()) == part]
    if len(found) > 1:
        found = [path for path in found if walk(path, SUFFIXES).files]
    found = [path / "images" if (path / "images").is_dir() else path for path in found]
    found = found or [path for path in inside.files.values() if PART_OF.get(path.stem.lower()) == part]
    if len(found) > 1:
        raise ValueError(f"There must be one {part} part. Received: {' and '.join(repr(str(path)) for path in found)}.")
    return found


def read_place(place, root):
    """`(paths of images, [(name, reason)])` of a folder, or of a text file of paths; the second is what is left out.

    Args:
        place: the folder or file.
        root: what names are relative to.
    """
    if place.is_file():
        lines = [line.strip() for line in read_lines(place) if line.strip()]
        return [_listed(place.parent, line) for line in lines], []
    found, twin = walk(place, SUFFIXES), _twin(place)
    images = list(found.files.values())
    texts = [path for side in (place, twin) if side and side.is_dir() for path in walk(side, (".txt",)).files.values()]
    used = {label_file(image) for image in images}
    alone = [path for path in texts if path not in used and not _is_no_label(path)]
    left_out = [(_name(path, root), "has no image of its name") for path in alone]
    left_out += [(_name(place / name, root), reason) for name, reason in found.left_out if not name.endswith(SETTINGS)]
    return images, left_out


def label_file(image):
    """The text file of an image, beside it, or in `labels` where it lies in `images`; or None.

    Raises:
        ValueError: there are two.
    """
    twin = _twin(image.parent)
    files = [image.with_suffix(".txt")] + ([twin / f"{image.stem}.txt"] if twin else [])
    found = [path for path in files if path.is_file()]
    if len(found) > 1:
        raise ValueError(
            f"{image} must have one label file. Received: {' and '.join(repr(str(path)) for path in found)}."
        )
    return found[0] if found else None


def _twin(folder):
    """The folder of the text files where that of the images is, or lies in, `images`; else None."""
    parts = folder.parts
    if "images" not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index("images")
    return Path(*parts[:last], "labels", *parts[last + 1 :])


def _listed(folder, line):
    """The path of a list's line; CVAT's lists begin with a folder `data` that it does not export."""
    path = folder / line
    shorter = folder / line.removeprefix("data/")
    return shorter if not path.is_file() and shorter.is_file() else path


def _is_no_label(path):
    return path.name in NAMES or path.stem.lower() in PART_OF or path.name.lower().startswith("readme")


def _name(path, root):
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
