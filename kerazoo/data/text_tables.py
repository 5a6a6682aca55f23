"""Files of pairs of texts: CSV, TSV, JSON lines, and folders with one of them for each part of a data set."""

import csv
import json
from pathlib import Path

from kerazoo.data.walk import Walk, check_name, left_out_notes, walk

FILES = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".jsonl": None, ".json": None}
# A folder's files by the beginnings of their names.
PARTS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
LONGEST = 1_000_000  # Signs of one text; a longer one is a file that is not what it seems.


def pairs(path, first, second):
    """Yields (where, cell, cell) of a file's rows, unchecked but for the file's form.

    Args:
        path: `.csv`, `.tsv`, `.txt` (tabs) or `.jsonl`. The first row names the columns; where it does not name
            `first` and `second` and has two cells, it is a row too.
        first, second: names of the columns or keys.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, bytes that are no UTF-8, rows of another form; with the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Texts must be an existing file. Received: {str(path)!r}.")
    if path.suffix.lower() not in FILES:
        raise ValueError(f"Texts must be a file of {sorted(FILES)}. Received: {path.name!r}.")
    separator = FILES[path.suffix.lower()]
    lines = content(path)
    yield from (
        _objects(path, lines, first, second) if separator is None else _cells(path, lines, separator, first, second)
    )


def check_length(where, text):
    """Refuses a text that is too long to be one, or that UTF-8 cannot write.

    Raises:
        ValueError: more than a million signs, or half of a pair of surrogates, which JSON can escape.
    """
    check_name(text[:LONGEST], f"{where}: a text")
    if len(text) > LONGEST:
        raise ValueError(f"{where}: a text must have at most {LONGEST:,} signs. Received: {len(text):,}.")


def content(path):
    """A file's text.

    Raises:
        ValueError: its bytes are no UTF-8; the message has the first line where that is so.
    """
    data = Path(path).read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}, must be UTF-8. Received: byte 0x{data[error.start]:02x}.") from error


def parts_of(folder, endings=tuple(FILES)):
    """{part: file} of a folder with train.*, and validation.* (dev.*) and test.* where there are.

    Args:
        folder: where they lie.
        endings: of the files' names.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: two files for one part, or none to train on.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Texts must be an existing file or folder. Received: {str(folder)!r}.")
    files = {}
    for part, beginnings in PARTS.items():
        found = [
            file
            for file in walk(folder, endings, deep=False).files.values()
            if file.stem.lower().startswith(beginnings)
        ]
        if len(found) > 1 or (part == "train" and not found):
            names = [file.name for file in found]
            raise ValueError(
                f"{folder} must have one file {part} with an ending of {sorted(endings)}. Received: {names or 'none'}."
            )
        files |= {part: found[0]} if found else {}
    return files


def notes_on_others(path, used):
    """Sentences on what lies in a user's folder and is not read; () where `path` is a file.

    Args:
        path: the folder or file.
        used: paths of the files that are read.
    """
    if not Path(path).is_dir():
        return ()
    found, used = walk(path, deep=False), set(used)
    others = [(name, "no part of the data") for name in found.folders]
    others += [(name, "no part of the data") for name, file in found.files.items() if file not in used]
    return left_out_notes(Walk(left_out=others + found.left_out, hidden=found.hidden))


def _cells(path, lines, separator, first, second):
    # Tabs: no quotes, a line is a row. Commas: a quoted cell may have line breaks.
    if separator == "\t":
        rows = [(number, line.split("\t")) for number, line in enumerate(lines.split("\n"), start=1) if line.strip()]
    else:
        reader = csv.reader(lines.splitlines(keepends=True), strict=True)
        rows = []
        try:
            rows += [(reader.line_num, row) for row in reader if row]
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}.") from error
    if not rows:
        raise ValueError(f"{path} must have rows. Received: none.")
    head = [cell.strip() for cell in rows[0][1]]
    if first in head and second in head:
        places, rows = (head.index(first), head.index(second)), rows[1:]
    elif len(head) == 2:
        places = (0, 1)
    else:
        raise ValueError(f"{path}, line 1, must name the columns {first!r} and {second!r}. Received: {head}.")
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) != len(head):
            raise ValueError(f"{where} must have {len(head)} cells. Received: {len(row)}.")
        yield where, row[places[0]], row[places[1]]


def _objects(path, lines, first, second):
    for number, line in enumerate(lines.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where} must be a JSON object. Received: {line[:60]!r} ({error}).") from error
        if not isinstance(row, dict) or first not in row or second not in row:
            raise ValueError(f"{where} must be an object with {first!r} and {second!r}. Received: {line[:60]!r}.")
        yield where, row[first], row[second]
