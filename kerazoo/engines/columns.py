"""Rows of a table by their columns' names -> the matrices that an exported tabular model takes."""

import keyword
import re

import numpy as np

KINDS = ("numeric", "categories")  # Inputs of a tabular model: a matrix of numbers, a matrix of words.


class Columns:
    """The columns of an exported tabular model, as its metadata names them.

    Args:
        numeric: names of the columns of numbers, in the order of the matrix "numeric".
        categories: names of the columns of words, in the order of the matrix "categories".
        words: {column: the words that training saw}, as far as they are known.

    Attributes:
        kinds: {column: "numeric" or "categories"}, in order.
        inputs: {column: its name in the served signature `columns`}: a lower-case name of an argument.

    Example:

    >>> columns = Columns(["age", "Net income"], ["job"])
    >>> columns.inputs
    {'age': 'age', 'Net income': 'net_income', 'job': 'job'}
    >>> rows = columns.matrices({"job": ["cook", None], "age": [30, ""], "Net income": [1e3, 2e3]})
    >>> rows["numeric"].tolist(), rows["categories"].tolist()
    ([[30.0, 1000.0], [nan, 2000.0]], [['cook'], ['']])
    """

    def __init__(self, numeric=(), categories=(), words=None):
        self.kinds = {name: kind for kind, names in zip(KINDS, (numeric, categories)) for name in names}
        self.words = words or {}
        self.inputs = {}
        for name in self.kinds:
            self.inputs[name] = _argument(name, taken=self.inputs.values())

    @classmethod
    def of(cls, metadata, inputs):
        """The `Columns` that an export's metadata names for these inputs ({name: TensorFacts}), or None."""
        named = {kind: metadata.get(kind) or [] for kind in KINDS}
        known = all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in named.values())
        shapes = {name: tuple(facts.shape)[1:] for name, facts in inputs.items()}
        if not known or shapes != {kind: (len(names),) for kind, names in named.items() if names}:
            return None
        words = metadata.get("words")
        columns = cls(**named, words=words if isinstance(words, dict) else None)
        return columns if len(columns.kinds) == sum(map(len, named.values())) else None

    def given(self, rows):
        """Whether `rows` are given by column: a data frame, or a dictionary that does not hold the two matrices."""
        if not isinstance(rows, dict):
            return hasattr(rows, "columns")
        return set(rows) != set(self.kinds.values()) or any(np.ndim(values) != 2 for values in rows.values())

    def matrices(self, rows):
        """{"numeric": (B, N) float32, "categories": (B, K) strings}, those that there are.

        Args:
            rows: {column: values}, or a data frame; columns of other names are ignored. Values are (B,) or (B, 1);
                an empty cell is None, NaN or "".

        Raises:
            ValueError: a column that is not there, columns of different lengths, or a cell that is no number in a
                column of numbers.
        """
        if not isinstance(rows, dict):
            rows = {str(name): rows[name] for name in rows.columns}
        missing = [name for name in self.kinds if name not in rows]
        if missing:
            raise ValueError(
                f"The rows must have the columns {list(self.kinds)}, as a dictionary or a data frame. "
                f"Received: no column {missing[0]!r}."
            )
        cells = {name: _cells(name, rows[name]) for name in self.kinds}
        sizes = {name: len(column) for name, column in cells.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Every column must hold the same number of rows. Received: {sizes}.")
        sides = {kind: [] for kind in self.kinds.values()}
        for name, kind in self.kinds.items():
            read = _numbers(name, cells[name]) if kind == "numeric" else _words(cells[name], self.words.get(name, ()))
            sides[kind].append(read)
        return {kind: np.stack(columns, axis=1) for kind, columns in sides.items()}


def _argument(name, taken):
    """A column's name as that of an argument of a served function, which TensorFlow writes in lower case."""
    argument = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    if not argument[:1].isalpha() or keyword.iskeyword(argument) or argument == "self":
        argument = f"column_{argument}"
    number, first = 1, argument
    while argument in taken:
        number += 1
        argument = f"{first}_{number}"
    return argument


def _cells(name, values):
    """A column's values as an array (B,)."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(values), None, values.data.astype(object))
    try:  # Cell for cell: of ["a", NaN] NumPy would make the words "a" and "nan".
        cells = np.asarray(values, object if isinstance(values, (list, tuple)) else None)
    except ValueError:  # Lists of different lengths.
        cells = np.empty(())
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    if cells.ndim != 1 or cells.dtype.kind not in "biufOSU":
        what = f"an array {cells.shape} of {cells.dtype}" if cells.ndim else repr(values)
        raise ValueError(f"Column {name!r} must hold numbers or words, (B,) or (B, 1). Received: {what}.")
    if cells.dtype != object:
        return cells
    plain = np.empty(len(cells), object)
    for row, cell in enumerate(cells):  # NumPy's scalars as Python's; its dates are no numbers.
        plain[row] = (str(cell) if cell.dtype.kind in "mM" else cell.item()) if isinstance(cell, np.generic) else cell
    return plain


def _absent(cell):
    """Whether a cell is empty: None, NaN, pandas's NA or NaT, or no text."""
    if isinstance(cell, (str, bytes)):
        return not cell.strip()
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell


def _numbers(name, cells):
    """(B,) float32, NaN for an empty cell."""
    if cells.dtype.kind in "OSU":
        numbers = np.empty(len(cells))
        for row, cell in enumerate(cells.tolist()):
            try:
                numbers[row] = np.nan if _absent(cell) else float(cell)
            except (TypeError, ValueError) as error:
                message = f"Column {name!r} must hold numbers, or empty cells. Received: {cell!r} in row {row}."
                raise ValueError(message) from error
    else:
        numbers = cells.astype("float64")
    large = np.flatnonzero(np.abs(numbers) > np.finfo("float32").max)
    if len(large):
        raise ValueError(
            f"Column {name!r} must hold numbers that float32 can hold. Received: {numbers[large[0]]} in row {large[0]}."
        )
    return numbers.astype("float32")


def _words(cells, known):
    """(B,) strings, "" for an empty cell.

    A reader of files may have made a number or a truth value of a word: it becomes the known word of that value.
    """
    known = [word for word in known if isinstance(word, str)]
    truths = {word.lower(): word for word in known}
    numbers = {value: word for word in known if (value := _value(word)) is not None}

    def word(cell):
        if _absent(cell):
            return ""
        text = (cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)).strip()
        if isinstance(cell, bool):
            return text if text in known else truths.get(text.lower(), text)
        if isinstance(cell, (int, float)):
            return text if text in known else numbers.get(float(cell), text)
        return text

    return np.array([word(cell) for cell in cells.tolist()], object)


def _value(word):
    try:
        return float(word)
    except ValueError:
        return None
