"""Time series from CSV and Parquet files: evenly spaced, checked, every repair said."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kerazoo.data import delimited
from kerazoo.data.dates import SAMPLE, check_date_format, looks_like_dates, read_dates

MISSING = ("forward", "error", "keep")
DUPLICATES = ("error", "first", "last", "mean")
GRIDS = ("even", "rows")
MOST_FILLED = 0.5  # Share of a column's values that may be carried forward: beyond it most of a series is invented.
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
        dated: whether the stamps are the file's; those of rows that are only counted are days from 1970 on.
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
    dated: bool = True

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

    def when(self, row):
        """The stamp of a row as text, or its number where rows are only counted."""
        return str(self.stamps[row]) if self.dated else f"row {row + 1:,}"

    def record(self):
        """Everything but the values, as JSON types."""
        return {
            "name": self.name,
            "rows": len(self),
            "columns": list(self.columns),
            "first": self.when(0),
            "last": self.when(len(self) - 1),
            "step_seconds": self.step if self.dated else None,
            "notes": list(self.notes),
            "source": self.source,
            "terms": self.terms,
        }


def read_series(
    path,
    *,
    time=None,
    columns=None,
    grid="even",
    missing="forward",
    duplicates="error",
    name=None,
    date_format=None,
    dialect=None,
    most_filled=MOST_FILLED,
):
    """Reads a table with a column of stamps into an evenly spaced `Series`.

    The schema is inferred where it is not given: separator, decimal sign and header row, the first column of stamps,
    and all columns of numbers; `Series.notes` says what was taken and what was left out. Rows are put in order; stamps
    with a zone become UTC. Whether of 01/02/2024 the day or the month comes first is decided from the whole column, or
    refused.

    Args:
        path: `.csv` (also `.tsv`, `.txt`, each also `.gz`), `.parquet`, or a file object with CSV text.
        time: name of the column of stamps. Without one, and with numbers alone, `grid` "rows" counts the rows.
        columns: names of the channels, in the order wanted.
        grid: "even" puts the rows on the grid of their commonest step, with gaps where stamps are absent;
            "rows" counts every row as one step, as for trading days or months.
        missing: what becomes of a cell without a value: "forward" takes the last value before it, never a later
            one, which a forecaster could not know; "keep" leaves NaN; "error" refuses.
        duplicates: which of several rows of one stamp counts; "mean" averages them.
        name: the series's name; by default the file's.
        date_format: as for `kerazoo.data.dates.read_dates`, where the column alone does not tell.
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.
        most_filled: share of a column's values that "forward" may fill in, at most. A column with fewer values of its
            own is left out where none are named, or else refused.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas, or pyarrow for Parquet.
        ValueError: no stamps or numbers, a cell that is neither a number nor empty, dates that can be read in two ways,
            duplicate or off-grid stamps, too many missing values, fewer than two rows; with the line and the column.

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
    check_date_format(date_format)
    table, said = delimited.read_cells(path, dialect, what="A series")
    where = name or str(getattr(path, "name", path))
    if not len(table) or not len(table.columns):
        raise ValueError(f"{where} must have a header and at least two rows. Received: {len(table)} rows.")
    notes = [said] if said else []
    time = _time_column(table, time, grid, date_format, where)
    stamps = _stamps(table, time, date_format, where, notes)
    chosen = _numbers(table, time, columns, where, notes)
    stamps, values = _in_order(stamps, chosen, table.index.to_numpy() + 2, duplicates, where, notes)
    if grid == "even":
        stamps, values = _on_grid(stamps, values, where, notes)
    if missing == "forward":
        steps = "" if grid == "rows" else ', count rows as steps (`grid="rows"`)'
        values, chosen = _dense(values, tuple(chosen), columns is not None, most_filled, steps, where, notes)
    stamps, values = _filled(stamps, values, tuple(chosen), missing, where, notes)
    for column, channel in zip(chosen, values.T):
        if np.nanmin(channel) == np.nanmax(channel):
            notes.append(f"{column!r} never changes.")
    stem = name or Path(where).name.partition(".")[0]
    facts = {"source": str(where), "dated": time is not None}
    return Series(values.astype("float32"), stamps, tuple(chosen), stem, tuple(notes), **facts)


def _time_column(table, time, grid, date_format, where):
    """Name of the column of stamps, or None where rows of numbers alone are counted."""
    if time is not None:
        if time not in table.columns:
            raise ValueError(f"`time` must be one of the columns {list(table.columns)}. Received: {time!r}.")
        return time
    numbers = [column for column in table.columns if _is_number(table[column].iloc[:SAMPLE]).any()]
    words = [column for column in table.columns if column not in numbers]
    for column in [*words, *numbers]:  # A year beside a date is no stamp.
        if looks_like_dates(table[column], date_format):
            return column
    if grid == "rows" and not words:
        return None
    steps = "" if grid == "rows" else ', or count rows of numbers alone as steps (`grid="rows"`)'
    raise ValueError(
        f"{where} has no column of stamps: name one (`time`) and its form (`date_format`){steps}. "
        f"Received: {list(table.columns)}."
    )


