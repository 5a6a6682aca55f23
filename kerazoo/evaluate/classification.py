"""What a classifier's scores are worth: accuracy, per-class figures, calibration, its worst mistakes."""

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Evaluation:
    """The figures of a classifier on one split.

    Attributes:
        count: examples.
        accuracy: share of right answers.
        top5: share of examples whose class is among the five likeliest; None with five classes or fewer.
        precision, recall, f1: (C,), nan where a class was never predicted, or is not there.
        support: (C,), examples of each class.
        confusion: (C, C), rows are the true classes.
        calibration_error: expected calibration error (Guo et al., 2017), 15 bins of equal width.
        reliability: a row for each bin that has examples: (mean confidence, accuracy, count).
        loss: mean cross-entropy, in nats.
        labels, predicted, confidence: (N,), the truth and the answer for each example, and its probability.
        mistakes: positions of the wrong answers, the most confident first.
    """

    count: int
    accuracy: float
    top5: float | None
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    confusion: np.ndarray
    calibration_error: float
    reliability: np.ndarray
    loss: float
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    mistakes: np.ndarray

    def record(self, classes):
        """The figures as JSON types, for `run.json`; nan becomes None."""
        per_class = {
            name: {
                "precision": _number(self.precision[i]),
                "recall": _number(self.recall[i]),
                "f1": _number(self.f1[i]),
                "support": int(self.support[i]),
            }
            for i, name in enumerate(classes)
        }
        return {
            "count": self.count,
            "accuracy": _number(self.accuracy),
            "accuracy_95": accuracy_interval(self.accuracy, self.count),
            "top5": _number(self.top5),
            "loss": _number(self.loss),
            "calibration_error": _number(self.calibration_error),
            "per_class": per_class,
            "confusion": self.confusion.tolist(),
        }


def evaluate(logits, labels):
    """Judges a classifier by its logits.

    Args:
        logits: (N, C), before softmax.
        labels: (N,), integers.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: shapes that do not fit, no examples, or values that are not finite.

    Example:

    >>> import numpy as np
    >>> evaluate(np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), np.array([0, 1, 1])).accuracy
    0.6666666666666666
    """
    logits, labels = np.asarray(logits, "float64"), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(f"`logits` must be (N, C) and `labels` (N,). Received: {logits.shape} and {labels.shape}.")
    if not np.isfinite(logits).all():
        raise ValueError(f"`logits` must be finite. Received: {int((~np.isfinite(logits)).sum())} values that are not.")
    count, classes = logits.shape
    probabilities = softmax(logits)
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    right = predicted == labels
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    precision = _share(np.diag(confusion), confusion.sum(axis=0))
    recall = _share(np.diag(confusion), confusion.sum(axis=1))
    reliability, calibration_error = calibration(confidence, right)
    wrong = np.flatnonzero(~right)
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    likelier = (logits > own).sum(axis=1)
    return Evaluation(
        count=count,
        accuracy=float(right.mean()),
        top5=float((likelier < 5).mean()) if classes > 5 else None,
        precision=precision,
        recall=recall,
        f1=_share(2 * precision * recall, precision + recall),
        support=confusion.sum(axis=1),
        confusion=confusion,
        calibration_error=calibration_error,
        reliability=reliability,
        loss=float((_log_sum_exp(logits) - own[:, 0]).mean()),
        labels=labels,
        predicted=predicted,
        confidence=confidence,
        mistakes=wrong[np.argsort(-confidence[wrong], kind="stable")],
    )


def calibration(confidence, right, *, bins=BINS):
    """How far confidence and accuracy lie apart.

    Returns:
        `(reliability, error)`: for each bin with examples (mean confidence, accuracy, count), and the
        mean distance of the two, weighted by the count.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [
        (confidence[place == b].mean(), right[place == b].mean(), (place == b).sum())
        for b in range(bins)
        if (place == b).any()
    ]
    reliability = np.array(rows)
    distance = np.abs(reliability[:, 0] - reliability[:, 1])
    return reliability, float((distance * reliability[:, 2]).sum() / len(confidence))


def accuracy_interval(accuracy, count):
    """Where the accuracy on other examples of this kind would lie, 95%: Wilson's interval for a share.

    Example:

    >>> low, high = accuracy_interval(0.98, 400)
    >>> round(low, 3), round(high, 3)
    (0.961, 0.99)
    """
    z = 1.959964
    middle = (accuracy + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count))
    return float(max(middle - half, 0.0)), float(min(middle + half, 1.0))


def softmax(logits):
    """(N, C) -> (N, C), rows that sum to one."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _log_sum_exp(logits):
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def _share(part, whole):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _number(value):
    return None if value is None or np.isnan(value) else round(float(value), 6)
