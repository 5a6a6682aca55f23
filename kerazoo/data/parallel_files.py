"""Pairs of texts from a user's files: one table, or a file for each language with a line for a line."""

from pathlib import Path

from kerazoo.data.parallel_texts import ParallelData, ParallelTexts
from kerazoo.data.splits import draw_from_training
from kerazoo.data.text_files import read_text
from kerazoo.data.text_tables import check_length, notes_on_others, pairs, parts_of
from kerazoo.data.walk import walk

OPTIONS = ("--source", "--target")
SHARE, LARGEST = 0.05, 1_000  # Of the training pairs, for each part that the files lack; pairs of it at most.


def from_files(path, *, source, target, seed=0, dialect=None):
    """A user's own data.

    One of these:
        a table (`.csv`, `.tsv`, `.jsonl`) with the columns or keys `source` and `target`, or with two columns and
        no header;
        a folder with such tables, `train.*` and, if there are, `validation.*` (`dev.*`) and `test.*`;
        a folder with `train.<source>` and `train.<target>`, line by line, and other parts likewise; names may go on,
        as test_2016_flickr does.

    Pairs with an empty side are left out, which the notes say. What parts there are not is drawn from training.

    Args:
        path: the file or folder.
        source, target: names of the languages, or of the columns.
        seed: of the draws.
        dialect: a `kerazoo.data.delimited.Dialect` that says what of a table is not to be recognised.

    Returns:
        A `ParallelData`.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: another kind of file, bytes that are no UTF-8, files of unequal length, rows of another form, or
            too few pairs to draw parts from.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for language, word in (("en", "one"), ("de", "eins")):
    ...     _ = (folder / f"train.{language}").write_text(f"{word}\\n" * 100)
    >>> data = from_files(folder, source="en", target="de")
    >>> data.train.target[0], len(data.train), len(data.test)
    ('eins', 90, 5)
    """
    path, notes = Path(path), []
    if path.is_dir():
        lines = {f".{source}", f".{target}"} & {file.suffix for file in walk(path, deep=False).files.values()}
        sides = (
            [parts_of(path, (f".{name}",), notes) for name in (source, target)]
            if lines
            else [parts_of(path, notes=notes)]
        )
    else:
        sides = [{"train": path}]
    if len(sides) == 2 and set(sides[0]) != set(sides[1]):
        raise ValueError(
            f"{path} must have each part in both languages. Received: {sorted(sides[0])}, {sorted(sides[1])}."
        )
    parts, notes = {}, [*notes, *notes_on_others(path, [file for side in sides for file in side.values()])]
    for part in sides[0]:
        files = [side[part] for side in sides]
        if len(files) == 2:
            rows = _aligned(*files)
        else:
            rows, note = pairs(files[0], source, target, options=OPTIONS, dialect=dialect)
            notes += [note] if note else []
        kept, empty = [], 0
        for where, one, other in rows:
            if not isinstance(one, str) or not isinstance(other, str):
                raise ValueError(f"{where} must have two texts. Received: {one!r:.60} and {other!r:.60}.")
            check_length(where, max(one, other, key=len))
            one, other = one.strip(), other.strip()
            empty += not (one and other)
            kept += [(one, other)] if one and other else []
        if empty:
            notes.append(f"{files[0].name}: {empty:,} pairs with an empty side are left out.")
        parts[part] = ParallelTexts(*(tuple(pair[side] for pair in kept) for side in (0, 1)))
    parts, drawn = draw_from_training(parts, SHARE, seed=seed, largest=LARGEST, unit="pairs")
    own = "one table" if path.is_file() else "the files' own parts"
    return ParallelData(
        path.stem, source, target, **parts, split="; ".join([own, *drawn]), source=str(path), notes=tuple(notes)
    )


def _aligned(first, second):
    """Yields (where, line, line) of two files."""
    sides = [read_text(file).removesuffix("\n").split("\n") for file in (first, second)]
    if len(sides[0]) != len(sides[1]):
        raise ValueError(
            f"{first} and {second} must have as many lines. Received: {len(sides[0]):,} and {len(sides[1]):,}."
        )
    for number, (one, other) in enumerate(zip(*sides), start=1):
        yield f"{first}, line {number}", one, other