def _is_number(cells):
    import pandas

    if pandas.api.types.is_datetime64_any_dtype(cells):  # Parquet's own stamps.
        return np.zeros(len(cells), bool)
    return pandas.to_numeric(cells, errors="coerce").notna()


def _stamps(table, time, date_format, where, notes):
    """datetime64[us] of every row."""
    if time is None:
        notes.append("There is no column of stamps: every row counts as one step, in the order of the file.")
        return np.datetime64("1970-01-01", "us") + np.arange(len(table)) * np.timedelta64(1, "D")
    stamps, said = read_dates(table[time], f"{where}, column {time!r}", date_format=date_format)
    notes.append(f"Stamps are in the column {time!r}, read {said}.")
    return stamps


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
        empty = cells.isna() | cells.astype(str).str.strip().str.lower().isin(delimited.EMPTY)
        numbers = pandas.to_numeric(cells, errors="coerce")
        bad = np.flatnonzero(numbers.isna() & ~empty)
        if len(bad) and columns is None and not numbers.notna().any():
            left.append(column)  # A column of words is left out; one bad cell among numbers is a mistake.
            continue
        if len(bad):
            raise ValueError(
                f"{where}, line {table.index[bad[0]] + 2}, column {column!r}: every cell must be a number or empty. "
                f"Received: {cells.iloc[bad[0]]!r}."
            )
        values = numbers.to_numpy("float64", na_value=np.nan)
        beyond = np.flatnonzero(np.abs(values) > np.finfo("float32").max)
        if len(beyond):
            raise ValueError(
                f"{where}, line {table.index[beyond[0]] + 2}, column {column!r}: every number must be finite, as "
                f"float32 too. Received: {cells.iloc[beyond[0]]!r}."
            )
        if np.isnan(values).all():
            raise ValueError(f"{where}, column {column!r}: at least one cell must hold a number. Received: none.")
        chosen[column] = values
    if left:
        notes.append(f"Columns without numbers are left out: {', '.join(map(repr, left))}.")
    if not chosen:
        raise ValueError(f"{where} must have a column of numbers. Received: {list(table.columns)}.")
    return chosen


def _in_order(stamps, chosen, lines, duplicates, where, notes):
    """Rows by their stamps in whole seconds, one for each."""
    values = np.stack(list(chosen.values()), axis=1)
    order = np.argsort(stamps, kind="stable")
    if (order[1:] < order[:-1]).any():
        notes.append("The rows were not in order of time; they are now.")
    stamps, values = stamps[order], values[order]
    unique, first, count = np.unique(stamps, return_index=True, return_counts=True)
    if len(unique) < len(stamps):
        if duplicates == "error":
            twice = first[count > 1][0]
            one, two = sorted(lines[order[twice : twice + count[count > 1][0]]])[:2]
            raise ValueError(
                f"{where}, lines {one} and {two}: a stamp must occur once (or choose `duplicates`). "
                f"Received twice: {stamps[twice]}."
            )
        notes.append(f"{len(stamps) - len(unique)} rows repeat a stamp; of each, {duplicates!r} counts.")
        if duplicates == "mean":
            values = np.stack([np.nanmean(part, axis=0) for part in np.split(values, first[1:])])
        else:
            values = values[first if duplicates == "first" else first + count - 1]
    if len(unique) < 2:
        raise ValueError(f"{where} must have at least two rows with different stamps. Received: {len(unique)}.")
    seconds = unique.astype("datetime64[s]")
    within = np.flatnonzero(seconds[1:] == seconds[:-1])
    if len(within):
        raise ValueError(
            f"{where}: stamps must lie at least a second apart. Received: {unique[within[0]]} and "
            f"{unique[within[0] + 1]}, {len(within):,} within a second of another. Resample the file first."
        )
    return seconds, values


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


def _dense(values, columns, named, most_filled, steps, where, notes):
    """(values, columns) without those that would mostly be filled in; refused where they are named, or all.

    `steps` is what the message says of rows that could be counted.
    """
    share = np.isnan(values).mean(axis=0)
    sparse = [column for column, missing in zip(columns, share) if missing > most_filled]
    if not sparse:
        return values, columns
    if named or len(sparse) == len(columns):
        column = columns.index(sparse[0])
        count, length = int(np.isnan(values[:, column]).sum()), len(values)
        raise ValueError(
            f"{where}: at most {most_filled:.0%} of a column's values may be filled in. Received: {count:,} of "
            f"{length:,} values of {sparse[0]!r} are missing. See how the dates are read (`date_format`){steps}, or "
            "resample the file first."
        )
    notes.append(
        f"Columns with more than {most_filled:.0%} missing values are left out: {', '.join(map(repr, sparse))}."
    )
    kept = share <= most_filled
    return values[:, kept], tuple(column for column, keep in zip(columns, kept) if keep)


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
