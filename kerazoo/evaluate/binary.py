"""Judging scores for two classes: ranking, calibration, costs, alerts, rejections."""

import numpy as np

from kerazoo.extras import need


def scores(probabilities, truth):
    """Figures of probabilities for the positive class.

    Args:
        probabilities: (N,), in [0, 1].
        truth: (N,), 0 or 1, both present.

    Returns:
        {"auroc", "auprc", "brier", "log_loss", "accuracy"}; the accuracy is that of the threshold 0.5.

    Raises:
        ImportError: without scikit-learn.
        ValueError: one class alone, or values outside [0, 1].

    Example:

    >>> scores([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])["auroc"]
    0.75
    """
    need("sklearn")
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    probabilities, truth = np.asarray(probabilities, "float64"), np.asarray(truth, int)
    if set(truth.tolist()) != {0, 1}:
        raise ValueError(f"Both classes must be present. Received: {sorted(set(truth.tolist()))}.")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("Probabilities must lie in [0, 1]. Received: others.")
    return {
        "auroc": float(roc_auc_score(truth, probabilities)),
        "auprc": float(average_precision_score(truth, probabilities)),
        "brier": float(brier_score_loss(truth, probabilities)),
        "log_loss": float(log_loss(truth, np.clip(probabilities, 1e-7, 1 - 1e-7))),
        "accuracy": float(((probabilities >= 0.5) == truth).mean()),
    }


def costs(probabilities, truth, *, miss, thresholds):
    """Mean cost of each threshold, where a false alarm costs 1 and a miss costs `miss`: (thresholds,)."""
    probabilities, truth = np.asarray(probabilities), np.asarray(truth, bool)
    alarm = probabilities[:, None] >= np.asarray(thresholds)
    return (alarm & ~truth[:, None]).mean(axis=0) + miss * (~alarm & truth[:, None]).mean(axis=0)


def cheapest_threshold(probabilities, truth, *, miss):
    """The threshold of least cost on these rows: in the middle between two probabilities that occur.

    Example:

    >>> cheapest_threshold([0.1, 0.2, 0.6, 0.9], [0, 1, 0, 1], miss=5)
    0.15000000000000002
    """
    values = np.unique(np.concatenate([[0.0], np.asarray(probabilities, "float64"), [1.0]]))
    thresholds = (values[1:] + values[:-1]) / 2
    return float(thresholds[costs(probabilities, truth, miss=miss, thresholds=thresholds).argmin()])


def ranking(values, truth):
    """{"auroc", "auprc"} of any values that are higher where the positive class is likelier; no probabilities."""
    need("sklearn")
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {"auroc": float(roc_auc_score(truth, values)), "auprc": float(average_precision_score(truth, values))}


def alerts(values, truth, shares):
    """What is found where only the rows with the highest values can be looked into.

    Args:
        values: (N,), higher where the positive class is likelier; of equal ones the first is looked into.
        truth: (N,), 0 or 1.
        shares: of the rows that can be looked into, each in (0, 1]; one row at least.

    Returns:
        [{"share", "alerts", "recall", "precision"}], one for each share.

    Example:

    >>> alerts([0.9, 0.1, 0.8, 0.3], [1, 0, 0, 1], [0.25, 0.5])[1]
    {'share': 0.5, 'alerts': 2, 'recall': 0.5, 'precision': 0.5}
    """
    truth = np.asarray(truth, bool)
    found = np.cumsum(truth[np.argsort(-np.asarray(values), kind="stable")])
    rows = []
    for share in shares:
        count = max(round(share * len(truth)), 1)
        recall, precision = found[count - 1] / found[-1], found[count - 1] / count
        rows.append({"share": share, "alerts": count, "recall": float(recall), "precision": float(precision)})
    return rows


def reject_curve(risks, bad, shares):
    """Share of bad rows among those taken, where the least risky are taken: (shares,).

    Args:
        risks: (N,).
        bad: (N,), 0 or 1.
        shares: of the rows that are taken, each in (0, 1]; one row at least.

    Example:

    >>> reject_curve([0.1, 0.9, 0.2, 0.8], [0, 1, 1, 0], [0.25, 0.5, 1.0]).tolist()
    [0.0, 0.5, 0.5]
    """
    among = np.cumsum(np.asarray(bad, float)[np.argsort(risks, kind="stable")])
    counts = np.maximum(np.round(np.asarray(shares) * len(among)).astype(int), 1)
    return among[counts - 1] / counts
