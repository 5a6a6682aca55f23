"""Where a folder in Pascal VOC's layout has its annotations and images, and which belong together."""

from pathlib import PurePosixPath

from kerazoo.data.decode import SUFFIXES
from kerazoo.data.voc_xml import NoAnnotation, parse_annotation
from kerazoo.data.walk import Walk, walk, without_suffix

ANNOTATIONS, IMAGES = ("annotations", "annotation", "xmls", "xml"), ("jpegimages", "images", "image", "imgs")
OTHERS = ("imagesets", "segmentationclass", "segmentationobject")  # Lists, and pictures that are no photographs.


def read_layout(root, folder):
    """The annotations and images of one folder.

    Images are those of JPEGImages or images where annotations have a folder of their own, else those beside them.

    Args:
        root: where they lie.
        folder: what names are relative to.

    Returns:
        `({key: (file, what it says)}, {key: (image's name, path)}, [(name, reason)])`; a key is a path without its
        suffix, the last is what is left out.

    Raises:
        ValueError: two images, annotations or folders where there must be one; what an annotation must not have.
    """
    named = {path.name.lower(): path for path in walk(root, deep=False).folders.values()}
    annotations = _filled([named[name] for name in ANNOTATIONS if name in named], (".xml",))
    pictures = annotations and _filled([named[name] for name in IMAGES if name in named], SUFFIXES)
    xml, found = walk(annotations or root, (".xml",)), walk(pictures or root, SUFFIXES)
    left_out = _rows(xml, annotations, folder) if annotations else []
    left_out += _rows(found if pictures else _pictures(found), pictures or root, folder)
    files = found.files if pictures else _pictures(found).files
    annotated = {}
    for key, path in without_suffix(xml.files).items():
        name = path.relative_to(folder).as_posix()
        try:
            annotated[key] = name, parse_annotation(path.read_bytes(), name)
        except (NoAnnotation, OSError) as error:
            left_out.append((name, str(error)))
    images = {key: (path.relative_to(folder).as_posix(), str(path)) for key, path in without_suffix(files).items()}
    return annotated, images, left_out


def _filled(folders, suffixes):
    """The one of the folders that has files of these suffixes, or None.

    Raises:
        ValueError: there are two.
    """
    filled = [folder for folder in folders if walk(folder, suffixes).files]
    if len(filled) > 1:
        received = " and ".join(repr(str(folder)) for folder in filled)
        raise ValueError(f"One folder must have all files of {', '.join(suffixes)}. Received: {received}.")
    return filled[0] if filled else None


def _pictures(found):
    """A `Walk` of everything in a data set's folder without what is in the layout's other folders."""
    files = {name: path for name, path in found.files.items() if _may_be_image(name)}
    return Walk(files, left_out=[(name, reason) for name, reason in found.left_out if _may_be_image(name)])


def _may_be_image(name):
    path = PurePosixPath(name)
    return path.suffix.lower() != ".xml" and path.parts[0].lower() not in (*ANNOTATIONS, *OTHERS)


def _rows(found, root, folder):
    """[(name below `folder`, reason)] of what a `Walk` of `root` left out."""
    return (found if root == folder else found.below(root.relative_to(folder).as_posix())).left_out
