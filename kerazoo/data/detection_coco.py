"""COCO's JSON files of boxes: annotations and results, read and written."""

import json
from pathlib import Path

import numpy as np

from kerazoo.data.boxes import convert
from kerazoo.data.detection import Record
from kerazoo.data.text_files import read_json


def read_coco(file, *, images=None, classes=None):
    """The images and boxes of a COCO annotation file.

    Args:
        file: JSON with "images", "annotations" and "categories".
        images: the folder of the images; by default one near the file, where its first image lies.
        classes: {category id: number} that must hold every category; None numbers them by their ids.

    Returns:
        `(records, categories)`: a `Record` for each image, and {category id: name} in the order of the numbers.

    Raises:
        FileNotFoundError: no such file, or its images are nowhere near it.
        ValueError: not such a file; a box of an unknown image or category, by its annotation's id.

    Example:

    >>> records, categories = read_coco("instances_val2017.json")  # doctest: +SKIP
    """
    file = Path(file)
    content = read_json(file)
    if not is_coco(content):
        raise ValueError(f'{file} must have "images", "annotations" and "categories". It is another kind of JSON.')
    categories = {row["id"]: str(row["name"]) for row in sorted(content["categories"], key=lambda row: row["id"])}
    numbers = {key: number for number, key in enumerate(categories)} if classes is None else classes
    folder = _folder(file, content["images"]) if images is None else Path(images)
    records = {
        row["id"]: Record(
            str(row["file_name"]),
            str(folder / row["file_name"]),
            format="xywh",
            stated=(row["height"], row["width"]) if row.get("height") and row.get("width") else None,
            id=row["id"],
        )
        for row in content["images"]
    }
    for row in content["annotations"]:
        place = f"{file.name}, annotation {row.get('id')}"
        if row.get("image_id") not in records:
            raise ValueError(
                f"Every box must belong to an image of the file. Received: {row.get('image_id')} in {place}."
            )
        if row.get("category_id") not in numbers:
            known = ", ".join(f"{key} ({categories.get(key, '?')})" for key in list(numbers)[:20])
            raise ValueError(f"`category_id` must be one of {known}. Received: {row.get('category_id')} in {place}.")
        record = records[row["image_id"]]
        record.boxes.append(_four(row.get("bbox"), place))
        record.classes.append(numbers[row["category_id"]])
        record.ignored.append(bool(row.get("iscrowd")))
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
        json.dump(as_coco(annotations, classes, category_ids=category_ids), out)


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
    """The folder in which the first image lies: the file's, or one near it."""
    near = [file.parent, file.parent.parent]
    part = file.stem.rpartition("_")[2]  # instances_train2017.json goes with train2017.
    candidates = [root / name for root in near for name in (".", "images", part, f"images/{part}")]
    for folder in candidates:
        if images and (folder / images[0]["file_name"]).is_file():
            return folder
    if not images:
        return file.parent
    raise FileNotFoundError(
        f"The images of {file} must lie beside it, in images/ or in {part}/. "
        f"{images[0]['file_name']!r} is in none of these."
    )


def _four(box, place):
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int | float) for value in box):
        raise ValueError(f"`bbox` must be four numbers: left, top, width, height. Received: {box!r} in {place}.")
    return box
