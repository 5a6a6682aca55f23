"""Pascal VOC's ImageSets: files that name the images of each part, one in a line."""

from pathlib import PurePosixPath

from kerazoo.data.decode import SUFFIXES
from kerazoo.data.text_files import read_text

NAMES = ("train", "val", "trainval", "test")


def read_lists(folder):
    """The names that the lists in a folder have for each part; trainval.txt stands in for the one that there is not.

    Returns:
        {"train", "val", "test": [names]} of the parts that there are; empty without lists.

    Raises:
        ValueError: lists, and none for training.
    """
    files = {name: folder / f"{name}.txt" for name in NAMES}
    lists = {name: listed(read_text(file)) for name, file in files.items() if file.is_file()}
    parts = with_training(lists)
    if lists and "train" not in parts:
        raise ValueError(f"{folder} must have train.txt or trainval.txt. Received: {', '.join(lists)}.")
    return parts


def listed(text):
    """The images that a list names, without suffix: the first word of each line, once.

    Example:

    >>> listed("2007_000027  1\\n2007_000032.jpg -1\\n")
    ['2007_000027', '2007_000032']
    """
    names = [PurePosixPath(line.split()[0]) for line in text.splitlines() if line.strip()]
    plain = (name.with_suffix("") if name.suffix.lower() in SUFFIXES else name for name in names)
    return list(dict.fromkeys(name.as_posix() for name in plain))


def with_training(lists):
    """The lists of each part: what `trainval` has and the others lack is for training, or else for validation.

    Example:

    >>> with_training({"trainval": ["a", "b"], "test": ["c"]})
    {'train': ['a', 'b'], 'test': ['c']}
    >>> with_training({"train": ["a"], "trainval": ["a", "b"]})
    {'train': ['a'], 'val': ['b']}
    """
    parts = {part: lists[part] for part in ("train", "val", "test") if part in lists}
    lacking = [part for part in ("train", "val") if part not in parts]
    if "trainval" in lists and lacking:
        others = set().union(*parts.values())
        rest = [name for name in lists["trainval"] if name not in others]
        parts = {lacking[0]: rest} | parts if rest else parts
    return {part: parts[part] for part in ("train", "val", "test") if part in parts}
