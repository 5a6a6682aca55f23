"""Texts with a class each from a user's files: CSV, TSV, JSON lines, one file or one for each split."""

import csv
import json
from pathlib import Path

import numpy as np

from kerazoo.data.labelled_texts import LabelledTexts, TextData
from kerazoo.data.splits import draw_missing

FILES = {".csv": ",", ".tsv": "\t", ".txt": "\t", ".jsonl": None, ".json": None}
# A folder's files by the beginnings of their names.
PARTS = {"train": ("train",), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
LONGEST = 1_000_000  # Signs of one text; a longer one is a file that is not what it seems.


def read_rows(path, *, text="text", label="label"):
    """[(where, text, class)] of a file's rows.

    Args:
        path: `.csv`, `.tsv`, `.txt` (tabs) or `.jsonl`. The first row names the columns; where it does not name
            `text` and `label` and has two cells, it is a row too: a text and its class.
        text: name of the column or key of texts.
        label: name of the column or key of classes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, bytes that are no UTF-8, a row without text or class; with the line.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "reviews.tsv")
    >>> _ = file.write_text("a fine film\\tgood\\nno\\tbad\\n")
    >>> [row[1:] for row in read_rows(file)]
    [('a fine film', 'good'), ('no', 'bad')]
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Labelled texts must be an existing file. Received: {str(path)!r}.")
    if path.suffix.lower() not in FILES:
        raise ValueError(f"Labelled texts must be a file of {sorted(FILES)}. Received: {path.name!r}.")
    separator = FILES[path.suffix.lower()]
    lines = content(path)
    found = _objects(path, lines, text, label) if separator is None else _cells(path, lines, separator, text, label)
    rows = []
    for where, words, name in found:
        if not isinstance(words, str) or not isinstance(name, (str, int)) or not str(name).strip():
            raise ValueError(f"{where} must have a text and a class. Received: {words!r:.60} and {name!r:.40}.")
        if len(words) > LONGEST:
            raise ValueError(f"{where}: a text must have at most {LONGEST:,} signs. Received: {len(words):,}.")
        rows.append((where, words, str(name).strip()))
    return rows


def from_files(path, *, text="text", label="label", seed=0):
    """A user's own data: a file, or a folder with a file train.* and, if there are, validation.* (dev.*) and test.*.

    Empty texts are left out, which the notes say. What parts there are not is drawn from the training texts.

    Args:
        path: the file or folder.
        text: as for `read_rows`.
        label: as for `read_rows`.
        seed: of the draws.

    Returns:
        A `TextData`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: what `read_rows` refuses, fewer than two classes, a class that training does not have.
    """
    path = Path(path)
    files = {"train": path} if path.is_file() else _files_of(path)
    parts, notes, classes = {}, [], None
    for part, file in files.items():
        rows = read_rows(file, text=text, label=label)
        kept = [row for row in rows if row[1].strip()]
        if len(kept) < len(rows):
            notes.append(f"{file.name}: {len(rows) - len(kept):,} empty texts are left out.")
        if classes is None:
            classes = tuple(sorted({name for *_, name in kept}))
            if len(classes) < 2:
                raise ValueError(f"{file} must have texts of two classes. Received: {list(classes)}.")
        for where, _, name in kept:
            if name not in classes:
                raise ValueError(f"{where}: the class must be one of {list(classes)}. Received: {name!r}.")
        labels = np.array([classes.index(name) for *_, name in kept], "int32")
        parts[part] = LabelledTexts(tuple(words for _, words, _ in kept), labels)
    parts, drawn = draw_missing(parts, seed=seed)
    own = "the files' own parts" if len(files) > 1 else "one file"
    return TextData(path.stem, classes, **parts, split="; ".join([own, *drawn]), source=str(path), notes=tuple(notes))


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


def _files_of(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"Labelled texts must be an existing file or folder. Received: {str(folder)!r}.")
    files = {}
    for part, beginnings in PARTS.items():
        found = [
            file
            for file in sorted(folder.iterdir())
            if file.suffix.lower() in FILES and file.stem.lower().startswith(beginnings)
        ]
        if len(found) > 1 or (part == "train" and not found):
            names = [file.name for file in found]
            raise ValueError(f"{folder} must have one file {part}.csv, .tsv or .jsonl. Received: {names or 'none'}.")
        files |= {part: found[0]} if found else {}
    return files


def _cells(path, lines, separator, text, label):
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
    if text in head and label in head:
        places, rows = (head.index(text), head.index(label)), rows[1:]
    elif len(head) == 2:
        places = (0, 1)
    else:
        raise ValueError(f"{path}, line 1, must name the columns {text!r} and {label!r}. Received: {head}.")
    for number, row in rows:
        where = f"{path}, line {number}"
        if len(row) != len(head):
            raise ValueError(f"{where} must have {len(head)} cells. Received: {len(row)}.")
        yield where, row[places[0]], row[places[1]]


def _objects(path, lines, text, label):
    for number, line in enumerate(lines.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where} must be a JSON object. Received: {line[:60]!r} ({error}).") from error
        if not isinstance(row, dict) or text not in row or label not in row:
            raise ValueError(f"{where} must be an object with {text!r} and {label!r}. Received: {line[:60]!r}.")
        yield where, row[text], row[label]
