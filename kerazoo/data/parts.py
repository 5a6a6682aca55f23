"""What the parts of a data set are called in users' folders and files."""

from kerazoo.data.walk import reasons, walk

SPELLINGS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
PART_OF = {spelling: part for part, spellings in SPELLINGS.items() for spelling in spellings}


def part_in(text):
    """The part that one of a text's words names, or None.

    Example:

    >>> part_in("instances_val2017")
    'validation'
    """
    words = "".join(sign if sign.isalpha() else " " for sign in text.lower()).split()
    return next((PART_OF[word] for word in words if word in PART_OF), None)


def parts_among(paths):
    """{part: path} of the folders, or files without their suffix, that are called after a part, in whatever case.

    Raises:
        ValueError: two of one part; both are in the message.

    Example:

    >>> from pathlib import Path
    >>> found = parts_among([Path("photos/Train"), Path("photos/val"), Path("photos/cat")])
    >>> {part: path.name for part, path in found.items()}
    {'train': 'Train', 'validation': 'val'}
    """
    found = {}
    for path in paths:
        part = PART_OF.get(path.stem.lower() if path.is_file() else path.name.lower())
        if part in found:
            raise ValueError(f"There must be one {part} part. Received: {str(found[part])!r} and {str(path)!r}.")
        if part:
            found[part] = path
    return {part: found[part] for part in SPELLINGS if part in found}


def class_parts(folders, suffixes):
    """{part: path} of the folders of parts with folders of classes in them; {} where there is none for training.

    A folder called train that holds files of `suffixes` itself is a class of that name.

    Raises:
        ValueError: two folders of one part, or folders of the same classes that are no part by their names.
    """
    for path in folders:
        if PART_OF.get(path.name.lower()) == "train":
            found = walk(path, suffixes, deep=False)
            if found.folders and not found.files:
                return parts_among(folders)
    inside = {path: walk(path, suffixes, deep=False) for path in folders if part_in(path.name)}
    shared = set.intersection(*(set(found.folders) for found in inside.values())) if inside else ()
    if len(inside) > 1 and len(shared) > 1 and not any(found.files for found in inside.values()):
        raise ValueError(
            f"Folders of parts must be called {', '.join(SPELLINGS)}, one of them train, with the folders of the "
            f"classes in each. Received: {sorted(path.name for path in inside)}, each with {sorted(shared)[:5]}."
        )
    return {}


def check_not_empty(parts, left_out=()):
    """Refuses a part of a data set's own with nothing in it: another drawn in its place would be other data.

    Args:
        parts: {part: what has a length}.
        left_out: [(name, reason)] of what was left out, of which the message has the first.

    Raises:
        ValueError: an empty part.
    """
    for part, content in parts.items():
        if not len(content):
            hint = "" if part == "train" else "; where there is no such part, it is drawn from the training part"
            raise ValueError(
                f"The {part} part of the data must have something in it that can be read{hint}. "
                f"Received: nothing.{reasons(left_out)}"
            )
