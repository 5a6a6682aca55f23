"""What a network has to beat: the majority's class, the nearest class mean, logistic regression on pixels."""

import time
import warnings

import numpy as np

from kerazoo.data.pipeline import pixels_of
from kerazoo.data.splits import stratified_sample
from kerazoo.extras import need

SIDE = 16  # Pixels of a baseline's image, each way; larger ones are averaged down to about that.
LARGEST_MEAN = 20_000  # Training images for the class means.
LARGEST_FIT = 5_000  # Training images for logistic regression: seconds, not minutes.


def image_baselines(train, test, *, seed=0):
    """Accuracy of simple classifiers on the same split, on pixels averaged to about 16x16.

    Args:
        train: the training `Images`, of which at most 20,000 (logistic regression: 5,000) are used.
        test: the test `Images`, all used.
        seed: of the sample.

    Returns:
        [{"name", "accuracy", "fitted_on", "seconds"}], from the simplest to the best informed.

    Raises:
        ImportError: without scikit-learn.
    """
    need("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid

    chosen = stratified_sample(train.labels, LARGEST_MEAN, np.random.default_rng(seed))
    x, y = flatten(pixels_of(train, chosen, size=(32, 32))), train.labels[chosen]
    x_test, y_test = flatten(pixels_of(test, np.arange(len(test)), size=(32, 32))), test.labels
    commonest = float((y_test == np.bincount(y).argmax()).mean())
    results = [{"name": "most frequent class", "accuracy": commonest, "fitted_on": len(y), "seconds": 0.0}]
    sample = stratified_sample(y, LARGEST_FIT, np.random.default_rng(seed))
    for name, classifier, chosen in (
        ("nearest class mean", NearestCentroid(), slice(None)),
        ("logistic regression on pixels", LogisticRegression(max_iter=300), sample),
    ):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Border pixels that never change, fits that stop early: both are fine.
            accuracy = classifier.fit(x[chosen], y[chosen]).score(x_test, y_test)
        results.append(
            {
                "name": name,
                "accuracy": float(accuracy),
                "fitted_on": len(y[chosen]),
                "seconds": round(time.perf_counter() - start, 2),
            }
        )
    return results


def flatten(pixels):
    """Averages blocks of pixels down to about 16x16 and lays them in a row, in [0, 1]: (N, H, W, C) -> (N, D)."""
    pixels = np.asarray(pixels)
    height, width = pixels.shape[1:3]
    block_y, block_x = max(height // SIDE, 1), max(width // SIDE, 1)
    rows, columns = height // block_y, width // block_x
    cut = pixels[:, : rows * block_y, : columns * block_x].astype("float32")
    blocks = cut.reshape(len(cut), rows, block_y, columns, block_x, -1).mean(axis=(2, 4))
    return blocks.reshape(len(cut), -1) / 255.0
