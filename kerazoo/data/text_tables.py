"""Files of pairs of texts: CSV, TSV, JSON lines, and folders with one of them for each part of a data set."""

import json
import re
from dataclasses import replace
from pathlib import Path

from kerazoo.data.delimited import NUMBER, USUAL, rows_of, sniff
from kerazoo.data.text_files import read_text
from kerazoo.data.walk import Walk, check_name, left_out_notes, walk

FILES = (".csv", ".json", ".jsonl", ".tsv", ".txt")
# A folder's files by the words at the beginnings of their names, whatever follows: dev2010, test_2016_flickr, newstest.
PARTS = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev", "newsdev", "eval"),
    "test": ("test", "newstest"),
}
LONGEST = 1_000_000  # Signs of one text; a longer one is a file that is not what it seems.
LEAST_ROWS = 10  # Below which a class that only the first row has does not make that row a header.
SAMPLE = 1000  # Rows by which the columns of texts and of labels are told apart.
# Names that a header gives to columns, and no text or class is.
HEADS = (
    *("text", "texts", "label", "labels", "sentence", "review", "comment", "tweet", "message", "content", "body"),
    *("document", "title", "headline", "summary", "class", "category", "sentiment", "target", "stars", "rating"),
    *("score", "polarity", "question", "answer", "source", "src", "tgt", "input", "output", "prompt", "response"),
    *("reply", "english", "german", "french", "spanish", "italian", "portuguese", "dutch", "chinese", "japanese"),
    *("russian", "arabic", "turkish", "polish"),
)


