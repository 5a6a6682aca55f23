"""How rows become a network's inputs, learnt from training rows alone."""

import numpy as np

SCALINGS = ("standard", "quantile")
QUANTILES = 101  # Points of a column's distribution that the quantile scaling keeps, at most.


class Encoder:
    """Learns from training rows how rows become a network's inputs.

    Numbers: empty cells become the median; then mean 0 and deviation 1, or by their place among the training
    values to a normal distribution, linear between 101 quantiles, so that a long tail weighs no more than another.
    Categories: an index for each value seen, 0 for an empty cell and for a value never seen.

    Args:
        table: the training `Table`.
        scaling: of the numbers, "standard" or "quantile".

    Raises:
        ValueError: an unknown scaling.
    """

    def __init__(self, table, *, scaling="standard"):
        if scaling not in SCALINGS:
            raise ValueError(f"`scaling` must be one of {SCALINGS}. Received: {scaling!r}.")
        self.numeric, self.values, self.scaling = list(table.numeric), {}, scaling
        columns = np.stack(list(table.numeric.values()), axis=1) if self.numeric else np.zeros((len(table), 0))
        self.median = np.nan_to_num(np.nanmedian(columns, axis=0)) if len(self.numeric) else np.zeros(0)
        filled = np.where(np.isnan(columns), self.median, columns)
        self.mean, deviation = filled.mean(axis=0), filled.std(axis=0)
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        self.points = [_normal_points(column) for column in filled.T] if scaling == "quantile" else []
        for name, cells in table.categories.items():
            self.values[name] = sorted(set(cells.tolist()) - {""})

    def scaled(self, table):
        """The numbers of a table as a network takes them, (N, columns) float32."""
        columns = np.stack([table.numeric[name] for name in self.numeric], axis=1)
        filled = np.where(np.isnan(columns), self.median, columns)
        if self.scaling == "quantile":
            return np.stack([np.interp(c, *p) for c, p in zip(filled.T, self.points)], axis=1).astype("float32")
        return ((filled - self.mean) / self.deviation).astype("float32")

    @property
    def cardinalities(self):
        """Indices of each category: the values seen, and one for all others."""
        return tuple(max(len(values) + 1, 2) for values in self.values.values())

    def __call__(self, table):
        """{"numeric": (N, columns) float32, "categories": (N, K) int32}, those that there are."""
        rows = {}
        if self.numeric:
            rows["numeric"] = self.scaled(table)
        if self.values:
            index = {name: {value: i for i, value in enumerate(known, start=1)} for name, known in self.values.items()}
            codes = [[index[name].get(cell, 0) for cell in table.categories[name].tolist()] for name in self.values]
            rows["categories"] = np.array(codes, "int32").T
        return rows


def bin_edges(columns, bins):
    """Edges of about equally full bins of each column, (columns,) lists: fewer bins where values repeat.

    Example:

    >>> import numpy as np
    >>> bin_edges(np.array([[0.0, 1], [1, 1], [2, 1], [3, 1], [4, 1]]), 2)
    [[0.0, 2.0, 4.0], [0.5, 1.5]]
    """
    edges = []
    for column in np.asarray(columns, "float64").T:
        points = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)))
        edges.append(points.tolist() if len(points) > 1 else [float(points[0]) - 0.5, float(points[0]) + 0.5])
    return edges


def _normal_points(column):
    """(values, places) of a column: quantiles and where a normal distribution has them, both ascending.

    A value that many quantiles share has the place in the middle of theirs. Two points at least: a column that
    never changes is 0 wherever it is.
    """
    from statistics import NormalDist

    shares = np.linspace(0, 1, QUANTILES)
    places = np.array([NormalDist().inv_cdf(share) for share in np.clip(shares, 0.001, 0.999)])
    values, index = np.unique(np.quantile(column, shares), return_inverse=True)
    if len(values) == 1:
        return np.array([values[0], values[0] + 1]), np.zeros(2)
    return values, np.bincount(index, weights=places) / np.bincount(index)
