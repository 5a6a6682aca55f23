"""Pascal VOC's XML files of boxes, read and written; its result files, written.

Pascal VOC counts pixels from 1 and names the first and the last pixel of a box: xmin 1 and xmax 640 are a whole row of
640 pixels, which here is (0, 640).
"""

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from kerazoo.data.decode import SUFFIXES
from kerazoo.data.detection import Record
from kerazoo.data.text_files import read_text
from kerazoo.registry import unknown_choice

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(contents, find_image, *, classes=None):
    """The images and boxes of Pascal VOC annotation files.

    Args:
        contents: {file name: bytes of the XML}.
        find_image: function from the name of the annotated image, without folder and suffix, to `(name, source)`, or
            to None where there is none.
        classes: names in the order of their numbers; None takes those that occur, sorted.

    Returns:
        `(records, classes)`.

    Raises:
        ValueError: no such XML, a document type (entities are not expanded), an image that is not there, or a name
            outside `classes`, by file and object.
    """
    parsed = {file: _objects(content, file) for file, content in contents.items()}
    if classes is None:
        classes = tuple(sorted({name for _, objects in parsed.values() for name, *_ in objects}))
    records = []
    for file, (stated, objects) in parsed.items():
        found = find_image(Path(file).stem)
        if found is None:
            raise ValueError(f"The image of {file} must lie with the others. There is none of its name.")
        record = Record(*found, stated=stated)
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
        records.append(record)
    return records, tuple(classes)


def read_voc_folder(folder, *, classes=None):
    """Reads a folder in VOC's layout, or one whose XML files lie beside the images.

    Returns:
        `({part: records}, classes)`: the parts of ImageSets/Main (train, val, test), else all as "train".

    Raises:
        ValueError: as `read_voc`; a set that names an image without annotation.
    """
    folder = Path(folder)
    annotations = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    files = sorted(annotations.rglob("*.xml"))
    contents = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    images = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            images[path.stem] = (path.relative_to(folder).as_posix(), str(path))
    records, classes = read_voc(contents, images.get, classes=classes)
    by_stem = {Path(file).stem: record for file, record in zip(contents, records)}
    sets = {part: folder / "ImageSets" / "Main" / f"{part}.txt" for part in ("train", "val", "test")}
    if not sets["train"].is_file():
        return {"train": records}, classes
    lists = {part: read_text(path) for part, path in sets.items() if path.is_file()}
    return split_voc(by_stem, lists), classes


def split_voc(records, lists):
    """{part: records} by the lines of VOC's ImageSets.

    Args:
        records: {image's name without suffix: record}.
        lists: {part: the text of its file}.

    Raises:
        ValueError: a line without a record.
    """
    parts = {}
    for part, text in lists.items():
        names = [line.split()[0] for line in text.splitlines() if line.strip()]
        missing = [name for name in names if name not in records]
        if missing:
            raise ValueError(f"ImageSets/Main/{part}.txt must name annotated images. Received: {missing[:5]}.")
        parts[part] = [records[name] for name in names]
    return parts


def write_voc(annotations, classes, folder):
    """Writes `Annotations` as one XML file an image, <name without suffix>.xml; none must be there yet."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for position, name in enumerate(annotations.names):
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
        with open(folder / f"{Path(name).stem}.xml", "xb") as file:
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
    for number, class_name in enumerate(classes):
        with open(folder / f"{class_name}.txt", "x", encoding="utf-8") as file:
            for name, found in zip(names, predictions):
                for box, score, label in zip(found["boxes"], found["scores"], found["classes"]):
                    if label == number:
                        file.write(f"{Path(name).stem} {score:.6f} {' '.join(as_voc(box))}\n")


def _objects(content, file):
    """`((height, width) or None, [(class, corners, difficult)])` of one file."""
    root = _parse(content, file)
    if root.tag != "annotation":
        raise ValueError(f"{file} must be a Pascal VOC annotation. Received: <{root.tag}>.")
    try:
        stated = tuple(int(float(root.findtext(f"size/{side}"))) for side in ("height", "width"))
    except (TypeError, ValueError):
        stated = None
    objects = []
    for number, entry in enumerate(root.iter("object"), 1):
        texts = [entry.findtext(f"bndbox/{corner}") for corner in CORNERS]
        try:
            corners = [float(text) for text in texts]
        except (TypeError, ValueError):
            raise ValueError(f"`bndbox` must have {CORNERS}. Received: {texts} in {file}, object {number}.") from None
        difficult = (entry.findtext("difficult") or "0").strip() == "1"
        objects.append(((entry.findtext("name") or "").strip(), corners, difficult))
    return stated if stated and all(stated) else None, objects


def _parse(content, file):
    """The XML's root. A document type is refused: it can define entities that unpack without a bound."""

    def refuse(*_):
        raise ValueError(f"{file} must have no document type: entities are not expanded.")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(content, True)
        return ElementTree.fromstring(content)
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise ValueError(f"{file} must be XML: {error}.") from error
