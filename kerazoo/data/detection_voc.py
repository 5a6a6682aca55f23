"""Pascal VOC's XML files of boxes, read and written; its result files, written.

Pascal VOC counts pixels from 1 and names the first and the last pixel of a box: xmin 1 and xmax 640 are a whole row of
640 pixels, which here is (0, 640).
"""

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from kerazoo.data.detection import Record, file_names, flawed
from kerazoo.data.parts import PART_OF, parts_among
from kerazoo.data.voc_layout import read_layout
from kerazoo.data.voc_lists import read_lists
from kerazoo.data.voc_xml import CORNERS, parse_annotation
from kerazoo.data.walk import SHOWN, check_name, hidden_row, walk
from kerazoo.registry import unknown_choice

VOC_PART = {"validation": "val"}


def read_voc(contents, find_image, *, classes=None):
    """The images and boxes of Pascal VOC annotation files.

    Args:
        contents: {file name: bytes of the XML}.
        find_image: function from a file name without its suffix to the `(name, source)` of the annotated image, or to
            None where there is none; that is then the flaw of its record.
        classes: names in the order of their numbers; None takes those that occur, sorted.

    Returns:
        `(records, classes)`, a record for each file.

    Raises:
        ValueError: no such XML, a document type (entities are not expanded), a class's name that is not UTF-8 or is
            outside `classes`, by file and object.
    """
    parsed = {file: parse_annotation(content, file) for file, content in contents.items()}
    classes = _names(parsed.values()) if classes is None else tuple(classes)
    return [_record(file, found, find_image(_key(file)), classes) for file, found in parsed.items()], classes


def read_voc_folder(folder, *, classes=None):
    """Reads a folder in VOC's layout, or one whose XML files lie beside the images.

    An image below JPEGImages goes with the file below Annotations that has the same path but for the suffix. Parts are
    those of ImageSets/Main (train, val, trainval, test), or of folders called train, val and test, else all is "train".

    Returns:
        `({part: records}, classes)`: parts out of "train", "val", "test". What is left out has a record with its flaw:
        a file that is no annotation, one without its image, an image without annotation, what a list names in vain.

    Raises:
        ValueError: as `read_voc`; two images, annotations or folders where there must be one; lists without train.
    """
    folder = Path(folder)
    inside = walk(folder, deep=False).folders.values()
    parts = {part: root for part, root in parts_among(inside).items() if walk(root, (".xml",)).files}
    roots = parts if "train" in parts else {"train": folder}
    layouts = {part: read_layout(root, folder) for part, root in roots.items()}
    if classes is None:
        classes = _names(parsed for annotated, *_ in layouts.values() for _, parsed in annotated.values())
    found = {}
    for part, (annotated, images, left_out) in layouts.items():
        records = {key: _record(*row, images.get(key), classes) for key, row in annotated.items()}
        bare = [(name, "has no annotation") for key, (name, _) in images.items() if key not in annotated]
        found[part] = records, flawed(bare + left_out)
    records, left_out = found["train"]
    left_out += flawed(hidden_row(walk(folder).hidden))
    if roots is parts:
        beside = [path.name for path in inside if path not in parts.values()]
        left_out += flawed([(name, f"a folder beside {', '.join(parts)}") for name in beside])
        return {VOC_PART.get(part, part): [*kept.values(), *rest] for part, (kept, rest) in found.items()}, tuple(
            classes
        )
    lists = read_lists(folder / "ImageSets" / "Main") or _by_folder(records) or {"train": list(records)}
    split = split_voc(records, lists)
    split["train"] += flawed(_unlisted(records, lists)) + left_out
    return split, tuple(classes)


def split_voc(records, lists):
    """{part: records} by VOC's ImageSets; a listed name without a record has one with its flaw.

    Args:
        records: {image's name without suffix: record}.
        lists: {part: names}, as `kerazoo.data.voc_lists.read_lists` has them.
    """
    return {
        part: [records.get(name) or Record(name, None, flaw="is listed, and has no annotation") for name in names]
        for part, names in lists.items()
    }


