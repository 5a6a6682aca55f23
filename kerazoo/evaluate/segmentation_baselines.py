"""What a segmenter has to beat: the commonest class, the commonest at each place, a pixel's colour and place."""

import time

import numpy as np

from kerazoo.data.masks import VOID
from kerazoo.extras import need

FITTED = 40_000  # Pixels that logistic regression is fitted on: seconds, not minutes.
BLUR = 4  # Pixels of the Gaussian's deviation for the colour of a pixel's surroundings.


def segmentation_baselines(train, test, classes, *, seed=0):
    """The answers of simple segmenters to the test images, fitted on the training images alone.

    Args:
        train, test: `kerazoo.data.masks.Masked`.
        classes: how many.
        seed: of the pixels that logistic regression is fitted on.

    Yields:
        `(name, answers (N, H, W) uint8, {"fitted_on", "seconds"})`, from the simplest to the best informed.

    Raises:
        ImportError: without scikit-learn.
    """
    start = time.perf_counter()
    at_place = np.stack([(train.masks == value).sum(axis=0) for value in range(classes)])
    facts = {"fitted_on": int(at_place.sum()), "seconds": round(time.perf_counter() - start, 2)}
    commonest = at_place.sum(axis=(1, 2)).argmax()
    yield "most frequent class", np.full(test.masks.shape, commonest, "uint8"), facts
    answer = at_place.argmax(axis=0).astype("uint8")
    answer[at_place.sum(axis=0) == 0] = commonest
    yield "most frequent class at each place", np.broadcast_to(answer, test.masks.shape), facts
    start = time.perf_counter()
    fitted, count = _logistic_regression(train, seed)
    answers = np.stack([fitted.predict(_features(image)).reshape(image.shape[:2]) for image in test.pixels])
    facts = {"fitted_on": count, "seconds": round(time.perf_counter() - start, 2)}
    yield "logistic regression on colour and place", answers.astype("uint8"), facts


def _logistic_regression(train, seed):
    """`(classifier, pixels)` fitted on as many pixels of each image, drawn at random."""
    need("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng, rows, labels = np.random.default_rng(seed), [], []
    each = max(FITTED // len(train), 1)
    for pixels, mask in zip(train.pixels, train.masks):
        known = np.flatnonzero(mask != VOID)
        chosen = rng.choice(known, min(each, len(known)), replace=False)
        rows.append(_features(pixels)[chosen])
        labels.append(mask.ravel()[chosen])
    labels = np.concatenate(labels)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    return classifier.fit(np.concatenate(rows), labels), len(labels)


def _features(pixels):
    """(H, W, 3) -> (H * W, 15): a pixel's colour, that around it, how much that varies, its place and place squared."""
    from scipy.ndimage import gaussian_filter

    height, width = pixels.shape[:2]
    colour = pixels.astype("float32") / 255
    around = gaussian_filter(colour, (BLUR, BLUR, 0))
    spread = np.sqrt(np.maximum(gaussian_filter(colour**2, (BLUR, BLUR, 0)) - around**2, 0))
    rows, columns = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    place = np.stack([rows, columns, rows**2, columns**2, rows * columns, np.abs(columns)], axis=-1)
    return np.concatenate([colour, around, spread, place], axis=-1, dtype="float32").reshape(height * width, -1)
