"""Tables of rows with a target: read from CSV or Parquet, their columns' kinds inferred."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kerazoo.data.dates import check_date_format, number_kind, read_dates
from kerazoo.data.delimited import EMPTY, read_cells

MOST_CATEGORIES = 50  # Values of a column of words; one with more is an identifier or free text.


@dataclass(frozen=True)
class Table:
    """Rows with a target class.

    Attributes:
        numeric: {name: float64 (N,)}, NaN where a cell is empty.
        categories: {name: str (N,)}, "" where a cell is empty.
        target: int32, (N,), indices into `classes`.
        classes: names, in the order of the target.
        positive: position of the class that is looked for, where there are two.
        name, source, terms: as in the command line and the report.
        notes: sentences on what was inferred or left out.
        groups: {name: str (N,)}, what rows are judged by and a model need not see.
        time: float64 (N,), when each row came, or None; rows with it are in its order.
        published: {what was published: figure}, for the report.
    """

    numeric: dict
    categories: dict
    target: np.ndarray
    classes: tuple
    positive: int = 1
    name: str = "table"
    source: str = ""
    terms: str = ""
    notes: tuple = ()
    groups: dict = field(default_factory=dict)
    time: np.ndarray | None = None
    published: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.target)

    def take(self, rows):
        """The rows at these positions."""
        columns = {
            kind: {name: values[rows] for name, values in getattr(self, kind).items()}
            for kind in ("numeric", "categories", "groups")
        }
        time = None if self.time is None else self.time[rows]
        return replace(self, **columns, target=self.target[rows], time=time)

    def without(self, names):
        """The table without these columns.

        Raises:
            ValueError: an unknown column, or none left.
        """
        known = [*self.numeric, *self.categories]
        unknown = [name for name in names if name not in known]
        if unknown or not set(known) - set(names):
            raise ValueError(f"`drop` must leave some of the columns {known}. Received: {list(names)}.")
        kept = ({k: v for k, v in columns.items() if k not in names} for columns in (self.numeric, self.categories))
        return replace(self, **dict(zip(("numeric", "categories"), kept)))

    def record(self):
        """Everything but the rows, as JSON types."""
        return {
            "name": self.name,
            "rows": len(self),
            "numeric": list(self.numeric),
            "categories": list(self.categories),
            "classes": list(self.classes),
            "positive": self.classes[self.positive] if len(self.classes) == 2 else None,
            "share_of_classes": {name: float((self.target == index).mean()) for index, name in enumerate(self.classes)},
            "source": self.source,
            "terms": self.terms,
            "notes": list(self.notes),
            "published": self.published,
        }


def read_table(path, *, target, positive=None, drop=(), groups=(), time=None, date_format=None, dialect=None):
    """Reads a table with a target column of classes.

    Separator, decimal sign and header row are recognised. A column whose cells are all numbers or empty is numeric, one
    of few different words is a category; others are left out. `Table.notes` says so.

    Args:
        path: a `.csv` (also `.tsv`, `.txt`, each also `.gz`) or `.parquet` file.
        target: name of the column of classes.
        positive: the class that is looked for, where there are two; by default the rarer one.
        drop: names of columns to leave out, for instance identifiers.
        groups: names of columns to judge by; one that is not in `drop` is seen by a model all the same.
        time: name of the column that says when each row came, as numbers or dates; it becomes no input.
        date_format: of that column, as for `kerazoo.data.dates.read_dates`, where it alone does not tell.
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas.
        ValueError: an unknown column, an empty target, fewer than two classes, dates that can be read in two ways, or
            no usable column.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = file.write_text("age,smokes,ill\\n30,yes,no\\n,no,no\\n70,yes,yes\\n")
    >>> table = read_table(file, target="ill")
    >>> list(table.numeric), list(table.categories), table.target.tolist(), table.classes
    (['age'], ['smokes'], [0, 0, 1], ('no', 'yes'))
    """
    path = Path(path)
    cells, said = read_cells(path, dialect)
    facts = {"target": target, "positive": positive, "drop": drop, "groups": groups, "time": time}
    table = table_of(cells, where=path, date_format=date_format, **facts)
    notes = ((said,) if said else ()) + table.notes
    return replace(table, name=path.name.partition(".")[0], source=str(path), notes=notes)


def table_of(
    cells,
    *,
    where,
    target,
    positive=None,
    drop=(),
    groups=(),
    time=None,
    date_format=None,
    most_categories=MOST_CATEGORIES,
):
    """The `Table` of a pandas data frame; the arguments are those of `read_table`.

    Args:
        where: what messages call it.
        most_categories: different words of a category, at most.

    Raises:
        ValueError: as `read_table`.
    """
    unknown = [name for name in (target, *drop, *groups, *([time] if time else [])) if name not in cells.columns]
    if unknown:
        raise ValueError(f"{where} has the columns {list(cells.columns)}. Received: {unknown[0]!r}.")
    check_date_format(date_format)
    stamps, notes = None, []
    if time:
        stamps, said = _stamps(cells[time], where, date_format)
        order = np.argsort(stamps, kind="stable")
        cells, stamps = cells.iloc[order], stamps[order]
        notes.append(f"{time!r}, read {said}, orders the rows and is no input: later times were never seen before.")
    words = cells[target].astype(str).str.strip()
    empty = np.flatnonzero(words.str.lower().isin(EMPTY))
    if len(empty):
        raise ValueError(
            f"{where}, line {cells.index[empty[0]] + 2}, column {target!r}: every row must have a class. "
            "Received: none."
        )
    classes, codes = np.unique(words.to_numpy(str), return_inverse=True)
    if not 2 <= len(classes) <= MOST_CATEGORIES:
        raise ValueError(f"{target!r} must have 2 to {MOST_CATEGORIES} classes. Received: {len(classes)}.")
    numeric, categories, left_out = _columns(
        cells.drop(columns=[target, time, *drop], errors="ignore"), most_categories
    )
    if not numeric and not categories:
        raise ValueError(f"{where} must have a column beside {target!r}. Received: {left_out or 'none'}.")
    if positive is not None and positive not in classes:
        raise ValueError(f"`positive` must be one of {classes.tolist()}. Received: {positive!r}.")
    rarest = int(np.bincount(codes, minlength=len(classes)).argmin())
    return Table(
        numeric,
        categories,
        codes.astype("int32"),
        tuple(classes.tolist()),
        rarest if positive is None else classes.tolist().index(positive),
        notes=(*notes, *left_out),
        groups={name: cells[name].astype(str).str.strip().to_numpy(str) for name in groups},
        time=stamps,
    )


def _columns(cells, most_categories):
    """({name: numbers}, {name: words}, notes) of a data frame's columns."""
    import pandas

    numeric, categories, notes = {}, {}, []
    for name in cells.columns:
        column = cells[name]
        text = column.astype(str).str.strip()
        absent = (column.isna() | text.str.lower().isin(EMPTY)).to_numpy()
        numbers = pandas.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
        if (np.abs(numbers[~absent]) <= np.finfo("float32").max).all() and not absent.all():
            numeric[name] = np.where(absent, np.nan, numbers)
        elif 1 < len(set(text[~absent])) <= most_categories:
            categories[name] = np.where(absent, "", text.to_numpy(str))
            words = np.flatnonzero(~absent & ~np.isfinite(numbers))
            if 0 < 2 * len(words) < (~absent).sum():
                notes.append(f"{name!r} is read as words: {len(words):,} cells are no number, {text.iloc[words[0]]!r}.")
        else:
            notes.append(f"{name!r} is left out: {len(set(text[~absent]))} different words.")
    return numeric, categories, notes


def _stamps(column, where, date_format):
    """(numbers as they are, or seconds since 1970 of dates, float64; how they were read)."""
    import pandas

    numeric = not pandas.api.types.is_datetime64_any_dtype(column)
    numbers = (
        pandas.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan) if numeric else np.array([])
    )
    counted = len(numbers) and np.isfinite(numbers).all() and number_kind(numbers) != "digits"
    if counted and date_format is None:
        return numbers, "as numbers"  # Of whatever unit: their order is all that counts.
    stamps, said = read_dates(column, f"{where}, column {column.name!r}", date_format=date_format)
    return stamps.astype("int64") / 1e6, said
