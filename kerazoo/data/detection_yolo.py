"""YOLO's text files of boxes: one line a box, "class cx cy w h" as shares of the image; read and written."""

from pathlib import Path

import numpy as np

from kerazoo.data.boxes import convert
from kerazoo.data.decode import SUFFIXES
from kerazoo.data.detection import Record, file_names, flawed
from kerazoo.data.parts import SPELLINGS
from kerazoo.data.text_files import read_lines, read_names, read_text
from kerazoo.data.walk import SHOWN, hidden_row, reasons, walk
from kerazoo.data.yolo_layout import NAMES, label_file, part_places, read_place
from kerazoo.errors import one_line
from kerazoo.extras import need

YOLO_PART = {"validation": "val"}


def read_yolo(images, classes, *, root=None):
    """The boxes of images whose text files lie beside them, or in `labels` where they lie in `images`.

    Args:
        images: paths of the images. One without a text file, which its record says, or with an empty one, has no
            objects.
        classes: names.
        root: the folder that names are relative to; an image outside it goes by its own name.

    Returns:
        `Record`s.

    Raises:
        ValueError: a line that is no box, or of an unknown class, by file and line; two text files for an image, or two
            images for a text file.
    """
    records, owners = [], {}
    for image in map(Path, images):
        name = image.relative_to(root).as_posix() if root and image.is_relative_to(root) else image.name
        labels = label_file(image)
        record = Record(name, str(image), format="rel_cxcywh", unlabelled=labels is None)
        if labels:
            if owners.setdefault(labels, image) != image:
                raise ValueError(
                    f"{labels} must be of one image. Received: {str(owners[labels])!r} and {str(image)!r}."
                )
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
        `({part: records}, classes)`; parts out of "train", "val", "test". A label file without an image, and what else
        is left out, has a record with its flaw.

    Raises:
        FileNotFoundError: nothing that names the classes, or no images.
        ValueError: as `read_yolo`; two files or folders where there must be one.
        ImportError: data.yaml without PyYAML.
    """
    path = Path(path)
    root = path.parent if path.is_file() else path
    yaml_file = path if path.is_file() else _yaml_file(root)
    classes, places = _yaml(yaml_file) if yaml_file else (_listed_classes(root), {})
    found = {part: places.get(part) or part_places(root, part) for part in SPELLINGS}
    places = {YOLO_PART.get(part, part): paths for part, paths in found.items() if paths}
    places = places or {"train": [root / "images" if (root / "images").is_dir() else root]}
    parts = {}
    for part, wanted in places.items():
        found = [read_place(place, root) for place in wanted]
        images = [image for files, _ in found for image in files]
        left_out = [row for _, rows in found for row in rows]
        if not images:
            raise FileNotFoundError(
                f"There must be images ({', '.join(SUFFIXES)}) for {part} in {' or '.join(map(str, wanted))}. "
                f"There are none.{reasons(left_out)}"
            )
        parts[part] = read_yolo(images, classes, root=root) + flawed(left_out)
    next(iter(parts.values())).extend(flawed(_unused(parts, root)))
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
    for position, file_name in enumerate(file_names(annotations.names, ".txt")):
        boxes = convert(annotations.boxes[position], "xyxy", "rel_cxcywh", size=annotations.sizes[position])
        rows = [[str(int(c)), *(f"{x:.6f}" for x in box)] for c, box in zip(annotations.classes[position], boxes)]
        if scores is not None:
            rows = [[*row, f"{score:.6f}"] for row, score in zip(rows, scores[position])]
        with open(folder / file_name, "x", encoding="utf-8") as file:
            file.writelines(" ".join(row) + "\n" for row in rows)


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


def _unused(parts, root):
    """[(name, reason)]: a row for the images below the folder that are in no part, and one for hidden files."""
    found, used = walk(root, SUFFIXES), {record.source for records in parts.values() for record in records}
    others = [name for name, image in found.files.items() if str(image) not in used]
    more = ", ..." * (len(others) > SHOWN)
    row = ("images", f"{len(others):,} are in no part: {', '.join(others[:SHOWN])}{more}")
    return [row] * bool(others) + hidden_row(found.hidden)


def _listed_classes(root):
    """The names of a file of `NAMES`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: there are two that differ.
    """
    listed = {root / name: read_names(root / name) for name in NAMES if (root / name).is_file()}
    if not listed:
        raise FileNotFoundError(f"The classes' names must stand in data.yaml or {NAMES[0]}. Neither is in {root}.")
    if len(set(listed.values())) > 1:
        raise ValueError(f"One file must have the classes' names. Received: {' and '.join(map(str, listed))}.")
    return next(iter(listed.values()))


def _yaml_file(root):
    """data.yaml, or else the only YAML file, or None.

    Raises:
        ValueError: several, and none is called data.
    """
    files = walk(root, (".yaml", ".yml"), deep=False).files
    files = {name: file for name, file in files.items() if name.lower() in ("data.yaml", "data.yml")} or files
    if len(files) > 1:
        raise ValueError(f"{root} must have one data.yaml. Received: {sorted(files)}.")
    return next(iter(files.values()), None)


def _yaml(file):
    """`(classes, {"train", "validation", "test": [folders or files]})` of a data.yaml."""
    need("yaml")
    import yaml

    try:
        content = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} must be YAML: {one_line(error)}.") from error
    names = content.get("names") if isinstance(content, dict) else None
    if not isinstance(names, dict | list) or not names:
        raise ValueError(f"{file} must have `names`, the classes. Received: {names!r}.")
    names = {str(key): name for key, name in (names.items() if isinstance(names, dict) else enumerate(names))}
    count = content.get("nc", len(names))
    if set(names) != set(map(str, range(len(names)))) or count != len(names):
        raise ValueError(
            f"{file} must name every class from 0 on, as many as `nc` says. Received: {names!r:.200} and nc {count!r}."
        )
    classes = tuple(str(names[str(number)]) for number in range(len(names)))
    if len(set(classes)) < len(classes):
        raise ValueError(f"{file} must have classes of different names. Received: {list(classes)!r:.200}.")
    root = file.parent / (content.get("path") or ".")
    root = root if root.is_dir() else file.parent  # `path` is often of the machine that wrote the file.
    places = {}
    for part in SPELLINGS:
        entry = content.get(YOLO_PART.get(part, part))
        if entry:
            places[part] = [_place(root, name, file) for name in (entry if isinstance(entry, list) else [entry])]
    return classes, places


def _place(root, entry, file):
    # Some exports say "../train/images" from a folder that is no more.
    for path in (root / str(entry), root / str(entry).removeprefix("../")):
        if path.exists():
            return path
    raise FileNotFoundError(f"{file} must name folders or lists that are there. Received: {entry!r}.")
