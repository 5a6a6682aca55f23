"""Groups of rows by a column: words as they are, many different numbers cut into bands."""

import re

import numpy as np

from kerazoo.data.delimited import EMPTY

FEW = 8  # Different numbers that are still groups by themselves; more are cut at their quartiles.
UNKNOWN = "unknown"  # What empty cells are.


def bands(column, edges=None):
    """Names of the groups of a column's cells.

    Args:
        column: a pandas series.
        edges: numbers, going up, at which a column of numbers is cut; each belongs to the band below it. None cuts at
            the quartiles where there are more than `FEW` different numbers.

    Returns:
        `(names, said)`: str (N,), and how numbers were cut, or None where they were not.

    Raises:
        ValueError: `edges` for a column of words, or edges that leave all rows in one band.

    Example:

    >>> import pandas
    >>> names, said = bands(pandas.Series([20, 31, None, 52]), (25, 40))
    >>> names.tolist()
    ['up to 25', 'over 25 to 40', 'unknown', 'over 40']
    """
    import pandas

    words = column.astype(str).str.strip()
    absent = (column.isna() | words.str.lower().isin(EMPTY)).to_numpy()
    names = np.where(absent, UNKNOWN, words.to_numpy(str))
    numbers = pandas.to_numeric(column.where(~absent), errors="coerce").to_numpy("float64", na_value=np.nan)
    are_words = absent.all() or not np.isfinite(numbers[~absent]).all()
    if edges is not None and are_words:
        shown = sorted(set(names[~absent & ~np.isfinite(numbers)]))[:3]
        raise ValueError(
            f"Bands need a column of numbers. Received: {column.name!r} with {', '.join(map(repr, shown))}."
        )
    if are_words or (edges is None and len(np.unique(numbers[~absent])) <= FEW):
        return names, None
    cuts = np.unique(np.quantile(numbers[~absent], (0.25, 0.5, 0.75), method="lower") if edges is None else edges)
    cuts = cuts[cuts < numbers[~absent].max()] if edges is None else cuts  # No band beyond the largest number.
    labels = _labels(cuts)
    names = np.where(absent, UNKNOWN, np.array(labels)[np.searchsorted(cuts, numbers)])
    if edges is not None and len(set(names[~absent])) < 2:
        raise ValueError(
            f"The bands of {column.name!r} must part its numbers, {numbers[~absent].min():g} to "
            f"{numbers[~absent].max():g}. Received: {', '.join(f'{cut:g}' for cut in cuts)}."
        )
    how = "its quartiles" if edges is None else "as asked for"
    return names, f"{column.name!r} as groups: cut at {', '.join(f'{cut:g}' for cut in cuts)}, {how}."


def _labels(cuts):
    """One more than there are cuts."""
    if not len(cuts):
        return ["all alike"]
    words = [f"{cut:g}" for cut in cuts]
    return [f"up to {words[0]}", *map("over {} to {}".format, words, words[1:]), f"over {words[-1]}"]


def in_order(names):
    """The different names of groups: bands going up, words by the alphabet, what is unknown last.

    Example:

    >>> in_order(["unknown", "over 40", "up to 5", "over 5 to 40"])
    ['up to 5', 'over 5 to 40', 'over 40', 'unknown']
    """

    def place(name):
        number = re.search(r"-?\d+(\.\d+)?(e[+-]?\d+)?", name)
        low = -np.inf if name.startswith("up to ") else float(number[0]) if number else np.inf
        return name == UNKNOWN, low, name

    return sorted({str(name) for name in names}, key=place)


def grouping(words):
    """["sex", "age:25", "40", "60"], a list cut at its commas -> {"sex": None, "age": (25.0, 40.0, 60.0)}.

    Raises:
        ValueError: edges that do not go up.

    Example:

    >>> grouping("sex,age:25,40,60".split(","))
    {'sex': None, 'age': (25.0, 40.0, 60.0)}
    """
    found = {}
    name = None
    for word in words:
        head, colon, edge = word.rpartition(":")
        if colon and head and _number(edge) is not None:
            name, found[head] = head, (_number(edge),)
        elif name is not None and _number(word) is not None:
            found[name] += (_number(word),)
        else:
            name, found[word] = None, None
    for name, edges in found.items():
        if edges and sorted(set(edges)) != list(edges):
            raise ValueError(
                f"The edges of bands must go up, as in age:25,40,60. Received: {name}:"
                f"{','.join(f'{edge:g}' for edge in edges)}."
            )
    return found


def _number(word):
    try:
        number = float(word)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