def write_voc(annotations, classes, folder):
    """Writes `Annotations` as one XML file an image, <name without suffix>.xml; none must be there yet."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for position, (name, file_name) in enumerate(zip(annotations.names, file_names(annotations.names, ".xml"))):
        height, width = annotations.sizes[position]
        root = ElementTree.Element("annotation")
        ElementTree.SubElement(root, "filename").text = Path(name).name
        size = ElementTree.SubElement(root, "size")
        for key, value in (("width", width), ("height", height), ("depth", 3)):
            ElementTree.SubElement(size, key).text = str(value)
        rows = zip(annotations.boxes[position], annotations.classes[position], annotations.ignored[position])
        for box, label, ignored in rows:
            entry = ElementTree.SubElement(root, "object")
            ElementTree.SubElement(entry, "name").text = classes[int(label)]
            ElementTree.SubElement(entry, "difficult").text = str(int(ignored))
            corners = ElementTree.SubElement(entry, "bndbox")
            for key, value in zip(CORNERS, as_voc(box)):
                ElementTree.SubElement(corners, key).text = value
        ElementTree.indent(root)
        with open(folder / file_name, "xb") as file:
            file.write(ElementTree.tostring(root, encoding="utf-8"))


def as_voc(box):
    """(4,) xyxy -> the four numbers as VOC writes them, whole where they are."""
    return [f"{float(value):.2f}".rstrip("0").rstrip(".") for value in (box[0] + 1, box[1] + 1, box[2], box[3])]


def write_voc_results(predictions, names, classes, folder):
    """Writes predictions as VOC's devkit takes them: <class>.txt with lines "image score xmin ymin xmax ymax".

    Args:
        predictions: a dict for each image: "boxes" (n, 4) xyxy, "scores" (n,), "classes" (n,).
        names: of the images.
        classes: names.
        folder: where to; none of the files must be there yet.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = file_names(names, "")
    for number, class_name in enumerate(classes):
        with open(folder / f"{class_name}.txt", "x", encoding="utf-8") as file:
            for name, found in zip(names, predictions):
                for box, score, label in zip(found["boxes"], found["scores"], found["classes"]):
                    if label == number:
                        file.write(f"{name} {score:.6f} {' '.join(as_voc(box))}\n")


def _by_folder(records):
    """{part: keys} where annotations lie in folders called train, val and test; {} where they do not."""
    lists = {}
    for key in records:
        part = PART_OF.get(key.partition("/")[0].lower())
        if part and "/" in key:
            lists.setdefault(VOC_PART.get(part, part), []).append(key)
    return lists if "train" in lists else {}


def _unlisted(records, lists):
    """One row that counts and names the annotated images that no list has, or none."""
    listed = set().union(*lists.values())
    names = [record.name for key, record in records.items() if key not in listed]
    more = ", ..." * (len(names) > SHOWN)
    said = f"{len(names):,} annotated images are in no list: {', '.join(names[:SHOWN])}{more}"
    return [("the lists", said)] if names else []


def _key(name):
    return PurePosixPath(name).with_suffix("").as_posix()


def _names(parsed):
    """The names of classes that occur, sorted."""
    classes = tuple(sorted({name for _, objects in parsed for name, *_ in objects}))
    for name in classes:
        check_name(name)
    return classes


def _record(file, parsed, found, classes):
    """The `Record` of one annotation file; `found` is the image's name and source, or None."""
    stated, objects = parsed
    record = Record(*found, stated=stated) if found else Record(file, None, flaw="has no image of its name")
    for number, (name, corners, difficult) in enumerate(objects, 1):
        place = f"{file}, object {number}"
        if name not in classes:
            raise ValueError(f"{unknown_choice('class', name, classes)} In {place}.")
        left, top, right, bottom = corners
        # One pixel as first and last: a click that the format cannot tell from a pixel.
        record.boxes.append((left - 1, top - 1, right, bottom))
        record.classes.append(classes.index(name))
        record.ignored.append(difficult)
        record.places.append(place)
    return record
