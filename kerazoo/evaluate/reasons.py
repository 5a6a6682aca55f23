"""Why a model on tables answered as it did: what each column's value moves."""

from dataclasses import replace

import numpy as np


def typical_row(table):
    """{column: its median or commonest word} of a `Table`."""
    numbers = {name: float(np.nanmedian(values)) for name, values in table.numeric.items()}
    words = {}
    for name, cells in table.categories.items():
        values, counts = np.unique(cells, return_counts=True)
        words[name] = str(values[counts.argmax()])
    return numbers | words


def effects(score, table, typical):
    """What a row's own value of each column does to its score, beside the typical value.

    One column at a time is replaced, the others stay: it says what a change of this column alone would do, not what
    several do together, and nothing about causes.

    Args:
        score: a function from a `Table` to scores, (N,).
        table: the rows to explain.
        typical: of `typical_row`.

    Returns:
        {column: (N,)}: the score less the score with the typical value.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.tables import Table
    >>> rows = Table({"debt": np.array([1.0, 5.0])}, {}, np.array([0, 1]), ("good", "bad"))
    >>> effects(lambda table: 2 * table.numeric["debt"], rows, {"debt": 1.0})["debt"].tolist()
    [0.0, 8.0]
    """
    own = np.asarray(score(table))
    moved = {}
    for kind in ("numeric", "categories"):
        for name, values in getattr(table, kind).items():
            changed = {name: np.full(len(values), typical[name])}
            moved[name] = own - np.asarray(score(replace(table, **{kind: getattr(table, kind) | changed})))
    return moved


def strongest(moved, row, *, count=3):
    """[(column, effect)] of one row: those that raise its score most, the strongest first.

    Example:

    >>> import numpy as np
    >>> strongest({"a": np.array([0.1]), "b": np.array([2.0]), "c": np.array([-1.0])}, 0)
    [('b', 2.0), ('a', 0.1)]
    """
    raising = [(name, float(values[row])) for name, values in moved.items() if values[row] > 0]
    return sorted(raising, key=lambda pair: -pair[1])[:count]
