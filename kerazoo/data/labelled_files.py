"""Series with a class each from files: `.ts` of the UCR and UEA archives, rows of a table, a folder of two such."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from kerazoo.data.delimited import EMPTY, USUAL, rows_of, sniff
from kerazoo.data.labelled_series import LabelledSeries, SeriesData
from kerazoo.data.splits import stratified_split
from kerazoo.data.text_files import CELLS, read_lines, read_text
from kerazoo.data.walk import walk

LENGTHS = ("error", "pad")
MISSING = ("error", "linear")
TABLES = (".csv", ".tsv", ".txt")
TEST_SHARE = 0.3  # Of a single file's series.
LARGEST_SMALL, MOST_PADDED = 2**24, 16  # Values that a file may become: so many, or so many for each of its bytes.


def read_ts(path, *, classes=None, length=None, lengths="error", missing="error"):
    """Reads a `.ts` file of the UCR and UEA archives, univariate or multivariate.

    Args:
        path: the file.
        classes: names that may occur, in the order of the labels; by default those of the file.
        length: time steps that a series must have; by default those of the first.
        lengths: what becomes of a series with fewer steps than the longest: "error" refuses it, "pad" repeats its
            last value.
        missing: what becomes of a missing value: "error" refuses it, "linear" draws a line between its neighbours
            in time, or repeats the nearest.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what is not such a file, has stamps or a target of numbers, an unknown class, a cell that is no
            number, another number of channels or steps; with the line.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "Waves_TRAIN.ts")
    >>> _ = file.write_text("@classLabel true up down\\n@data\\n1,2,3:up\\n3,2,1:down\\n3,1,0:down\\n")
    >>> series = read_ts(file)
    >>> series.values.shape, series.labels.tolist(), series.classes
    ((3, 3, 1), [0, 1, 1], ('up', 'down'))
    """
    path, header, rows = _existing(path), {}, []
    for number, line in enumerate(read_lines(path), start=1):
        where, line = f"{path}, line {number}", line.strip()
        if not line or line.startswith("#"):
            continue
        if "data" not in header:
            key, *words = line.split()
            if not key.startswith("@"):
                raise ValueError(f"{where}: before @data, a line must start with # or @. Received: {line[:60]!r}.")
            header[key[1:].lower()] = words
            continue
        *channels, label = line.split(":")
        rows.append((where, label.strip(), [_numbers(channel.split(","), where) for channel in channels]))
    _check_header(path, header)
    named = classes or tuple(header["classlabel"][1:]) or tuple(sorted({label for _, label, _ in rows}))
    expected = {key: _count(path, key, header[key][0]) for key in ("dimensions", "serieslength") if header.get(key)}
    if header.get("equallength") == ["false"]:
        expected.pop("serieslength", None)
    return _assembled(
        path,
        rows,
        named,
        channels=expected.get("dimensions"),
        length=length or expected.get("serieslength"),
        lengths=lengths,
        missing=missing,
    )


def read_rows(path, *, classes=None, length=None, lengths="error", missing="error", dialect=None):
    """Reads a table with a series of one channel in each row, its class first: the UCR archive's `.tsv`, or a CSV.

    Separator and decimal sign are recognised; a first row whose other cells are no numbers is a header. Empty cells at
    a row's end belong to no series: it is shorter.

    Args:
        path: the file.
        classes: as for `read_ts`.
        length: as for `read_ts`.
        lengths: as for `read_ts`.
        missing: as for `read_ts`.
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a row without values, an unknown class, a cell that is no number, another number of steps; with
            the line.
    """
    path, rows = _existing(path), []
    text, known = read_text(path), dialect and dialect.header
    dialect = sniff(text, dialect, usual=USUAL.get(path.suffix.lower(), ","))
    for row, (number, (label, *cells)) in enumerate(rows_of(text, dialect, path)):
        where = f"{path}, line {number}"
        if dialect.decimal == "comma":
            cells = [cell.replace(",", ".") for cell in cells]
        if row == 0 and (known or (known is None and not all(map(_is_number, cells)))):
            continue
        values = _numbers(cells, where)
        present = np.flatnonzero(~np.isnan(values))
        rows.append((where, label.strip(), [values[: present[-1] + 1 if len(present) else 0]]))
    named = classes or tuple(sorted({label for _, label, _ in rows}))
    series = _assembled(path, rows, named, channels=1, length=length, lengths=lengths, missing=missing)
    return replace(series, notes=(f"{path.name}, {dialect}.", *series.notes))


def from_files(path, *, seed=0, lengths="error", missing="error", dialect=None):
    """A user's own data: a folder with X_TRAIN and X_TEST, `.ts` or rows of a table, or one such file.

    Args:
        path: the folder, or a file from which 30% of every class are drawn for testing.
        seed: of that draw.
        lengths: as for `read_ts`.
        missing: as for `read_ts`.
        dialect: as for `read_rows`.

    Returns:
        A `SeriesData`, without validation series.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: a folder without one training and one test file, or what the readers refuse.
    """
    path, options = Path(path), {"lengths": lengths, "missing": missing, "dialect": dialect}
    if path.is_file():
        whole = _read(path, **options)
        rest, drawn = stratified_split(whole.labels, TEST_SHARE, seed=seed)
        split = f"{len(drawn):,} of {len(whole):,} series drawn by class for testing, seed {seed}"
        return SeriesData(path.stem, _checked(whole.take(rest), path), whole.take(drawn), split=split, source=str(path))
    if not path.is_dir():
        raise FileNotFoundError(f"Labelled series must be an existing folder or file. Received: {str(path)!r}.")
    found = {}
    for part in ("TRAIN", "TEST"):
        inside = walk(path, (".ts", *TABLES), deep=False).files.values()
        files = [file for file in inside if file.stem.upper().endswith(f"_{part}")]
        files = [file for file in files if file.suffix.lower() == ".ts"] or files
        if len(files) != 1:
            names = [file.name for file in files]
            raise ValueError(f"{path} must have one file X_{part}.ts, .csv or .tsv. Received: {names or 'none'}.")
        found[part] = files[0]
    train = _read(found["TRAIN"], **options)
    steps = train.values.shape[1]
    test = _read(found["TEST"], classes=train.classes, length=steps, **options)
    if test.values.shape[2] != train.values.shape[2]:
        raise ValueError(
            f"{found['TEST']} must have the channels of the training series. "
            f"Received: {test.values.shape[2]} in place of {train.values.shape[2]}."
        )
    name = found["TRAIN"].stem[: -len("_TRAIN")]
    return SeriesData(
        name, _checked(train, path), test, split="the files' own training and test part", source=str(path)
    )


def _checked(train, path):
    if len(np.unique(train.labels)) < 2:
        raise ValueError(f"{path} must have training series of two classes. Received: {list(train.classes)}.")
    return train


def _read(path, *, dialect, **options):
    """The series of a file, by the ending of its name."""
    suffix = path.suffix.lower()
    if suffix not in (".ts", *TABLES):
        raise ValueError(f"Labelled series must be a file of {['.ts', *TABLES]}. Received: {path.name!r}.")
    return read_ts(path, **options) if suffix == ".ts" else read_rows(path, dialect=dialect, **options)


def _existing(path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Labelled series must be an existing file. Received: {str(path)!r}.")
    return path


def _check_header(path, header):
    """Refuses what the header says of things that no classifier here takes."""
    if "data" not in header:
        raise ValueError(f"{path} must have a line @data before its series. Received: none.")
    if header.get("timestamps", ["false"])[0].lower() == "true":
        raise ValueError(f"{path}: series must be evenly spaced, without stamps. Received: @timeStamps true.")
    if header.get("classlabel", ["false"])[0].lower() != "true":
        raise ValueError(f"{path}: every series must have a class (@classLabel true a b ...). Received: none.")


def _count(path, key, word):
    if not word.isdecimal() or not 0 < len(word) < 10 or not int(word):
        raise ValueError(f"{path}: @{key} must be a whole number above 0. Received: {word[:40]!r}.")
    return int(word)


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in EMPTY
    return True


def _numbers(cells, where):
    """The cells as float64, NaN where one is missing."""
    for position, cell in enumerate(cells, start=1):
        if not _is_number(cell):
            raise ValueError(f"{where}: value {position} must be a number. Received: {cell.strip()[:40]!r}.")
    values = np.array([np.nan if cell.strip().lower() in EMPTY else float(cell) for cell in cells])
    beyond = np.flatnonzero(np.abs(values) > np.finfo("float32").max)
    if len(beyond):
        raise ValueError(f"{where}: values must be finite, as float32 too. Received: {cells[beyond[0]].strip()[:40]}.")
    return values


def _assembled(path, rows, classes, *, channels, length, lengths, missing):
    """`LabelledSeries` from [(where, label, [values of each channel])], checked and repaired."""
    for option, value, choices in (("lengths", lengths, LENGTHS), ("missing", missing, MISSING)):
        if value not in choices:
            raise ValueError(f"`{option}` must be one of {choices}. Received: {value!r}.")
    if not rows:
        raise ValueError(f"{path} must have a series. Received: none.")
    channels = channels or len(rows[0][2])
    longest = length or max(len(values) for values in rows[0][2])
    if lengths == "pad" and not length:
        longest = max(len(values) for _, _, series in rows for values in series)
    present = sum(len(values) for _, _, series in rows for values in series)
    if len(rows) * longest * channels > max(CELLS, 100 * present):  # Before memory is taken for what a header claims.
        raise ValueError(
            f"{path} must have series of {longest:,} steps in {channels:,} channels. Received: {present:,} values in "
            f"{len(rows):,} series."
        )
    padded = filled = 0
    result, labels = np.empty((len(rows), longest, channels), "float32"), np.empty(len(rows), "int32")
    for row, (where, label, series) in enumerate(rows):
        if label not in classes:
            raise ValueError(f"{where}: the class must be one of {list(classes)}. Received: {label!r}.")
        if len(series) != channels:
            raise ValueError(f"{where}: a series must have {channels} channels. Received: {len(series)}.")
        labels[row] = classes.index(label)
        for channel, values in enumerate(series):
            short = longest - len(values)
            if short < 0 or (short and lengths == "error") or not len(values):
                hint = "" if lengths == "pad" else " With lengths 'pad' a short one repeats its last value."
                raise ValueError(f"{where}: a series must have {longest} steps. Received: {len(values)}.{hint}")
            absent = np.isnan(values)
            if absent.all() or (absent.any() and missing == "error"):
                hint = "" if absent.all() else " With missing 'linear' a line is drawn between its neighbours."
                raise ValueError(f"{where}: a series must have all its values. Received: {absent.sum()} missing.{hint}")
            if absent.any():
                values = np.interp(np.arange(len(values)), np.flatnonzero(~absent), values[~absent])
            padded, filled = padded + (short > 0), filled + int(absent.sum())
            result[row, :, channel] = np.pad(values, (0, short), mode="edge")
    notes = []
    if padded:
        notes.append(f"{padded} channels of series were short: each repeats its last value to {longest} steps.")
    if filled:
        notes.append(f"{filled} missing values lie on a line between their neighbours.")
    return LabelledSeries(result, labels, tuple(classes), tuple(notes))
