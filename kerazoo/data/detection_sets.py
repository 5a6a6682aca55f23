"""Data sets of images with boxes: a user's own files, whichever format, and named sets."""

import hashlib
import json
from pathlib import Path, PurePosixPath

from kerazoo.data.archives import read_zip
from kerazoo.data.detection import DetectionData, Flaws, checked, draw_missing, flawed
from kerazoo.data.detection_coco import is_coco, read_coco
from kerazoo.data.detection_voc import read_voc, read_voc_folder, split_voc
from kerazoo.data.detection_yolo import NAMES, read_yolo_folder
from kerazoo.data.download import download
from kerazoo.data.locate import data_folder
from kerazoo.data.parts import PART_OF, SPELLINGS, check_not_empty, part_in
from kerazoo.data.text_files import read_text
from kerazoo.data.voc_lists import listed
from kerazoo.data.walk import check_name, hidden_row, reasons, walk
from kerazoo.paths import expand
from kerazoo.registry import unknown_choice

FORMATS = ("coco", "voc", "yolo")
BCCD_COMMIT = "d272fb14cdff6e473fafeeeba32aba5f560e9e43"
BCCD = f"https://codeload.github.com/Shenggan/BCCD_Dataset/zip/{BCCD_COMMIT}"
# sha256 of the names and checksums of all annotations, images and lists: GitHub packs its archives anew.
BCCD_CONTENTS = "85a54fb3de491492fd607c9842300bad47184987d276139e422ad1a613fb5953"
BCCD_LARGEST = 64 * 2**20


def from_path(path, *, format=None, seed=0):
    """Reads a user's own images and boxes.

    COCO: a JSON file, or a folder with several whose names or folders say train, val or test. Pascal VOC: a folder
    with Annotations, JPEGImages and ImageSets/Main, or with XML files beside the images. YOLO: a data.yaml, or a folder
    with classes.txt, images and labels. Parts that are not there are drawn from the training images.

    Args:
        path: the file or folder.
        format: of `FORMATS`; None finds out.
        seed: of the parts that are drawn.

    Returns:
        A `DetectionData`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: none of the formats, or what its reader refuses: unknown classes, boxes that are none, two files for
            one thing; a part of the data's own without a readable image.

    Example:

    >>> from_path("photos", format="yolo").classes  # doctest: +SKIP
    ('cat', 'dog')
    """
    path = expand(path)
    if not path.exists():
        raise FileNotFoundError(f"The data must be a file or a folder. Received: {str(path)!r}.")
    if format is not None and format not in FORMATS:
        raise ValueError(unknown_choice("format of boxes", format, FORMATS))
    format = format or detect(path)
    category_ids = ()
    if format == "coco":
        records, classes, category_ids = _coco(path)
    else:
        records, classes = (read_voc_folder if format == "voc" else read_yolo_folder)(path)
    for name in classes:
        check_name(name)
    left_out = [(record.name, record.flaw) for part in records.values() for record in part if record.flaw]
    if not any(record.boxes for part in records.values() for record in part):
        raise ValueError(
            f"The data must have a box at least. There is none in {str(path)!r}, read as {format}.{reasons(left_out)}"
        )
    if "train" not in records:
        raise ValueError(f"The data must have a part for training. Received: {sorted(records)} in {str(path)!r}.")
    flaws = Flaws()
    parts = {PART_OF[part]: checked(found, flaws) for part, found in records.items()}
    check_not_empty(parts, flaws.unreadable)
    said = [f"the data's own {', '.join(parts)}"] if len(parts) > 1 else []
    parts, drawn = draw_missing(parts, seed=seed)
    return DetectionData(
        path.resolve().stem,
        classes,
        **parts,
        split="; ".join(said + drawn),
        source=f"{path.resolve().name!r}, read as {format}",
        terms="the user's own",
        flaws=flaws,
        category_ids=category_ids or tuple(range(1, len(classes) + 1)),
    )


def detect(path):
    """The format of a file or folder: a name of `FORMATS`.

    Raises:
        ValueError: none of them.
    """
    path = Path(path)
    if path.is_file():
        found = {".json": "coco", ".yaml": "yolo", ".yml": "yolo"}.get(path.suffix.lower())
    elif _coco_files(path)[0]:
        found = "coco"
    elif walk(path, (".xml",)).files:
        found = "voc"
    elif any((path / name).is_file() for name in NAMES) or walk(path, (".yaml", ".yml"), deep=False).files:
        found = "yolo"
    else:
        found = None
    if found is None:
        raise ValueError(
            "Boxes must be in a COCO JSON file, Pascal VOC's XML files, or YOLO's text files with data.yaml or "
            f"classes.txt. Received: {str(path)!r}, which has none."
        )
    return found


