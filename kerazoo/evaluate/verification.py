"""One person or two? Scores of pairs of faces: ROC, equal error rate, accuracy by folds."""

import numpy as np


def cosines(first, second):
    """Cosine of each pair of rows, (P,): (P, D) and (P, D)."""
    first, second = np.asarray(first, "float64"), np.asarray(second, "float64")
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(axis=1) / np.maximum(lengths, 1e-12)


def all_pairs(labels):
    """Every pair of images: `(first, second, same)`, positions and whether both are of one person.

    Example:

    >>> [part.tolist() for part in all_pairs([0, 0, 1])]
    [[0, 0, 1], [1, 2, 2], [True, False, False]]
    """
    labels = np.asarray(labels)
    first, second = np.triu_indices(len(labels), k=1)
    return first, second, labels[first] == labels[second]


def roc(scores, same):
    """The rates of every threshold, from the strictest on.

    Args:
        scores: (P,), higher where a pair is likelier of one person.
        same: (P,), bool, both kinds present.

    Returns:
        `(far, tar, thresholds)`: the share of pairs of two people, and of one, whose score is at least the threshold;
        the first threshold, infinity, accepts none.

    Raises:
        ValueError: pairs of one kind alone, or scores that are not finite.

    Example:

    >>> far, tar, thresholds = roc([0.9, 0.7, 0.8, 0.1], [True, True, False, False])
    >>> far.tolist(), tar.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    scores, same = np.asarray(scores, "float64"), np.asarray(same, bool)
    if same.all() or not same.any() or not np.isfinite(scores).all():
        raise ValueError(
            "There must be pairs of one person and of two, with finite scores. "
            f"Received: {same.sum()} of {len(same)} of one person."
        )
    order = np.argsort(-scores, kind="stable")
    scores, same = scores[order], same[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # Equal scores are accepted together.
    tar, far = np.cumsum(same)[last] / same.sum(), np.cumsum(~same)[last] / (~same).sum()
    return np.append(0.0, far), np.append(0.0, tar), np.append(np.inf, scores[last])


def equal_error_rate(scores, same):
    """`(rate, threshold)` where as large a share of strangers is accepted as of true pairs refused.

    Between two thresholds the rate lies on the straight line between them.

    Example:

    >>> equal_error_rate([0.9, 0.7, 0.8, 0.1], [True, True, False, False])
    (0.5, 0.8)
    """
    far, tar, thresholds = roc(scores, same)
    gap = far + tar - 1  # Climbs from -1 to 1.
    after = int(np.argmax(gap >= 0))
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(far[after - 1] + share * (far[after] - far[after - 1])), float(thresholds[after])


def threshold_at(scores, same, *, far):
    """The lowest threshold at which no larger share of strangers than `far` is accepted, on these pairs."""
    rates, _, thresholds = roc(scores, same)
    return float(thresholds[np.flatnonzero(rates <= far)[-1]])


def accepted(scores, same, threshold):
    """{"tar", "far"} of a threshold that was chosen on other pairs."""
    taken, same = np.asarray(scores) >= threshold, np.asarray(same, bool)
    return {"tar": float(taken[same].mean()), "far": float(taken[~same].mean())}


def decidability(scores, same):
    """How far apart both kinds of pairs lie, in deviations (Daugman, 1993, https://doi.org/10.1109/34.244676).

    Smoother than the rates, which a few pairs decide.
    """
    scores, same = np.asarray(scores, "float64"), np.asarray(same, bool)
    spread = np.sqrt((scores[same].var() + scores[~same].var()) / 2)
    return float((scores[same].mean() - scores[~same].mean()) / max(spread, 1e-12))


def fold_accuracy(scores, same, folds):
    """Accuracy as LFW reports it (Huang et al., 2007): each fold by the threshold that is best on the others.

    Args:
        scores: (P,).
        same: (P,), bool.
        folds: (P,), which fold each pair belongs to; two at least.

    Returns:
        {"accuracy", "standard_error", "folds"}: the mean over the folds, its standard error, each fold's.

    Raises:
        ValueError: one fold.

    Example:

    >>> fold_accuracy([0.9, 0.1, 0.8, 0.2], [True, False, True, False], [0, 0, 1, 1])["accuracy"]
    1.0
    """
    scores, same, folds = np.asarray(scores), np.asarray(same, bool), np.asarray(folds)
    if len(np.unique(folds)) < 2:
        raise ValueError(f"There must be two folds at least. Received: {len(np.unique(folds))}.")
    accuracies = []
    for fold in np.unique(folds):
        others = folds != fold
        threshold = _best_threshold(scores[others], same[others])
        accuracies.append(float(((scores[~others] >= threshold) == same[~others]).mean()))
    error = np.std(accuracies, ddof=1) / np.sqrt(len(accuracies))
    return {"accuracy": float(np.mean(accuracies)), "standard_error": float(error), "folds": accuracies}


def _best_threshold(scores, same):
    """The threshold of most right answers: in the middle between two scores that occur."""
    values = np.unique(scores)
    thresholds = np.concatenate([[values[0]], (values[1:] + values[:-1]) / 2, [np.nextafter(values[-1], np.inf)]])
    # Right answers: those of one person at or above, of two below.
    right = same.sum() - np.searchsorted(np.sort(scores[same]), thresholds)
    right = right + np.searchsorted(np.sort(scores[~same]), thresholds)
    return thresholds[right.argmax()]


def verification(scores, same, fars=(0.01, 0.001)):
    """The figures of one set of pairs, as JSON types: EER, TAR at each FAR that the pairs can tell, decidability."""
    far, tar, _ = roc(scores, same)
    rate, _ = equal_error_rate(scores, same)
    strangers = int((~np.asarray(same, bool)).sum())
    return {
        "eer": rate,
        "tar_at_far": {str(limit): float(tar[far <= limit].max()) for limit in fars if limit * strangers >= 1},
        "auc": float(np.trapezoid(tar, far)),
        "decidability": decidability(scores, same),
        "same": int(np.sum(same)),
        "different": strangers,
    }
