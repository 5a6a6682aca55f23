"""Texts with a class each from a user's files: CSV, TSV, JSON lines, one file or one for each split."""

from pathlib import Path

import numpy as np

from kerazoo.data.labelled_texts import LabelledTexts, TextData
from kerazoo.data.splits import draw_missing
from kerazoo.data.text_tables import check_length, notes_on_others, pairs, parts_of
from kerazoo.data.walk import check_name

OPTIONS = ("--text-column", "--label-column")


def read_rows(path, *, text=None, label=None, dialect=None, notes=None):
    """[(where, text, class)] of a file's rows.

    Args:
        path: `.csv`, `.tsv`, `.txt`, `.jsonl` or `.json`. Whether the first row names the columns is recognised; of two
            columns with other names, or none, the one with few different cells is the class.
        text: name of the column or key of texts, which must be there; None is "text".
        label: name of the column or key of classes, which must be there; None is "label".
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.
        notes: a list that a sentence on how the file was read is added to.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, bytes that are no text, a named column that is not there, a row without text
            or class; with the line.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "reviews.tsv")
    >>> _ = file.write_text("a fine film\\tgood\\nno\\tbad\\n")
    >>> [row[1:] for row in read_rows(file)]
    [('a fine film', 'good'), ('no', 'bad')]
    """
    named = (text is not None, label is not None)
    kinds = {"named": named, "second_is_label": True, "options": OPTIONS, "dialect": dialect}
    found, note = pairs(path, text or "text", label or "label", **kinds)
    if notes is not None and note:
        notes.append(note)
    rows = []
    for where, words, name in found:
        if not isinstance(words, str) or not isinstance(name, (str, int)) or not str(name).strip():
            raise ValueError(f"{where} must have a text and a class. Received: {words!r:.60} and {name!r:.40}.")
        check_length(where, words)
        rows.append((where, words, str(name).strip()))
    return rows


def from_files(path, *, text=None, label=None, seed=0, dialect=None):
    """A user's own data: a file, or a folder with a file train.* and, if there are, validation.* (dev.*) and test.*.

    Empty texts are left out, which the notes say. What parts there are not is drawn from the training texts.

    Args:
        path: the file or folder.
        text: as for `read_rows`.
        label: as for `read_rows`.
        seed: of the draws.
        dialect: as for `read_rows`.

    Returns:
        A `TextData`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: what `read_rows` refuses, fewer than two classes, a class that training does not have.
    """
    path = Path(path)
    notes = []
    files = {"train": path} if path.is_file() else parts_of(path, notes=notes)
    parts, notes, classes = {}, [*notes, *notes_on_others(path, files.values())], None
    for part, file in files.items():
        rows = read_rows(file, text=text, label=label, dialect=dialect, notes=notes)
        kept = [row for row in rows if row[1].strip()]
        if len(kept) < len(rows):
            notes.append(f"{file.name}: {len(rows) - len(kept):,} empty texts are left out.")
        if classes is None:
            classes = tuple(sorted({name for *_, name in kept}))
            for name in classes:
                check_name(name, f"A class's name in {file}")
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
