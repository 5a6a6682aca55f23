"""What a detector has to beat: the colours of each class, and where they hang together."""

import time

import numpy as np

from kerazoo.evaluate.detection import evaluate
from kerazoo.extras import need

LEVELS = 16  # Shades of each channel that are told apart.
THRESHOLDS = (0.2, 0.35, 0.5, 0.65, 0.8)
TUNED_ON = 60  # Training images on which each class's threshold is chosen.
SMALLEST = 5  # Pixels of a box's shorter side.
NAME = "colours and connected areas"


def colour_baseline(train, test, classes):
    """Boxes around connected areas in the colours of a class, in the images as the network sees them.

    For every colour, in 16 shades of each channel, the share of training pixels that lie in boxes of the class, smaller
    boxes before larger ones. An area is where that share, averaged over 5x5 pixels, is above a threshold, which is the
    one of five that does best on training images; its score is its mean share.

    Args:
        train, test: `kerazoo.data.detection_pipeline.Letterboxes`, whose pixels are read through `annotations`.
        classes: how many there are.

    Returns:
        `({"name", "map50", "fitted_on", "seconds"}, predictions)` for the test images.

    Raises:
        ImportError: without SciPy, which scikit-learn brings.
    """
    need("scipy")
    start = time.perf_counter()
    shares = _shares(train, classes)
    tuned = train.annotations.take(range(min(TUNED_ON, len(train))))
    maps = [_maps(shares, _pixels(train, i)) for i in range(len(tuned))]
    best = []
    for label in range(classes):
        scores = []
        for threshold in THRESHOLDS:
            found = [_found(m, train.places[i], {label: threshold}) for i, m in enumerate(maps)]
            precision = evaluate(found, tuned, classes).precision[0, label]
            scores.append(0.0 if np.isnan(precision) else precision)
        best.append(THRESHOLDS[int(np.argmax(scores))])
    chosen = dict(enumerate(best))
    predictions = [_found(_maps(shares, _pixels(test, i)), test.places[i], chosen) for i in range(len(test))]
    judged = evaluate(predictions, test.annotations, classes)
    record = {"name": NAME, "map50": judged.map50, "map": judged.map, "fitted_on": len(train)}
    return record | {"seconds": round(time.perf_counter() - start, 2)}, predictions


def _pixels(images, position):
    return images.load(np.array([position]))[0].numpy()


def _colours(pixels):
    """(H, W): the number of each pixel's colour."""
    levels = (pixels // (256 // LEVELS)).astype(int)
    return (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]


def _shares(images, classes):
    """(colours, classes): of a colour's training pixels, the share in boxes of each class."""
    counts = np.ones((LEVELS**3, classes + 1))  # A colour that was never seen says nothing.
    counts[:, classes] += 1
    for position in range(len(images)):
        colours = _colours(_pixels(images, position))
        owner = np.full(colours.shape, classes)
        labels = images.classes[position]
        boxes = images.boxes[position][labels >= 0]
        for row in np.argsort(-np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)):
            left, top, right, bottom = np.round(boxes[row]).astype(int)
            owner[top:bottom, left:right] = labels[row]
        np.add.at(counts, (colours.ravel(), owner.ravel()), 1)
    return (counts / counts.sum(axis=1, keepdims=True))[:, :classes]


def _maps(shares, pixels):
    """(H, W, classes): the share of each pixel's colour, smoothed."""
    from scipy.ndimage import uniform_filter

    return uniform_filter(shares[_colours(pixels)], size=(5, 5, 1))


def _found(maps, place, thresholds):
    """The boxes of one image, in its own pixels."""
    from scipy.ndimage import find_objects, label, mean

    boxes, scores, labels = [], [], []
    for number, threshold in thresholds.items():
        areas, count = label(maps[..., number] > threshold)
        means = mean(maps[..., number], areas, range(1, count + 1)) if count else []
        for (rows, columns), score in zip(find_objects(areas), means):
            if min(rows.stop - rows.start, columns.stop - columns.start) >= SMALLEST:
                boxes.append((columns.start, rows.start, columns.stop, rows.stop))
                scores.append(score)
                labels.append(number)
    corners = place.to_image(np.array(boxes, "float32").reshape(-1, 4))
    return {"boxes": corners, "scores": np.array(scores, "float32"), "classes": np.array(labels, int)}
