"""COCO's JSON files of boxes: annotations and results, read and written."""

from pathlib import Path

import numpy as np

from kerazoo.data.boxes import convert
from kerazoo.data.detection import Record
from kerazoo.data.parts import SPELLINGS, part_in
from kerazoo.data.text_files import read_json
from kerazoo.data.walk import check_name
from kerazoo.json_files import dumps

# What every row of a list must have.
REQUIRED = (
    ("images", "id", (int, str)),
    ("images", "file_name", str),
    ("categories", "id", (int, str)),
    ("categories", "name", (str, int)),
)


def read_coco(file, *, images=None, classes=None):
    """The images and boxes of a COCO annotation file.

    Args:
        file: JSON with "images", "annotations" and "categories".
        images: the folder of the images; by default one near the file, that in which most of its images lie. An image
            that is not there becomes a record too, and is left out where images are read.
        classes: {category id: number} that must hold every category; None numbers them by their ids.

    Returns:
        `(records, categories)`: a `Record` for each image, and {category id: name} in the order of the numbers.

    Raises:
        FileNotFoundError: no such file, or none of its images is near it.
        ValueError: not such a file; an image without a file's name, a category without a name or with one that is not
            UTF-8; a box of an unknown image or category, by its annotation's id; two folders with as many images.

    Example:

    >>> records, categories = read_coco("instances_val2017.json")  # doctest: +SKIP
    """
    file = Path(file)
    content = read_json(file)
    if not is_coco(content):
        raise ValueError(f'{file} must have "images", "annotations" and "categories". It is another kind of JSON.')
    _check_rows(content, file)
    categories = {row["id"]: str(row["name"]) for row in sorted(content["categories"], key=lambda row: row["id"])}
    for name in categories.values():
        check_name(name)
    numbers = {key: number for number, key in enumerate(categories)} if classes is None else classes
    folder = _folder(file, content["images"]) if images is None else Path(images)
    records = {
        row["id"]: Record(
            str(row["file_name"]),
            str(folder / row["file_name"]),
            format="xywh",
            stated=_size(row, file),
            id=row["id"],
        )
        for row in content["images"]
    }
    for row in content["annotations"]:
        place = f"{file.name}, annotation {row.get('id')}"
        for key in ("image_id", "category_id"):
            if not isinstance(row.get(key), int | str):
                raise ValueError(f"`{key}` must be a number or text. Received: {row.get(key)!r:.80} in {place}.")
        if row["image_id"] not in records:
            raise ValueError(
                f"Every box must belong to an image of the file. Received: {row['image_id']!r} in {place}."
            )
        if row["category_id"] not in numbers:
            known = ", ".join(f"{key} ({categories.get(key, '?')})" for key in list(numbers)[:20])
            raise ValueError(f"`category_id` must be one of {known}. Received: {row['category_id']!r} in {place}.")
        record = records[row["image_id"]]
        record.boxes.append(_four(row.get("bbox"), place))
        record.classes.append(numbers[row["category_id"]])
        record.ignored.append(str(row.get("iscrowd")) in ("1", "1.0", "True"))
        record.places.append(place)
    return list(records.values()), categories


def is_coco(content):
    """Whether parsed JSON is an annotation file."""
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content)


def write_coco(annotations, classes, file, *, category_ids=None):
    """Writes `Annotations` as a COCO annotation file.

    Args:
        annotations: the images and boxes.
        classes: their names.
        file: JSON that is written; it must not be there yet.
        category_ids: what the file calls the classes; by default 1, 2, ...
    """
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with open(file, "x", encoding="utf-8") as out:
        out.write(dumps(as_coco(annotations, classes, category_ids=category_ids)))


