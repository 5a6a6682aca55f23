"""Pascal VOC's XML: what one annotation file says, parsed without expanding entities."""

from xml.etree import ElementTree
from xml.parsers import expat

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class NoAnnotation(ValueError):
    """A file that is no XML, or another kind of XML."""


def parse_annotation(content, file):
    """`((height, width) or None, [(class, corners, difficult)])` of one file.

    Args:
        content: bytes of the XML.
        file: its name, for messages.

    Raises:
        NoAnnotation: no XML, or not an annotation.
        ValueError: a document type, an object without a class, or a box without four numbers; with the object.
    """
    root = _parse(content, file)
    if root.tag != "annotation":
        raise NoAnnotation(f"{file} must be a Pascal VOC annotation. Received: <{root.tag}>.")
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
        name = (entry.findtext("name") or "").strip()
        if not name:
            raise ValueError(f"`name`, an object's class, must be there. Received: none in {file}, object {number}.")
        difficult = (entry.findtext("difficult") or "0").strip() == "1"
        objects.append((name, corners, difficult))
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
        raise NoAnnotation(f"{file} must be XML: {error}.") from error
