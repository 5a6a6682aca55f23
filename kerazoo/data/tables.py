"""Tables of rows with a target: read from CSV or Parquet, their columns' kinds inferred."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from kerazoo.data.bands import bands
from kerazoo.data.dates import check_date_format, number_kind, read_dates
from kerazoo.data.delimited import EMPTY, read_cells

TASKS = ("classification", "regression")
MOST_NUMBERS = 20  # Different numbers of a target that are still classes, where nobody says what they are.
MOST_CATEGORIES = 50  # Values of a column of words; one with more is an identifier or free text.


@dataclass(frozen=True)
class Table:
    """Rows with a target: a class, or a number.

    Attributes:
        numeric: {name: float64 (N,)}, NaN where a cell is empty.
        categories: {name: str (N,)}, "" where a cell is empty.
        target: int32, (N,), indices into `classes`; float64 of a regression.
        classes: names, in the order of the target; none of a regression.
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

    @property
    def strata(self):
        """What a split keeps the shares of: each row's class; of a regression 0 for all, (N,)."""
        return self.target if self.classes else np.zeros(len(self), "int32")

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


def read_table(
    path,
    *,
    target,
    positive=None,
    drop=(),
    groups=(),
    time=None,
    date_format=None,
    dialect=None,
    task="classification",
):
    """Reads a table with a target column of classes or numbers.

    Separator, decimal sign and header row are recognised. A column whose cells are all numbers or empty is numeric, one
    of few different words is a category; others are left out. `Table.notes` says so.

    Args:
        path: a `.csv` (also `.tsv`, `.txt`, each also `.gz`) or `.parquet` file.
        target: name of the column of classes or numbers.
        positive: the class that is looked for, where there are two; by default the rarer one.
        drop: names of columns to leave out, for instance identifiers.
        groups: names of columns to judge by, or {name: edges of its bands, or None} (`kerazoo.data.bands.bands`); one
            that is not in `drop` is seen by a model all the same.
        time: name of the column that says when each row came, as numbers or dates; it becomes no input.
        date_format: of that column, as for `kerazoo.data.dates.read_dates`, where it alone does not tell.
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.
        task: "classification" or "regression"; None decides by the target: a regression if it has numbers alone, and
            more than 20 different ones.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas.
        ValueError: an unknown column or task, an empty target, fewer than two classes, no number in a regression's
            target, dates that can be read in two ways, or no usable column.

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
    facts = {"target": target, "positive": positive, "drop": drop, "groups": groups, "time": time, "task": task}
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
    task="classification",
    most_categories=MOST_CATEGORIES,
):
    """The `Table` of a pandas data frame; the arguments are those of `read_table`.

    Args:
        where: what messages call it.
        most_categories: different words of a category, at most.

    Raises:
        ValueError: as `read_table`.
    """
    groups = groups if isinstance(groups, dict) else dict.fromkeys(groups)
    asked = {"target": [target], "drop": drop, "groups": groups, "time": [time] if time else []}
    for argument, names in asked.items():
        unknown = [name for name in names if name not in cells.columns]
        if unknown:
            known = f"{where} has the columns {list(cells.columns)}, of which `{argument}` must be"
            raise ValueError(f"{known}. Received: {unknown[0]!r}.")
    check_date_format(date_format)
    stamps, notes = None, []
    if time:
        stamps, said = _stamps(cells[time], where, date_format)
        order = np.argsort(stamps, kind="stable")
        cells, stamps = cells.iloc[order], stamps[order]
        notes.append(f"{time!r}, read {said}, orders the rows and is no input: later times were never seen before.")
    classes, values = _target(cells[target], where, task)
    if task is None:
        kind = "classes" if classes else "numbers"
        notes.append(f"{target!r} has {len(classes or set(values.tolist())):,} different {kind}.")
    numeric, categories, left_out = _columns(
        cells.drop(columns=[target, time, *drop], errors="ignore"), most_categories
    )
    if not numeric and not categories:
        raise ValueError(f"{where} must have a column beside {target!r}. Received: {left_out or 'none'}.")
    if positive is not None and positive not in classes:
        known = list(classes) if classes else "a target's classes; this one has numbers"
        raise ValueError(f"`positive` must be one of {known}. Received: {positive!r}.")
    grouped = {name: bands(cells[name], cut) for name, cut in groups.items()}
    notes += [said for _, said in grouped.values() if said]
    rarest = int(np.bincount(values).argmin()) if classes else 0
    return Table(
        numeric,
        categories,
        values,
        classes,
        rarest if positive is None else classes.index(positive),
        notes=(*notes, *left_out),
        groups={name: names for name, (names, _) in grouped.items()},
        time=stamps,
    )


def _target(column, where, task):
    """(names of the classes, int32 indices) of a target column, or ((), float64 numbers)."""
    import pandas

    if task not in (None, *TASKS):
        raise ValueError(f"`task` must be None or one of {TASKS}. Received: {task!r}.")
    words, name = column.astype(str).str.strip(), column.name
    numbers = pandas.to_numeric(words, errors="coerce").to_numpy("float64", na_value=np.nan)
    empty = words.str.lower().isin(EMPTY).to_numpy()
    no_number = ~(np.abs(numbers) <= np.finfo("float32").max) & ~empty
    choices = f"2 to {MOST_CATEGORIES} classes"
    if task is None:
        numeric = not no_number.any() and len(np.unique(numbers[~empty])) > MOST_NUMBERS
        task, choices = "regression" if numeric else "classification", f"numbers alone, or {choices}"
    wrong = np.flatnonzero(empty | no_number if task == "regression" else empty)
    if len(wrong):
        cell = "none" if empty[wrong[0]] else repr(words.iloc[wrong[0]])
        raise ValueError(
            f"{where}, line {column.index[wrong[0]] + 2}, column {name!r}: every row must have a "
            f"{'number' if task == 'regression' else 'class'}. Received: {cell}."
        )
    if task == "regression":
        if len(np.unique(numbers)) < 2:
            raise ValueError(f"{name!r} must have different numbers. Received: {numbers[:1].tolist()} alone.")
        return (), numbers
    classes, codes = np.unique(words.to_numpy(str), return_inverse=True)
    if not 2 <= len(classes) <= MOST_CATEGORIES:
        other = f", {words[no_number].iloc[0]!r} among them" if "numbers" in choices else ""
        raise ValueError(f"{name!r} must have {choices}. Received: {len(classes)}{other}.")
    return tuple(classes.tolist()), codes.astype("int32")


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
