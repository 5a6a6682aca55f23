"""Tagged texts from files in CoNLL's columns: a word and its tag on a line, an empty line after each text."""

from pathlib import Path

from kerazoo.data.splits import draw_from_training
from kerazoo.data.tagged_texts import OUTSIDE, TaggedData, TaggedTexts, names_of, repaired
from kerazoo.data.text_files import read_text
from kerazoo.data.text_tables import notes_on_others, parts_of

ENDINGS = (".conll", ".txt", ".tsv", ".bio", ".iob")
SHARE = 0.1  # Of the training texts, for each part that the files lack.


def read_conll(text, path="text"):
    """`(texts, notes)` of a file's content.

    The first column is the word, the last its tag; columns stand apart by tabs or spaces. Lines that begin with
    `-DOCSTART-` are left out. An entity that begins with `I-` is made to begin with `B-`, which is noted.

    Args:
        text: the content.
        path: its name, for errors and notes.

    Raises:
        ValueError: a line without a tag, or a tag that is none of `O`, `B-...`, `I-...`; with the line.

    Example:

    >>> texts, _ = read_conll("Ada B-PER\\nLovelace I-PER\\nwrote O\\n")
    >>> texts.words, texts.tags
    ((('Ada', 'Lovelace', 'wrote'),), (('B-PER', 'I-PER', 'O'),))
    """
    texts, words, tags, changed = [], [], [], 0
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        cells = line.split("\t") if "\t" in line else line.split()
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("-DOCSTART-"):
            if words:
                tags, other = repaired(tags)
                changed += other
                texts.append((tuple(words), tags))
                words, tags = [], []
            continue
        word, tag = cells[0], cells[-1]
        if len(cells) < 2 or not word or not (tag == OUTSIDE or (tag[:2] in ("B-", "I-") and tag[2:])):
            raise ValueError(
                f"{path}, line {number}, must be a word and its tag: O, B-kind or I-kind. Received: {line[:60]!r}."
            )
        words.append(word)
        tags.append(tag)
    notes = [f"{path}: {changed:,} texts had entities that begin with I-; they begin with B- now."] if changed else []
    return TaggedTexts(*(tuple(pair[side] for pair in texts) for side in (0, 1))), notes


def from_files(path, *, seed=0):
    """A user's own data: a file in CoNLL's columns, or a folder with train.*, and validation.* (dev.*), test.*.

    What parts there are not is drawn from the training texts.

    Args:
        path: the file or folder; files end in .conll, .txt, .tsv, .bio or .iob.
        seed: of the draws.

    Returns:
        A `TaggedData`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: what `read_conll` refuses, bytes that are no UTF-8, no entities, a kind that training does not have,
            or too few texts to draw parts from.
    """
    path = Path(path)
    notes = []
    files = {"train": path} if path.is_file() else parts_of(path, ENDINGS, notes)
    parts, notes = {}, [*notes, *notes_on_others(path, files.values())]
    for part, file in files.items():
        parts[part], said = read_conll(read_text(file), file.name)
        notes += said
    tags = names_of(parts["train"])
    if len(tags) < 2:
        raise ValueError(f"{files['train']} must have entities. Received: {len(parts['train']):,} texts without one.")
    for part, texts in parts.items():
        unknown = set(names_of(texts)) - set(tags)
        if unknown:
            raise ValueError(f"{files[part]} has tags that training does not have: {sorted(unknown)}.")
    parts, said = draw_from_training(parts, SHARE, seed=seed)
    own = "one file" if path.is_file() else "the files' own parts"
    return TaggedData(path.stem, tags, **parts, split="; ".join([own, *said]), source=str(path), notes=tuple(notes))