def as_coco(annotations, classes, *, category_ids=None):
    """`Annotations` as the content of a COCO annotation file."""
    category_ids = category_ids or tuple(range(1, len(classes) + 1))
    rows = []
    for position, identity in enumerate(annotations.ids):
        corners = annotations.boxes[position]
        for box, four, label, ignored in zip(
            corners,
            convert(corners, "xyxy", "xywh"),
            annotations.classes[position],
            annotations.ignored[position],
        ):
            rows.append(
                {
                    "id": len(rows) + 1,
                    "image_id": identity,
                    "category_id": category_ids[int(label)],
                    "bbox": [round(float(value), 3) for value in four],
                    "area": float(np.prod(box[2:] - box[:2])),
                    "iscrowd": int(ignored),
                }
            )
    return {
        "images": [
            {"id": identity, "file_name": name, "height": int(height), "width": int(width)}
            for identity, name, (height, width) in zip(annotations.ids, annotations.names, annotations.sizes)
        ],
        "annotations": rows,
        "categories": [{"id": identity, "name": name} for identity, name in zip(category_ids, classes)],
    }


def as_coco_results(predictions, ids, *, category_ids):
    """Predictions as COCO's servers take them: one row a box.

    Args:
        predictions: a dict for each image: "boxes" (n, 4) xyxy, "scores" (n,), "classes" (n,).
        ids: what the annotation file calls the images.
        category_ids: what it calls the classes.
    """
    return [
        {
            "image_id": identity,
            "category_id": category_ids[int(label)],
            "bbox": [round(float(value), 3) for value in four],
            "score": round(float(score), 6),
        }
        for identity, found in zip(ids, predictions)
        for four, score, label in zip(convert(found["boxes"], "xyxy", "xywh"), found["scores"], found["classes"])
    ]


def _folder(file, images):
    """The folder in which most of the images lie: the file's, or one near it.

    Raises:
        FileNotFoundError: none of the images is in any of them.
        ValueError: two folders have as many.
    """
    if not images:
        return file.parent
    part = file.stem.rpartition("_")[2]  # instances_train2017.json goes with train2017.
    spellings = [part, *(spelling for spelling in SPELLINGS.get(part_in(file.stem), ()) if spelling != part)]
    inside = [".", "images", *spellings, *(f"images/{spelling}" for spelling in spellings)]
    best, most = [], 0
    for root in (file.parent, file.parent.parent):
        folders = {folder.resolve(): folder for folder in (root / name for name in inside) if folder.is_dir()}
        counts = {folder: sum((folder / row["file_name"]).is_file() for row in images) for folder in folders.values()}
        if max(counts.values()) > most:  # What is nearer wins where both have as many.
            most = max(counts.values())
            best = [folder for folder, count in counts.items() if count == most]
    if not best:
        raise FileNotFoundError(
            f"The images of {file} must lie beside it, in images/ or in {part}/. "
            f"None of its {len(images):,} is in any of these, {images[0]['file_name']!r} for one."
        )
    if len(best) > 1:
        received = " and ".join(repr(str(folder)) for folder in best)
        raise ValueError(
            f"The images of {file} must lie in one folder. Received: {most:,} of them in each of {received}."
        )
    return best[0]


def _check_rows(content, file):
    """Refuses lists without what every row must have, and two rows of one id."""
    for key in ("images", "annotations", "categories"):
        if not isinstance(content[key], list) or not all(isinstance(row, dict) for row in content[key]):
            raise ValueError(f'"{key}" in {file} must be a list of objects. Received: {str(content[key])[:80]}.')
        if len({type(row.get("id")) for row in content[key]}) > 1 and key == "categories":
            raise ValueError(f'The ids of "{key}" in {file} must be all numbers or all texts. Received: both.')
    for key, field, kinds in REQUIRED:
        owners = {}
        for row in content[key]:
            if not isinstance(row.get(field), kinds):
                raise ValueError(f'Each of "{key}" in {file} must have "{field}". Received: {str(row)[:80]}.')
            other = owners.setdefault(row[field], row)
            if field == "id" and other is not row:
                raise ValueError(
                    f'No two of "{key}" in {file} may have one id. Received: {str(other)[:80]} and {str(row)[:80]}.'
                )


def _size(row, file):
    """(height, width) that an image's row states, or None where it states none."""
    size = row.get("height"), row.get("width")
    if not all(size):
        return None
    try:
        return tuple(int(float(side)) for side in size)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f'"height" and "width" in {file} must be numbers. Received: {str(row)[:80]}.') from None


def _four(box, place):
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int | float) for value in box):
        raise ValueError(f"`bbox` must be four numbers: left, top, width, height. Received: {box!r} in {place}.")
    return box
