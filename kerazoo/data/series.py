"""Time series from CSV and Parquet files: evenly spaced, checked, every repair said."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerazoo.data.archives import DAMAGED, open_packed
from kerazoo.data.parquet import read_parquet
from kerazoo.errors import one_line
from kerazoo.extras import need

MISSING = ("forward", "error", "keep")
DUPLICATES = ("error", "first", "last", "mean")
GRIDS = ("even", "rows")
LONGEST_GRID = 50  # Rows of an evenly spaced grid for each row read: beyond it the step is a wrong guess.


@dataclass(frozen=True)
class Series:
    """One multivariate time series, evenly spaced and in order.

    Attributes:
        values: float32, (T, C).
        stamps: datetime64[s], (T,), UTC where the file says a zone.
        columns: names of the C channels.
        name: as in the command line and the report.
        notes: sentences on what was repaired or left out while reading.
        source, terms: where it comes from, and what its owners allow.
        published: {"score": ..., "of": whose figure}, ... or None.
        targets: names of the columns worth forecasting; None is all.
    """

    values: np.ndarray
    stamps: np.ndarray
    columns: tuple
    name: str = "series"
    notes: tuple = field(default=())
    source: str = ""
    terms: str = ""
    published: dict | None = None
    targets: tuple | None = None

    def __post_init__(self):
        if self.values.shape != (len(self.stamps), len(self.columns)):
            raise ValueError(
                f"`values` must have a row for each stamp and a column for each name. Received: {self.values.shape}, "
                f"{len(self.stamps)} stamps and {len(self.columns)} names."
            )

    def __len__(self):
        return len(self.stamps)

    def __getitem__(self, rows):
        """A slice of the rows, as views of the same memory."""
        if not isinstance(rows, slice):
            raise TypeError(f"A series is cut by a slice of rows. Received: {rows!r}.")
        return Series(**(vars(self) | {"values": self.values[rows], "stamps": self.stamps[rows]}))

    def select(self, columns):
        """The same series with some of its columns, in the order wanted.

        Raises:
            ValueError: an unknown column, or none.
        """
        unknown = [column for column in columns if column not in self.columns]
        if unknown or not columns:
            raise ValueError(f"`columns` must be some of {list(self.columns)}. Received: {list(columns)}.")
        places = [self.columns.index(column) for column in columns]
        return Series(**(vars(self) | {"values": self.values[:, places], "columns": tuple(columns)}))

    def with_values(self, values):
        """The same series with other values, (T, C)."""
        return Series(**(vars(self) | {"values": np.asarray(values, "float32")}))

    @property
    def step(self):
        """Seconds from one row to the next."""
        return int((self.stamps[1] - self.stamps[0]) / np.timedelta64(1, "s")) if len(self) > 1 else 0

    def record(self):
        """Everything but the values, as JSON types."""
        return {
            "name": self.name,
            "rows": len(self),
            "columns": list(self.columns),
            "first": str(self.stamps[0]),
            "last": str(self.stamps[-1]),
            "step_seconds": self.step,
            "notes": list(self.notes),
            "source": self.source,
            "terms": self.terms,
        }


def read_series(path, *, time=None, columns=None, grid="even", missing="forward", duplicates="error", name=None):
    """Reads a table with a column of stamps into an evenly spaced `Series`.

    The schema is inferred where it is not given: the first column whose cells are all stamps, and all columns
    of numbers; `Series.notes` says what was taken and what was left out. Rows are put in order; stamps with a
    zone become UTC; of 01/02/2024 the month comes first.

    Args:
        path: `.csv` (also `.csv.gz`), `.parquet`, or a file object with CSV text.
        time: name of the column of stamps.
        columns: names of the channels, in the order wanted.
        grid: "even" puts the rows on the grid of their commonest step, with gaps where stamps are absent;
            "rows" counts every row as one step, as for trading days or months.
        missing: what becomes of a cell without a value: "forward" takes the last value before it, never a later
            one, which a forecaster could not know; "keep" leaves NaN; "error" refuses.
        duplicates: which of several rows of one stamp counts; "mean" averages them.
        name: the series's name; by default the file's.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas, or pyarrow for Parquet.
        ValueError: no stamps or numbers, a cell that is neither a number nor empty, duplicate or off-grid
            stamps, fewer than two rows; with the line and the column.

    Example:

    >>> import io
    >>> text = "when,load\\n2024-01-01 00:00,1.5\\n2024-01-01 01:00,2.5\\n2024-01-01 03:00,4.0\\n"
    >>> series = read_series(io.StringIO(text), name="load")
    >>> series.values[:, 0].tolist(), series.step
    ([1.5, 2.5, 2.5, 4.0], 3600)
    >>> series.notes[-1]
    "'load': 1 of 4 values are missing; each became the last value before it."
    """
    options = {"grid": (grid, GRIDS), "missing": (missing, MISSING), "duplicates": (duplicates, DUPLICATES)}
    for option, (value, choices) in options.items():
        if value not in choices:
            raise ValueError(f"`{option}` must be one of {choices}. Received: {value!r}.")
    need("pandas")
    table = _table(path)
    where = name or getattr(path, "name", str(path))
    if not len(table) or not len(table.columns):
        raise ValueError(f"{where} must have a header and at least two rows. Received: {len(table)} rows.")
    notes = []
    time, stamps = _stamps(table, time, where, notes)
    chosen = _numbers(table, time, columns, where, notes)
    stamps, values = _in_order(stamps, chosen, duplicates, where, notes)
    if grid == "even":
        stamps, values = _on_grid(stamps, values, where, notes)
    stamps, values = _filled(stamps, values, tuple(chosen), missing, where, notes)
    for column, channel in zip(chosen, values.T):
        if np.nanmin(channel) == np.nanmax(channel):
            notes.append(f"{column!r} never changes.")
    stem = name or Path(where).name.partition(".")[0]
    return Series(values.astype("float32"), stamps, tuple(chosen), stem, tuple(notes), source=str(where))


def _table(path):
    """The file as text cells, so that nothing is guessed on the way; Parquet keeps its types."""
    import pandas

    if not hasattr(path, "read"):
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"A series must be an existing file. Received: {str(path)!r}.")
        if path.suffix == ".parquet":
            return read_parquet(path)
        if path.suffixes[:1] != [".csv"]:
            raise ValueError(f"A series must be a .csv, .csv.gz or .parquet file. Received: {str(path)!r}.")
    try:
        file = path if hasattr(path, "read") else open_packed(path)
        cells = pandas.read_csv(file, dtype=str, skipinitialspace=True, keep_default_na=False)
        if not isinstance(cells.index, pandas.RangeIndex):  # pandas makes an index of what the header has no name for.
            raise ValueError(f"every row must have as many cells as the header, {len(cells.columns)}.")
        return cells
    except DAMAGED as error:
        raise ValueError(f"{getattr(path, 'name', path)} is no CSV table: {one_line(error)}") from error


def _parse_stamps(cells):
    """datetime64[s] of a column, NaT where a cell is no stamp; zones become UTC."""
    import pandas

    parsed = pandas.to_datetime(cells, errors="coerce", utc=True, format="mixed")
    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[s]")


def _is_number(cells):
    import pandas

    if pandas.api.types.is_datetime64_any_dtype(cells):  # Parquet's own stamps.
        return np.zeros(len(cells), bool)
    return pandas.to_numeric(cells, errors="coerce").notna()


def _stamps(table, time, where, notes):
    """(name of the column, datetime64[s] of every row)."""
    if time is None:
        for column in table.columns:
            # A column of bare numbers would parse as nanoseconds since 1970.
            if not _is_number(table[column]).any() and not np.isnat(_parse_stamps(table[column])).all():
                time = column
                break
        else:
            raise ValueError(f"{where} has no column of stamps; name one (`time`). Received: {list(table.columns)}.")
        notes.append(f"Stamps are in the column {time!r}.")
    elif time not in table.columns:
        raise ValueError(f"`time` must be one of the columns {list(table.columns)}. Received: {time!r}.")
    stamps = _parse_stamps(table[time])
    bad = np.flatnonzero(np.isnat(stamps))
    if len(bad):
        raise ValueError(
            f"{where}, line {bad[0] + 2}, column {time!r}: every cell must be a stamp. "
            f"Received: {table[time].iloc[bad[0]]!r}."
        )
    return time, stamps


def _numbers(table, time, columns, where, notes):
    """{name: float64 of every row}; NaN where a cell is empty."""
    import pandas

    if columns is not None:
        unknown = [column for column in columns if column not in table.columns or column == time]
        if unknown or not columns:
            choices = [column for column in table.columns if column != time]
            raise ValueError(f"`columns` must be some of {choices}. Received: {list(columns)}.")
    chosen, left = {}, []
    for column in columns if columns is not None else [name for name in table.columns if name != time]:
        cells = table[column]
        empty = cells.isna() | cells.astype(str).str.strip().str.lower().isin(("", "na", "nan", "null", "none", "?"))
        numbers = pandas.to_numeric(cells, errors="coerce")
        bad = np.flatnonzero(numbers.isna() & ~empty)
        if len(bad) and columns is None and not numbers.notna().any():
            left.append(column)  # A column of words is left out; one bad cell among numbers is a mistake.
            continue
        if len(bad):
            raise ValueError(
                f"{where}, line {bad[0] + 2}, column {column!r}: every cell must be a number or empty. "
                f"Received: {cells.iloc[bad[0]]!r}."
            )
        values = numbers.to_numpy("float64", na_value=np.nan)
        if np.isinf(values).any():
            line = int(np.flatnonzero(np.isinf(values))[0]) + 2
            raise ValueError(f"{where}, line {line}, column {column!r}: every number must be finite.")
        if np.isnan(values).all():
            raise ValueError(f"{where}, column {column!r}: at least one cell must hold a number. Received: none.")
        chosen[column] = values
    if left:
        notes.append(f"Columns without numbers are left out: {', '.join(map(repr, left))}.")
    if not chosen:
        raise ValueError(f"{where} must have a column of numbers. Received: {list(table.columns)}.")
    return chosen


def _in_order(stamps, chosen, duplicates, where, notes):
    """Rows by their stamps, one for each."""
    values = np.stack(list(chosen.values()), axis=1)
    order = np.argsort(stamps, kind="stable")
    if (order[1:] < order[:-1]).any():
        notes.append("The rows were not in order of time; they are now.")
    stamps, values = stamps[order], values[order]
    unique, first, count = np.unique(stamps, return_index=True, return_counts=True)
    if len(unique) < len(stamps):
        if duplicates == "error":
            twice = first[count > 1][0]
            lines = sorted(int(line) + 2 for line in order[twice : twice + count[count > 1][0]])
            raise ValueError(
                f"{where}, lines {lines[0]} and {lines[1]}: a stamp must occur once (or choose `duplicates`). "
                f"Received twice: {stamps[twice]}."
            )
        notes.append(f"{len(stamps) - len(unique)} rows repeat a stamp; of each, {duplicates!r} counts.")
        if duplicates == "mean":
            values = np.stack([np.nanmean(part, axis=0) for part in np.split(values, first[1:])])
        else:
            values = values[first if duplicates == "first" else first + count - 1]
    if len(unique) < 2:
        raise ValueError(f"{where} must have at least two rows with different stamps. Received: {len(unique)}.")
    return unique, values


def _on_grid(stamps, values, where, notes):
    """Rows on the grid of the commonest step; absent stamps become rows of NaN."""
    steps = np.diff(stamps).astype("int64")
    sizes, counts = np.unique(steps, return_counts=True)
    step = int(sizes[counts.argmax()])
    offsets = (stamps - stamps[0]).astype("int64")
    off = np.flatnonzero(offsets % step)
    if len(off):
        raise ValueError(
            f"{where}: stamps must lie on an even grid; the commonest step is {step} s. Received: {stamps[off[0]]} "
            f"after {stamps[off[0] - 1]}. Resample the file first."
        )
    length = int(offsets[-1] // step) + 1
    if length == len(stamps):
        return stamps, values
    if length > LONGEST_GRID * len(stamps):
        raise ValueError(
            f"{where}: a step of {step} s from {stamps[0]} to {stamps[-1]} makes {length} rows of {len(stamps)}. "
            "Resample the file first."
        )
    grid = np.full((length, values.shape[1]), np.nan)
    grid[offsets // step] = values
    notes.append(f"{length - len(stamps)} stamps are absent from the grid of {step} s; their values are missing.")
    return stamps[0] + np.arange(length) * np.timedelta64(step, "s"), grid


def _filled(stamps, values, columns, missing, where, notes):
    """Rows without gaps, as `missing` says; rows before a column's first value are cut off."""
    absent = np.isnan(values)
    if not absent.any():
        return stamps, values
    if missing == "error":
        row, column = np.argwhere(absent)[0]
        raise ValueError(f"{where}: no value may be missing. Received: none of {columns[column]!r} at {stamps[row]}.")
    for position, column in enumerate(columns):
        count = int(absent[:, position].sum())
        if count:
            done = "each became the last value before it" if missing == "forward" else "they stay NaN"
            notes.append(f"{column!r}: {count} of {len(values)} values are missing; {done}.")
    if missing == "keep":
        return stamps, values
    start = int((~absent).argmax(axis=0).max())
    if start:
        notes.append(f"The first {start} rows are cut off: a column has no value before them.")
    last = np.maximum.accumulate(np.where(absent, 0, np.arange(len(values))[:, None]), axis=0)
    return stamps[start:], np.take_along_axis(values, last, axis=0)[start:]
