"""A user's documents: a table with titles and texts, or a folder of text files."""

from pathlib import Path

from kerazoo.data.documents import Documents
from kerazoo.data.text_files import read_text
from kerazoo.data.text_tables import check_length, pairs
from kerazoo.data.walk import Walk, left_out_notes, reasons, walk

ENDINGS = (".txt", ".md", ".rst")


OPTIONS = ("--title-column", "--text-column")


def from_files(path, *, title=None, text=None, dialect=None):
    """`Documents` from files.

    Args:
        path: a table (`.csv`, `.tsv`, `.jsonl`) with a row for each document, or a folder, in which every `.txt`,
            `.md` and `.rst` file is a document and its first line with something in it the title. A file's label is
            its path in the folder, a row's its line.
        title, text: names of the table's columns or keys, which must be there; None is "title" and "text".
        dialect: a `kerazoo.data.delimited.Dialect` that says what of a table is not to be recognised.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: no documents, texts that are empty or too long, bytes that are no UTF-8; with file and line.
    """
    path = Path(path)
    found = walk(path, ENDINGS) if path.is_dir() else Walk()
    if path.is_dir():
        rows, note = _files(found.files), ""
    else:
        how = {"named": (title is not None, text is not None), "options": OPTIONS, "dialect": dialect}
        rows, note = pairs(path, title or "title", text or "text", **how)
    labels, titles, texts, empty = [], [], [], 0
    for where, head, body in rows:
        check_length(where, body)
        if not body.strip():
            empty += 1
            continue
        labels.append(where.rpartition(", ")[2])
        titles.append(head.strip() or body.strip()[:80])
        texts.append(body.strip())
    if not texts:
        raise ValueError(f"{path} must have documents. Received: none with a text in it.{reasons(found.left_out)}")
    notes = ((note,) if note else ()) + ((f"{empty:,} without a text were left out.",) if empty else ())
    notes += left_out_notes(found)
    sides = (tuple(side) for side in (labels, titles, texts))
    return Documents(path.stem, *sides, source=f"your own: {path.name}", terms="yours", notes=notes)


def _files(files):
    for name, file in files.items():
        body = read_text(file)
        lines = [line.strip("# \t") for line in body.splitlines() if line.strip("# \t")]
        yield name, lines[0] if lines else "", body