def pairs(path, first, second, *, named=(False, False), second_is_label=False, options=("", ""), dialect=None):
    """The cells of two columns of a file, unchecked but for the file's form.

    Args:
        path: `.csv`, `.tsv`, `.txt` (tabs, or what separates its cells), `.jsonl`, or `.json` with a list of objects.
        first, second: names of the columns or keys. Where the first row does not have them, the file has two columns
            and they are not `named`, the columns are taken in their order, or the shorter one of few words as labels.
        named: whether a user has named the first, and the second: then they must be there.
        second_is_label: whether the second is a class, no text.
        options: of the command line that name the two, for messages.
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.

    Returns:
        `(rows, note)`: a list of (where, cell, cell), and a sentence on how the file was read.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, bytes that are no text, a named column that is not there, columns that cannot
            be told apart, rows of another form; with the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Texts must be an existing file. Received: {str(path)!r}.")
    suffix = path.suffix.lower()
    if suffix not in FILES:
        raise ValueError(f"Texts must be a file of {sorted(FILES)}. Received: {path.name!r}.")
    text = read_text(path)
    wanted = _Wanted(path, (first, second), named, second_is_label, options)
    if suffix not in USUAL:
        return list(_of_objects(wanted, text)), ""
    known = dialect and dialect.header
    dialect = replace(sniff(text, dialect, usual=USUAL[suffix]), decimal=None) if text.strip() else None
    rows = list(rows_of(text, dialect, path)) if dialect else []
    if not rows:
        raise ValueError(f"{path} must have rows. Received: none.")
    dialect, head, places = wanted.places(dialect, known, rows)
    for number, row in rows:
        if len(row) != len(head):
            raise ValueError(f"{path}, line {number} must have {len(head)} cells. Received: {len(row)}.")
    one, two = (repr(head[place]) for place in places)
    cells = [(f"{path}, line {number}", *(row[place] for place in places)) for number, row in rows[dialect.header :]]
    return cells, f"{path.name}, {dialect}: {one} and {two}."


class _Wanted:
    """Two columns that are looked for in a file."""

    def __init__(self, path, names, named, second_is_label, options):
        self.path, self.names, self.named, self.second_is_label = path, names, named, second_is_label
        self.options = [f" ({option})" if option else "" for option in options]

    def places(self, dialect, known, rows):
        """`(dialect, names of all columns, places of the two)`; a header row that is not known is decided on here."""
        cells = [row for _, row in rows]
        head = [cell.strip() for cell in cells[0]]
        below = [row for row in cells[1 : 1 + SAMPLE] if len(row) == len(head)]
        found = [self._find(name, head) for name in self.names]
        header = self._has_header(dialect, head, below, found) if known is None else known
        if not header:
            head = [f"column {number}" for number in range(1, len(head) + 1)]
            found = [self._find(name, head) for name in self.names]
            below = [cells[0], *below]
        self.check_named(head, found, "" if header else " The first row is read as no header (`header`, --header).")
        if found[0] is None or found[1] is None:
            found = self._two(head, found, below, header)
        return replace(dialect, header=header), head, tuple(found)

    def check_named(self, head, found, why=""):
        """Refuses a named column that is not there."""
        for name, named, place, option in zip(self.names, self.named, found, self.options):
            if named and place is None:
                raise ValueError(f"{self.path} must have the column {name!r}{option}. Received: {head}.{why}")

    @staticmethod
    def _find(name, head):
        lower = [cell.lower() for cell in head]
        return head.index(name) if name in head else lower.index(name.lower()) if name.lower() in lower else None

    def _has_header(self, dialect, head, below, found):
        if any(place is not None for place in found):
            return True
        known = [cell.lower() in HEADS for cell in head]
        if len(head) != 2:
            return dialect.header or any(known)
        if not self.second_is_label:
            return any(known)
        for place in (1, 0):
            labels = [row[place].strip() for row in below]
            if not _are_labels(labels) or head[place] in labels:
                continue
            numbers = all(NUMBER.fullmatch(label) for label in labels) and not NUMBER.fullmatch(head[place])
            return any(known) or numbers or len(labels) >= LEAST_ROWS
        return all(known)

    def _two(self, head, found, below, header):
        """The places of both where not both names are in the header."""
        columns = list(zip(*below)) if below else [()] * len(head)
        texts, labels = _looks(columns)
        if len(head) == 2 and not (header and not self.second_is_label):
            if found != [None, None]:
                known = found.index(None) ^ 1
                return [found[known], 1 - found[known]] if known == 0 else [1 - found[known], found[known]]
            return [1, 0] if self.second_is_label and (texts, labels) == (1, 0) else [0, 1]
        hints = [f"{head[texts]!r} looks like the text"] if texts is not None and len(head) > 1 else []
        if self.second_is_label and labels is not None:
            hints.append(f"{head[labels]!r} like the label")
        told = f"; {', '.join(hints)}: name them{' and'.join(self.options)}" if hints else ""
        row = "line 1, must name" if header else "without a header row, must have"
        raise ValueError(
            f"{self.path}, {row} the columns {self.names[0]!r} and {self.names[1]!r}. Received: {head}{told}."
        )


def _are_labels(cells):
    """Whether cells repeat as classes do."""
    return len(cells) > 1 and len(set(cells)) <= max(len(cells) // 2, 1)


def _looks(columns):
    """(place of the column with the longest cells, place of the one with the fewest different ones), or None."""
    means = [sum(map(len, column)) / max(len(column), 1) for column in columns]
    texts = max(range(len(columns)), key=means.__getitem__) if any(means) else None
    different = {
        place: len(set(column))
        for place, column in enumerate(columns)
        if place != texts and _are_labels(column) and len(set(column)) > 1
    }
    return texts, min(different, key=different.get, default=None)


def check_length(where, text):
    """Refuses a text that is too long to be one, or that UTF-8 cannot write.

    Raises:
        ValueError: more than a million signs, or half of a pair of surrogates, which JSON can escape.
    """
    check_name(text[:LONGEST], f"{where}: a text")
    if len(text) > LONGEST:
        raise ValueError(f"{where}: a text must have at most {LONGEST:,} signs. Received: {len(text):,}.")


def parts_of(folder, endings=FILES, notes=None):
    """{part: file} of a folder with train.*, and validation.* (valid, val, dev) and test.* where there are.

    A year or a name may follow (dev2010, test_2016_flickr). Of several files for validation or test the one that is
    called so counts, or else the first by name; a folder with one file alone has it for training.

    Args:
        folder: where they lie.
        endings: of the files' names.
        notes: a list that sentences on files that are left out are added to.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: several files to train on, or none; two ways to write one validation or test part.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"Texts must be an existing file or folder. Received: {str(folder)!r}.")
    there = list(walk(folder, endings, deep=False).files.values())
    files = {}
    for part, beginnings in PARTS.items():
        found = [file for file in there if _part_word(file).startswith(beginnings)]
        if part == "train" and not found and len(there) == 1:
            found = there
        exact = [file for file in found if file.name.lower().partition(".")[0] in beginnings]
        several = len({file.suffix for file in found}) > 1 or part == "train" or len(exact) > 1
        if (len(found) > 1 and several) or (part == "train" and not found):
            names = [file.name for file in found or there]
            told = ", ".join(names[:8]) or "none"
            raise ValueError(
                f"{folder} must have one file {part} with an ending of {sorted(endings)}. Received: {told}."
            )
        if found:
            files[part] = (exact or found)[0]
            others = ", ".join(file.name for file in found if file != files[part])
            if others and notes is not None:
                notes.append(f"{others}: left out, for {files[part].name} is the {part} part.")
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


def _part_word(file):
    """The first word of a file's name that says a part: of "multi30k.dev.en" it is "dev"."""
    words = re.findall(r"[a-z]+", file.stem.lower())
    known = [word for words_of in PARTS.values() for word in words_of]
    return next((word for word in words if word.startswith(tuple(known))), words[0] if words else "")


def _of_objects(wanted, text):
    """(where, value, value) of JSON lines, or of a list of objects."""
    path, (first, second) = wanted.path, wanted.names
    if text.lstrip().startswith("["):
        try:
            objects = [(f"{path}, item {number}", row) for number, row in enumerate(json.loads(text), start=1)]
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path} must be JSON lines or a list of objects. Received: {error}.") from error
    else:
        lines = enumerate(text.split("\n"), start=1)
        objects = ((f"{path}, line {number}", line) for number, line in lines if line.strip())
    for where, row in objects:
        shown = str(row)[:60]
        if isinstance(row, str):
            try:
                row = json.loads(row)
            except (json.JSONDecodeError, RecursionError) as error:
                raise ValueError(f"{where} must be a JSON object. Received: {shown!r} ({error}).") from error
        if not isinstance(row, dict) or first not in row or second not in row:
            told = f" It has the keys {sorted(row)[:10]}." if isinstance(row, dict) else ""
            names = "".join(wanted.options)
            raise ValueError(
                f"{where} must be an object with {first!r} and {second!r}{names}. Received: {shown!r}.{told}"
            )
        yield where, row[first], row[second]
