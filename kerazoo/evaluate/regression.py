"""Judging numbers against the true ones."""

import numpy as np


def scores(answers, truth):
    """Figures of predicted numbers.

    Args:
        answers: (N,).
        truth: (N,).

    Returns:
        {"r2", "rmse", "mae"}: the coefficient of determination, 1 - squared errors / squared deviations from the mean
        (of numbers that are all the same 1 where every answer is right, else 0), the root mean squared error and the
        mean absolute error.

    Raises:
        ValueError: shapes that differ, or no rows.

    Example:

    >>> scores([1.0, 3.0, 3.0], [1.0, 2.0, 3.0])["r2"]
    0.5
    """
    answers, truth = np.asarray(answers, "float64"), np.asarray(truth, "float64")
    if answers.shape != truth.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(f"`answers` and `truth` must both be (N,). Received: {answers.shape} and {truth.shape}.")
    errors, spread = answers - truth, ((truth - truth.mean()) ** 2).sum()
    squared = (errors**2).sum()
    return {
        "r2": float(1 - squared / spread if spread else squared == 0),
        "rmse": float((squared / len(truth)) ** 0.5),
        "mae": float(np.abs(errors).mean()),
    }
