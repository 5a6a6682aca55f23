"""YOLO's text files of boxes: one line a box, "class cx cy w h" as shares of the image; read and written."""

from pathlib import Path

import numpy as np

from kerazoo.data.boxes import convert
from kerazoo.data.decode import SUFFIXES
from kerazoo.data.detection import Record
from kerazoo.data.text_files import read_lines, read_text
from kerazoo.extras import need

PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
NAMES = ("classes.txt", "obj.names", "classes.names")


def read_yolo(images, classes, *, root=None):
    """The boxes of images whose text files lie beside them, or in `labels` where they lie in `images`.

    Args:
        images: paths of the images. One without a text file, or with an empty one, has no objects.
        classes: names.
        root: the folder that names are relative to.

    Returns:
        `Record`s.

    Raises:
        ValueError: a line that is no box, or of an unknown class, by file and line.
    """
    records = []
    for image in map(Path, images):
        name = image.relative_to(root).as_posix() if root else image.name
        record = Record(name, str(image), format="rel_cxcywh")
        labels = _labels(image)
        if labels:
            for number, line in enumerate(read_lines(labels), 1):
                if line.strip():
                    label, box = _line(line, classes, f"{labels.name}, line {number}")
                    record.classes.append(label)
                    record.boxes.append(box)
                    record.places.append(f"{labels.name}, line {number}")
        records.append(record)
    return records


def read_yolo_folder(path):
    """Reads a YOLO data set: its data.yaml, or a folder with names in classes.txt.

    Returns:
        `({part: records}, classes)`; parts out of "train", "val", "test".

    Raises:
        FileNotFoundError: nothing that names the classes, or no images.
        ValueError: as `read_yolo`.
        ImportError: data.yaml without PyYAML.
    """
    path = Path(path)
    yaml_file = path if path.is_file() else next(iter(sorted([*path.glob("*.yaml"), *path.glob("*.yml")])), None)
    root = path.parent if path.is_file() else path
    if yaml_file:
        classes, places = _yaml(yaml_file)
    else:
        listed = next((root / name for name in NAMES if (root / name).is_file()), None)
        if listed is None:
            raise FileNotFoundError(f"The classes' names must stand in data.yaml or {NAMES[0]}. Neither is in {root}.")
        classes = tuple(line.strip() for line in read_lines(listed) if line.strip())
        places = {}
    parts = {}
    for part, spellings in PARTS.items():
        wanted = (
            places.get(part)
            or [
                folder
                for name in spellings
                for folder in (root / name / "images", root / "images" / name, root / name)
                if folder.is_dir()
            ][:1]
        )
        images = sorted(image for place in wanted for image in _images(place))
        if images:
            parts[part] = read_yolo(images, classes, root=root if images[0].is_relative_to(root) else None)
    if not parts:
        images = sorted(_images(root / "images" if (root / "images").is_dir() else root))
        if not images:
            raise FileNotFoundError(f"There must be images ({', '.join(SUFFIXES)}) in {root}. There are none.")
        parts["train"] = read_yolo(images, classes, root=root)
    return parts, classes


def write_yolo(annotations, folder, *, scores=None):
    """Writes one text file an image, <name without suffix>.txt; none must be there yet.

    Args:
        annotations: `Annotations`.
        folder: where to.
        scores: N arrays, (n,): a sixth number on each line, as predictions have it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for position, name in enumerate(annotations.names):
        boxes = convert(annotations.boxes[position], "xyxy", "rel_cxcywh", size=annotations.sizes[position])
        rows = [[str(int(c)), *(f"{x:.6f}" for x in box)] for c, box in zip(annotations.classes[position], boxes)]
        if scores is not None:
            rows = [[*row, f"{score:.6f}"] for row, score in zip(rows, scores[position])]
        with open(folder / f"{Path(name).stem}.txt", "x", encoding="utf-8") as file:
            file.writelines(" ".join(row) + "\n" for row in rows)


def _labels(image):
    """The text file of an image, or None."""
    beside = image.with_suffix(".txt")
    parts = list(image.parts)
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[:-1][::-1].index("images")
        other = Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
        if other.is_file():
            return other
    return beside if beside.is_file() else None


def _line(line, classes, place):
    """`(class number, [cx, cy, w, h])`."""
    words = line.split()
    try:
        label, *numbers = int(words[0]), *map(float, words[1:])
    except ValueError:
        label, numbers = -1, []
    if len(numbers) not in (4, 5):  # A prediction's line has a score too.
        raise ValueError(f'A line must be "class cx cy w h", shares of the image. Received: {line!r} in {place}.')
    if not 0 <= label < len(classes):
        raise ValueError(
            f"The class must be 0 to {len(classes) - 1} ({', '.join(classes)}). Received: {label} in {place}."
        )
    if not np.isfinite(numbers[:4]).all() or max(map(abs, numbers[:4])) > 2:
        raise ValueError(f"Boxes must be shares of the image, not pixels. Received: {line!r} in {place}.")
    return label, numbers[:4]


def _images(place):
    """Paths of the images of a folder, or in a text file of paths."""
    place = Path(place)
    if place.is_file():
        lines = read_lines(place)
        return [place.parent / line.strip() for line in lines if line.strip()]
    return [path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]


def _yaml(file):
    """`(classes, {part: [folders or files]})` of a data.yaml."""
    need("yaml")
    import yaml

    try:
        content = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} must be YAML: {error}.") from error
    names = content.get("names") if isinstance(content, dict) else None
    if not isinstance(names, dict | list) or not names:
        raise ValueError(f"{file} must have `names`, the classes. Received: {names!r}.")
    classes = tuple(str(names[key]) for key in sorted(names)) if isinstance(names, dict) else tuple(map(str, names))
    root = file.parent / (content.get("path") or ".")
    root = root if root.is_dir() else file.parent  # `path` is often of the machine that wrote the file.
    places = {}
    for part in PARTS:
        entry = content.get(part)
        if entry:
            entries = entry if isinstance(entry, list) else [entry]
            # Some exports say "../train/images" from a folder that is no more.
            found = [p for e in entries for p in (root / e, root / str(e).removeprefix("../")) if p.exists()]
            if not found:
                raise FileNotFoundError(f"`{part}` of {file} must be a folder or a list. Received: {entry!r}.")
            places[part] = found[: len(entries)]
    return classes, places
