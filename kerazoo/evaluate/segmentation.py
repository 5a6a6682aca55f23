"""What a segmenter's answers are worth: overlap class by class, pixels, and how far outlines lie apart."""

from dataclasses import dataclass

import numpy as np

from kerazoo.data.masks import VOID
from kerazoo.extras import need


@dataclass(frozen=True)
class Evaluation:
    """The figures of a segmenter on one split, all from one confusion matrix of its pixels but the last two.

    Attributes:
        count: images.
        confusion: (C, C) pixels, rows are the true classes; void pixels are in none.
        mean_iou: mean intersection over union of the classes that are there or were answered.
        mean_dice: likewise of the Dice coefficient.
        pixel_accuracy: share of right pixels.
        mean_accuracy: mean over classes of their share of right pixels.
        iou, dice, recall, precision: (C,), nan where there is nothing to divide by.
        image_iou: (N,) mean intersection over union of each image alone, of the classes in it or in the answer.
        hausdorff95: (C,) mean over images, in pixels, or None where it was not measured.
    """

    count: int
    confusion: np.ndarray
    mean_iou: float
    mean_dice: float
    pixel_accuracy: float
    mean_accuracy: float
    iou: np.ndarray
    dice: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    image_iou: np.ndarray
    hausdorff95: np.ndarray | None = None

    @property
    def worst(self):
        """Positions of the images, the lowest overlap first."""
        return np.argsort(self.image_iou, kind="stable")

    def record(self, classes):
        """The figures as JSON types, for `run.json`; nan becomes None."""
        columns = {"iou": self.iou, "dice": self.dice, "recall": self.recall, "precision": self.precision}
        if self.hausdorff95 is not None:
            columns["hausdorff95"] = self.hausdorff95
        pixels = self.confusion.sum(axis=1)
        return {
            "count": self.count,
            "mean_iou": _number(self.mean_iou),
            "mean_dice": _number(self.mean_dice),
            "pixel_accuracy": _number(self.pixel_accuracy),
            "mean_accuracy": _number(self.mean_accuracy),
            "per_class": {
                name: {key: _number(values[i]) for key, values in columns.items()} | {"pixels": int(pixels[i])}
                for i, name in enumerate(classes)
            },
            "confusion": self.confusion.tolist(),
        }


def evaluate(labels, answers, classes, *, void=VOID, outlines=False):
    """Judges answers by the true masks.

    Args:
        labels: (N, H, W), integers; `void` counts for nothing.
        answers: (N, H, W), integers from 0 to `classes - 1`.
        classes: how many.
        void: the label of pixels that belong to no class.
        outlines: measure the Hausdorff distance too, which takes a twentieth of a second an image and class.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: shapes that do not fit, no pixel that counts, or values that are no class.

    Example:

    >>> import numpy as np
    >>> figures = evaluate(np.array([[[0, 0, 1, 255]]]), np.array([[[0, 1, 1, 1]]]), 2)
    >>> figures.mean_iou, figures.pixel_accuracy
    (0.5, 0.6666666666666666)
    """
    labels, answers = np.asarray(labels), np.asarray(answers)
    if labels.shape != answers.shape or labels.ndim != 3 or not len(labels):
        raise ValueError(f"Labels and answers must be (N, H, W). Received: {labels.shape} and {answers.shape}.")
    each = np.stack([confusion(label, answer, classes, void=void) for label, answer in zip(labels, answers)])
    if not each.any():
        raise ValueError("Masks must have pixels that are not void. Received: none.")
    total = each.sum(axis=0)
    right, true, answered = np.diag(total), total.sum(axis=1), total.sum(axis=0)
    iou, dice, recall = _share(right, true + answered - right), _share(2 * right, true + answered), _share(right, true)
    return Evaluation(
        count=len(labels),
        confusion=total,
        mean_iou=float(np.nanmean(iou)),
        mean_dice=float(np.nanmean(dice)),
        pixel_accuracy=float(right.sum() / total.sum()),
        mean_accuracy=float(np.nanmean(recall)),
        iou=iou,
        dice=dice,
        recall=recall,
        precision=_share(right, answered),
        image_iou=_image_iou(each),
        hausdorff95=_hausdorff_of_classes(labels, answers, classes, void) if outlines else None,
    )


def confusion(labels, answers, classes, *, void=VOID):
    """Pixels of each true class (rows) answered as each class (columns): (C, C).

    Raises:
        ValueError: a label or an answer that is no class.

    Example:

    >>> import numpy as np
    >>> confusion(np.array([0, 0, 1, 255]), np.array([0, 1, 1, 0]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    known = labels != void
    labels, answers = labels[known].astype("int64"), answers[known].astype("int64")
    for name, values in (("Labels", labels), ("Answers", answers)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            raise ValueError(f"{name} must be from 0 to {classes - 1}. Received: {values.min()} to {values.max()}.")
    return np.bincount(labels * classes + answers, minlength=classes**2).reshape(classes, classes)


def hausdorff95(one, other):
    """How far two shapes' outlines lie apart in pixels, but for the farthest twentieth (Huttenlocher et al., 1993).

    From every pixel of each outline to the nearest of the other's, both ways together, the 95th percentile. Outlines
    are the pixels of a shape with a side neighbour that is not of it; the image's edge is no outline.

    Args:
        one, other: (H, W), boolean.

    Returns:
        The distance: 0 where both are empty, nan where one is.

    Raises:
        ImportError: without scipy.

    Example:

    >>> import numpy as np
    >>> one, other = np.zeros((2, 9, 9), bool)
    >>> one[2:5, 2:5], other[2:5, 4:7] = True, True
    >>> hausdorff95(one, other)
    2.0
    """
    need("scipy")
    from scipy.ndimage import binary_erosion, distance_transform_edt

    one, other = np.asarray(one, bool), np.asarray(other, bool)
    if not one.any() or not other.any():
        return 0.0 if one.any() == other.any() else float("nan")
    outlines = [shape & ~binary_erosion(shape, border_value=1) for shape in (one, other)]
    # A shape that fills the image has no outline but the whole of it.
    outlines = [outline if outline.any() else shape for outline, shape in zip(outlines, (one, other))]
    distances = [distance_transform_edt(~outline) for outline in outlines]
    both = np.concatenate([distances[1][outlines[0]], distances[0][outlines[1]]])
    return float(np.percentile(both, 95))


def _hausdorff_of_classes(labels, answers, classes, void):
    """(C,): the mean over the images in which truth and answer both have the class."""
    means = []
    for value in range(classes):
        pairs = ((label == value, (answer == value) & (label != void)) for label, answer in zip(labels, answers))
        distances = [hausdorff95(one, other) for one, other in pairs if one.any() and other.any()]
        means.append(np.mean(distances) if distances else np.nan)
    return np.array(means)


def _image_iou(each):
    """(N,) of (N, C, C)."""
    right, true, answered = np.diagonal(each, axis1=1, axis2=2), each.sum(axis=2), each.sum(axis=1)
    union = true + answered - right
    there = union > 0
    shares = np.divide(right, union, out=np.zeros(right.shape), where=there)
    return shares.sum(axis=1) / np.maximum(there.sum(axis=1), 1)


def _share(part, whole):
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _number(value):
    return None if np.isnan(value) else round(float(value), 6)
