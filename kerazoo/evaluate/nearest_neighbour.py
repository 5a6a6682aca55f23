"""What a classifier of series has to beat: the class of the nearest training series, by two distances."""

import time

import numpy as np

from kerazoo.data.splits import stratified_sample

# Cells of dynamic time warping's tables that a baseline may fill: minutes, not hours.
MOST_CELLS = 10_000_000_000


def series_baselines(train, test, *, seed=0):
    """Accuracy of the most frequent class and of the nearest neighbour, Euclidean and under dynamic time warping.

    Args:
        train: the training `LabelledSeries`; for dynamic time warping a sample by class where all would take hours.
        test: the test `LabelledSeries`, all used.
        seed: of the sample.

    Returns:
        [{"name", "accuracy", "fitted_on", "seconds"}]; dynamic time warping is left out where the test series alone
        are too many for one training series of each class.
    """
    commonest = float((test.labels == np.bincount(train.labels).argmax()).mean())
    rows = [{"name": "most frequent class", "accuracy": commonest, "fitted_on": len(train), "seconds": 0.0}]
    cells = len(test) * train.values.shape[1] ** 2
    few = stratified_sample(train.labels, MOST_CELLS // cells, np.random.default_rng(seed))
    for name, distances, chosen in (
        ("nearest neighbour, Euclidean", euclidean, np.arange(len(train))),
        ("nearest neighbour, dynamic time warping", warping, few),
    ):
        if len(np.unique(train.labels[chosen])) < len(np.unique(train.labels)):
            continue
        start, known = time.perf_counter(), train.take(chosen)
        nearest = [distances(query, known.values).argmin() for query in test.values]
        rows.append(
            {
                "name": name,
                "accuracy": float((known.labels[nearest] == test.labels).mean()),
                "fitted_on": len(known),
                "seconds": round(time.perf_counter() - start, 2),
            }
        )
    return rows


def euclidean(query, series):
    """Squared Euclidean distance of a series, (T, C), from each of others, (N, T, C): (N,)."""
    return np.square(series - query).sum(axis=(1, 2))


def warping(query, series):
    """Squared distance under dynamic time warping without a window (Sakoe & Chiba, 1978), channels warped together.

    Args:
        query: (T, C).
        series: (N, T, C).

    Returns:
        (N,), float64.

    Example:

    >>> import numpy as np
    >>> late = np.array([0.0, 0.0, 0.0, 1.0, 2.0])[:, None]
    >>> early = np.array([0.0, 1.0, 2.0, 2.0, 2.0])[:, None]
    >>> float(euclidean(late, early[None])[0]), float(warping(late, early[None])[0])
    (6.0, 0.0)
    """
    steps, backward = len(query), series[:, ::-1].astype("float64")
    # Cell (i, j) needs its neighbours at i + j - 1 and i + j - 2 alone: one antidiagonal at a time, rows i from 1 on.
    before = np.full((len(series), steps + 1), np.inf)
    last = before.copy()
    for diagonal in range(2 * steps - 1):
        first, end = max(0, diagonal - steps + 1), min(diagonal, steps - 1) + 1
        # Along the diagonal j = diagonal - i falls: a slice of the reversed series.
        across = backward[:, steps - 1 - diagonal + first : steps - 1 - diagonal + end]
        cost = np.square(across - query[first:end]).sum(axis=2)
        new = np.full_like(last, np.inf)
        best = np.minimum(np.minimum(last[:, first:end], last[:, first + 1 : end + 1]), before[:, first:end])
        new[:, first + 1 : end + 1] = cost + (best if diagonal else 0.0)
        before, last = last, new
    return last[:, steps]
