"""A user's documents: a table with titles and texts, or a folder of text files."""

from pathlib import Path

from kerazoo.data.documents import Documents
from kerazoo.data.text_files import read_text
from kerazoo.data.text_tables import check_length, pairs

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
    if path.is_dir():
        rows, note = _files(path), ""
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
        raise ValueError(f"{path} must have documents. Received: none with a text in it.")
    notes = ((note,) if note else ()) + ((f"{empty:,} without a text were left out.",) if empty else ())
    sides = (tuple(side) for side in (labels, titles, texts))
    return Documents(path.stem, *sides, source=f"your own: {path.name}", terms="yours", notes=notes)


def _files(folder):
    for file in sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file()):
        body = read_text(file)
        lines = [line.strip("# \t") for line in body.splitlines() if line.strip("# \t")]
        yield str(file.relative_to(folder)), lines[0] if lines else "", body
