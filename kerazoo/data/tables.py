"""Tables of rows with a target: read from CSV or Parquet, or carried by scikit-learn; split, encoded."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerazoo.extras import need
from kerazoo.registry import unknown_choice

MOST_CATEGORIES = 50  # Values of a column of words; one with more is an identifier or free text.
EMPTY = ("", "na", "nan", "null", "none", "?")


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

    def __len__(self):
        return len(self.target)

    def take(self, rows):
        """The rows at these positions."""
        return Table(
            **(
                vars(self)
                | {
                    "numeric": {name: values[rows] for name, values in self.numeric.items()},
                    "categories": {name: values[rows] for name, values in self.categories.items()},
                    "target": self.target[rows],
                }
            )
        )

    def record(self):
        """Everything but the rows, as JSON types."""
        return {
            "name": self.name,
            "rows": len(self),
            "numeric": list(self.numeric),
            "categories": list(self.categories),
            "classes": list(self.classes),
            "positive": self.classes[self.positive],
            "share_of_classes": {name: float((self.target == index).mean()) for index, name in enumerate(self.classes)},
            "source": self.source,
            "terms": self.terms,
            "notes": list(self.notes),
        }


def breast_cancer():
    """569 tumours, 30 measurements each: benign or malignant (Wolberg et al., 1995), that scikit-learn carries."""
    need("sklearn")
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return Table(
        {str(name): column for name, column in zip(data.feature_names, data.data.T)},
        {},
        (1 - data.target).astype("int32"),
        ("benign", "malignant"),
        name="breast_cancer",
        source="scikit-learn's load_breast_cancer: UCI Breast Cancer Wisconsin (Diagnostic)",
        terms="CC BY 4.0 (UCI Machine Learning Repository)",
    )


TABLES = {"breast_cancer": breast_cancer}


def load_table(name):
    """A named `Table`: a key of `TABLES`.

    Raises:
        ValueError: an unknown name.
    """
    if name not in TABLES:
        raise ValueError(unknown_choice("table", name, TABLES))
    return TABLES[name]()


def read_table(path, *, target, positive=None, drop=()):
    """Reads a table with a target column of classes.

    A column whose cells are all numbers or empty is numeric, one of few different words is a category; others
    are left out. `Table.notes` says so.

    Args:
        path: a `.csv`, `.csv.gz` or `.parquet` file.
        target: name of the column of classes.
        positive: the class that is looked for, where there are two; by default the rarer one.
        drop: names of columns to leave out, for instance identifiers.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas.
        ValueError: an unknown column, an empty target, fewer than two classes, or no usable column.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = file.write_text("age,smokes,ill\\n30,yes,no\\n,no,no\\n70,yes,yes\\n")
    >>> table = read_table(file, target="ill")
    >>> list(table.numeric), list(table.categories), table.target.tolist(), table.classes
    (['age'], ['smokes'], [0, 0, 1], ('no', 'yes'))
    """
    need("pandas")
    import pandas

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"A table must be an existing file. Received: {str(path)!r}.")
    try:
        if path.suffix == ".parquet":
            need("pyarrow")
            cells = pandas.read_parquet(path)
        else:
            cells = pandas.read_csv(path, dtype=str, skipinitialspace=True, keep_default_na=False)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no table: {error}") from error
    unknown = [name for name in (target, *drop) if name not in cells.columns]
    if unknown:
        raise ValueError(f"{path} has the columns {list(cells.columns)}. Received: {unknown[0]!r}.")
    words = cells[target].astype(str).str.strip()
    empty = np.flatnonzero(words.str.lower().isin(EMPTY))
    if len(empty):
        raise ValueError(
            f"{path}, line {empty[0] + 2}, column {target!r}: every row must have a class. Received: none."
        )
    classes, codes = np.unique(words.to_numpy(str), return_inverse=True)
    if not 2 <= len(classes) <= MOST_CATEGORIES:
        raise ValueError(f"{target!r} must have 2 to {MOST_CATEGORIES} classes. Received: {len(classes)}.")
    numeric, categories, notes = {}, {}, []
    for name in cells.columns:
        if name == target or name in drop:
            continue
        column = cells[name]
        text = column.astype(str).str.strip()
        absent = (column.isna() | text.str.lower().isin(EMPTY)).to_numpy()
        numbers = pandas.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
        if np.isfinite(numbers[~absent]).all() and not absent.all():
            numeric[name] = np.where(absent, np.nan, numbers)
        elif 1 < len(set(text[~absent])) <= MOST_CATEGORIES:
            categories[name] = np.where(absent, "", text.to_numpy(str))
        else:
            notes.append(f"{name!r} is left out: {len(set(text[~absent]))} different words.")
    if not numeric and not categories:
        raise ValueError(f"{path} must have a column beside {target!r}. Received: {notes or 'none'}.")
    counts = np.bincount(codes, minlength=len(classes))
    if positive is not None and positive not in classes:
        raise ValueError(f"`positive` must be one of {classes.tolist()}. Received: {positive!r}.")
    chosen = int(counts.argmin()) if positive is None else classes.tolist().index(positive)
    named = path.name.partition(".")[0]
    return Table(
        numeric, categories, codes.astype("int32"), tuple(classes.tolist()), chosen, named, str(path), "", tuple(notes)
    )


class Encoder:
    """Learns from training rows how rows become a network's inputs.

    Numbers: empty cells become the median, then mean 0 and deviation 1. Categories: an index for each value seen,
    0 for an empty cell and for a value never seen.

    Args:
        table: the training `Table`.
    """

    def __init__(self, table):
        self.numeric, self.values = list(table.numeric), {}
        columns = np.stack(list(table.numeric.values()), axis=1) if self.numeric else np.zeros((len(table), 0))
        self.median = np.nan_to_num(np.nanmedian(columns, axis=0)) if len(self.numeric) else np.zeros(0)
        filled = np.where(np.isnan(columns), self.median, columns)
        self.mean, deviation = filled.mean(axis=0), filled.std(axis=0)
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        for name, cells in table.categories.items():
            self.values[name] = sorted(set(cells.tolist()) - {""})

    @property
    def cardinalities(self):
        """Indices of each category: the values seen, and one for all others."""
        return tuple(max(len(values) + 1, 2) for values in self.values.values())

    def __call__(self, table):
        """{"numeric": (N, columns) float32, "categories": (N, K) int32}, those that there are."""
        rows = {}
        if self.numeric:
            columns = np.stack([table.numeric[name] for name in self.numeric], axis=1)
            filled = np.where(np.isnan(columns), self.median, columns)
            rows["numeric"] = ((filled - self.mean) / self.deviation).astype("float32")
        if self.values:
            index = {name: {value: i for i, value in enumerate(known, start=1)} for name, known in self.values.items()}
            codes = [[index[name].get(cell, 0) for cell in table.categories[name].tolist()] for name in self.values]
            rows["categories"] = np.array(codes, "int32").T
        return rows