def load(name):
    """Loads a named data set.

    Args:
        name: a key of `LOADERS`.

    Returns:
        A `DetectionData`.

    Raises:
        ValueError: an unknown name, or files that are not what they should be.
        ConnectionError: the files are nowhere on this machine and cannot be fetched.

    Example:

    >>> load("bccd").classes  # doctest: +SKIP
    ('RBC', 'WBC', 'Platelets')
    """
    if name not in LOADERS:
        raise ValueError(unknown_choice("data set with boxes", name, LOADERS))
    return LOADERS[name]()


def bccd():
    """364 microscope images of blood, 640x480, with red cells, white cells and platelets boxed."""
    path = data_folder() / "bccd.zip"
    if not path.is_file():
        path = download(BCCD, data_folder() / "BCCD_Dataset.zip", sha256=None, size=BCCD_LARGEST)
    contents = {}
    for name, content in read_zip(path, lambda name: "BCCD/" in name).items():
        contents[name.partition("BCCD/")[2]] = content
    found = contents_digest(contents)
    if found != BCCD_CONTENTS:
        raise ValueError(
            f"{path} must hold the files of BCCD at {BCCD_COMMIT}. Received: contents of sha256 "
            f"{found}. Without that file it is downloaded."
        )
    images = {
        f"Annotations/{PurePosixPath(name).stem}": (PurePosixPath(name).name, content)
        for name, content in contents.items()
        if name.startswith("JPEGImages/")
    }
    annotations = {name: content for name, content in contents.items() if name.startswith("Annotations/")}
    records, classes = read_voc(annotations, images.get, classes=("RBC", "WBC", "Platelets"))
    by_name = {PurePosixPath(name).stem: record for name, record in zip(annotations, records)}
    lists = {part: listed(contents[f"ImageSets/Main/{part}.txt"].decode()) for part in ("train", "val", "test")}
    flaws = Flaws()
    parts = {PART_OF[part]: checked(found, flaws) for part, found in split_voc(by_name, lists).items()}
    return DetectionData(
        "bccd",
        classes,
        **parts,
        split="upstream's ImageSets/Main: train, val and test",
        source=f"BCCD, https://github.com/Shenggan/BCCD_Dataset at {BCCD_COMMIT[:8]}",
        terms="MIT",
        flaws=flaws,
        category_ids=(1, 2, 3),
    )


LOADERS = {"bccd": bccd}


def contents_digest(contents):
    """sha256 of {name: bytes}, whatever order or archive they came in."""
    lines = sorted(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in contents.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _coco(path):
    """`({part: records}, classes, category ids)` of a file, or of all the files of a folder."""
    files, left_out = ([path], []) if path.is_file() else _coco_files(path)
    if not files:
        raise ValueError(f"There must be COCO annotations, a JSON file. There are none in {str(path)!r}.")
    by_part = {"train": files[0]} if len(files) == 1 else {}  # Whatever it is called: there is no other.
    for file in files if len(files) > 1 else ():
        part = part_in(file.stem) or (part_in(file.parent.name) if file.parent != path else None)
        if part is None or part in by_part:
            raise ValueError(
                f"Each of several COCO files must say by its name or folder which of {sorted(PART_OF)} it is, and "
                f"no two the same. Received: {[str(f.relative_to(path)) for f in files]}."
            )
        by_part[part] = file
    if "train" not in by_part:
        raise ValueError(f"A COCO file must be for training. Received: {[str(file) for file in files]}.")
    train, categories = read_coco(by_part["train"])
    numbers = {key: number for number, key in enumerate(categories)}
    others = [part for part in SPELLINGS if part in by_part and part != "train"]
    records = {}
    for part in others:
        records[part], named = read_coco(by_part[part], classes=numbers)
        for key in named:
            if key in categories and named[key] != categories[key]:
                raise ValueError(
                    f"A category must have one name in all files: {key} is {categories[key]!r} in {by_part['train']}. "
                    f"Received: {named[key]!r} in {by_part[part]}."
                )
    return {"train": train + flawed(left_out)} | records, tuple(categories.values()), tuple(categories)


def _may_have_boxes(rows):
    """False of annotations without boxes; what is no list of annotations is the reader's to refuse."""
    return not rows or not isinstance(rows, list) or any(not isinstance(row, dict) or "bbox" in row for row in rows)


def _coco_files(folder):
    """`(files, [(name, reason)])`: the JSON files of a folder, and of its folders, that are COCO annotations of boxes.

    A file without annotations is one too: all its images are negative.
    """
    top = walk(folder, (".json",), deep=False)
    found = top.files | {
        f"{name}/{file}": path
        for name, inner in top.folders.items()
        for file, path in walk(inner, (".json",), deep=False).files.items()
    }
    files, left_out = [], hidden_row(top.hidden)
    for name, path in found.items():
        try:
            content = json.loads(read_text(path))
        except (json.JSONDecodeError, RecursionError, OSError):
            continue  # Another kind of file; there may be any beside the annotations.
        if is_coco(content) and _may_have_boxes(content["annotations"]):
            files.append(path)
        elif isinstance(content, dict) and {"images", "categories"} <= set(content):
            left_out.append((name, "COCO's images without boxes"))
    return files, left_out
