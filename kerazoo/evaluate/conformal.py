"""Prediction intervals around point forecasts: split conformal prediction, for each step ahead and channel."""

import numpy as np


def half_widths(forecasts, truth, coverage):
    """How far an interval reaches to each side of a forecast, by the errors on windows that trained nothing.

    Split conformal prediction (Lei et al., 2018, https://arxiv.org/abs/1604.04173): the ceil((N + 1) coverage)-th
    smallest absolute error. Of exchangeable windows the interval would hold at least that share of what comes; windows
    of a series follow each other, so the share is to be measured on later ones (`coverage_of`).

    Args:
        forecasts, truth: (N, horizon, C).
        coverage: share that the interval is to hold, between 0 and 1.

    Returns:
        (horizon, C); infinite where N windows are too few to tell.

    Raises:
        ValueError: shapes that differ, or a coverage that is not between 0 and 1.

    Example:

    >>> import numpy as np
    >>> errors = np.arange(1.0, 10.0).reshape(9, 1, 1)
    >>> half_widths(np.zeros((9, 1, 1)), errors, 0.8).tolist(), half_widths(errors, errors, 0.95).tolist()
    ([[8.0]], [[inf]])
    """
    forecasts, truth = np.asarray(forecasts, "float64"), np.asarray(truth, "float64")
    if forecasts.shape != truth.shape or forecasts.ndim != 3 or not len(forecasts):
        raise ValueError(
            f"Forecasts and truth must have one shape, (N, horizon, C). Received: {forecasts.shape}, {truth.shape}."
        )
    if not 0 < coverage < 1:
        raise ValueError(f"`coverage` must lie between 0 and 1. Received: {coverage!r}.")
    rank = int(np.ceil(round((len(forecasts) + 1) * coverage, 9)))
    if rank > len(forecasts):
        return np.full(forecasts.shape[1:], np.inf)
    return np.sort(np.abs(truth - forecasts), axis=0)[rank - 1]


def coverage_of(forecasts, truth, widths):
    """Share of the truth within the intervals, of each step ahead: (horizon,).

    Args:
        forecasts, truth: (N, horizon, C), of windows that the widths are not from.
        widths: (horizon, C), of `half_widths`.
    """
    inside = np.abs(np.asarray(truth, "float64") - np.asarray(forecasts, "float64")) <= widths
    return inside.mean(axis=(0, 2))
