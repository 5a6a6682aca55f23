"""Judging anomaly scores of series: thresholds from normal rows, F1 by points and windows, NAB's score.

A detection is a score above the threshold. What a threshold from the learning rows reaches (`figures`) and what the
best one would have reached, chosen with the labels (`best`), are never mixed: the second is an upper bound, no result.
"""

from dataclasses import dataclass

import numpy as np

from kerazoo.extras import need

# NAB's standard profile: what a window found at its first row earns, a missed one and a false alarm cost.
FOUND, MISSED, FALSE_ALARM = 1.0, 1.0, 0.11
FAR_BEHIND = 3.0  # Window widths behind a window, from which on a false alarm costs all of it.
TRIED = 400  # Thresholds that `best` looks at.
F1 = ("point_f1", "adjusted_f1", "window_f1")


@dataclass(frozen=True)
class Scored:
    """One series' scores and its labels.

    Attributes:
        scores: (T,), higher is stranger, finite.
        windows: ((first row, last row), ...), both inside, in order.
        learning: rows at the beginning that do not count.
    """

    scores: np.ndarray
    windows: tuple
    learning: int = 0

    def truth(self):
        """True for every row inside a window, (T,)."""
        inside = np.zeros(len(self.scores), bool)
        for first, last in self.windows:
            inside[first : last + 1] = True
        return inside

    def detections(self, threshold):
        """True where the score is above the threshold; never in the learning rows."""
        found = np.asarray(self.scores) > threshold
        found[: self.learning] = False
        return found

    def counted(self):
        """The windows that do not end in the learning rows."""
        return [(max(first, self.learning), last) for first, last in self.windows if last >= self.learning]


def tail_threshold(scores, *, risk=1e-4, level=0.9):
    """The threshold that normal scores exceed with probability `risk`, by the shape of their upper tail.

    Peaks over a threshold (Siffer et al., 2017, https://doi.org/10.1145/3097983.3098144): a generalised Pareto
    distribution, fitted by its moments, on what exceeds the quantile `level`.

    Args:
        scores: of normal rows, best those that the training has not seen, (N,).
        risk: of a false alarm at a row.
        level: share of the scores below the tail.

    Raises:
        ValueError: fewer than 10 scores, or `risk` not below the tail's share.

    Example:

    >>> import numpy
    >>> round(tail_threshold(numpy.random.default_rng(0).exponential(size=100_000), risk=1e-3), 1)
    6.9
    """
    scores = np.asarray(scores, "float64")
    if len(scores) < 10 or not 0 < risk < 1 - level:
        raise ValueError(
            f"A tail needs at least 10 scores and a risk in (0, {1 - level:.3g}). Received: {len(scores)} scores and "
            f"risk={risk!r}."
        )
    start = np.quantile(scores, level)
    excess = scores[scores > start] - start
    if not len(excess) or excess.mean() <= 0:
        return float(scores.max())
    # The share of the variance keeps one lone peak from making the tail infinitely heavy.
    ratio = excess.mean() ** 2 / max(excess.var(), 1e-12 * excess.mean() ** 2)
    shape, scale = 0.5 * (1 - ratio), 0.5 * excess.mean() * (1 + ratio)
    beyond = risk * len(scores) / len(excess)
    if abs(shape) < 1e-6:
        return float(start - scale * np.log(beyond))
    return float(start + scale / shape * (beyond**-shape - 1))


def point_counts(scored, threshold, *, adjusted=False):
    """(found, false alarms, missed) rows.

    Args:
        scored: a `Scored`.
        threshold: of a detection.
        adjusted: count every row of a window as found where one is (Xu et al., 2018,
            https://arxiv.org/abs/1802.03903). It flatters: of long windows even random scores find one row.
    """
    found, truth = scored.detections(threshold), scored.truth()
    truth[: scored.learning] = False
    if adjusted:
        for first, last in scored.counted():
            found[first : last + 1] |= found[first : last + 1].any()
    return int((found & truth).sum()), int((found & ~truth).sum()), int((~found & truth).sum())


def window_counts(scored, threshold):
    """(windows found, runs of detections that touch no window, windows missed)."""
    from kerazoo.data.nab import runs

    found, truth = scored.detections(threshold), scored.truth()
    hit = sum(found[first : last + 1].any() for first, last in scored.counted())
    false = sum(not truth[first : last + 1].any() for first, last in runs(found))
    return int(hit), int(false), len(scored.counted()) - int(hit)


def f1(found, false, missed):
    """2 found / (2 found + false + missed); 0 where nothing is found or to be found."""
    return 2 * found / (2 * found + false + missed) if found else 0.0


def nab_weights(scored):
    """What a detection earns or costs at each row in NAB's standard profile, (T,).

    Inside a window a scaled sigmoid that falls from 1 at its first row, behind it the same curve going on below
    zero, up to the whole cost of a false alarm (Lavin & Ahmad, 2015, https://arxiv.org/abs/1510.03336).
    """
    rows = np.arange(len(scored.scores))
    weights = np.full(len(rows), -FALSE_ALARM)
    for first, last in scored.windows:
        width = last - first + 1
        behind = (rows - last) / max(width - 1, 1)
        after = (behind > 0) & (behind <= FAR_BEHIND)
        weights[last + 1 :] = -FALSE_ALARM  # Of the windows before, the last one counts.
        weights[after] = FALSE_ALARM * _curve(behind[after])
        weights[first : last + 1] = FOUND * _curve((rows[first : last + 1] - last - 1) / width) / _curve(-1.0)
    return weights


def _curve(position):
    """1 to -1 over a window and what lies behind it; 0 at its right end."""
    return 2 / (1 + np.exp(5 * np.asarray(position, "float64"))) - 1


def nab_points(scored, threshold):
    """One series' points in NAB's standard profile: of each window its best detection, of false alarms all."""
    found, weights = scored.detections(threshold), nab_weights(scored)
    outside = found & ~scored.truth()
    points = weights[outside].sum()
    for first, last in scored.counted():
        inside = found[first : last + 1]
        points += weights[first : last + 1][inside].max() if inside.any() else -MISSED
    return float(points)


def nab_score(series, threshold):
    """NAB's score, standard profile: 100 for every window found at its first row and no false alarm, 0 for silence.

    Args:
        series: [`Scored`], judged together.
        threshold: one for all.

    Returns:
        The score, or None where there is no window.

    Example:

    >>> import numpy
    >>> scored = Scored(numpy.array([0, 0, 0, 0, 9, 0, 0, 0, 0, 0.0]), windows=((4, 6),))
    >>> nab_score([scored], 5.0), nab_score([scored], 10.0)
    (100.0, 0.0)
    """
    windows = sum(len(scored.counted()) for scored in series)
    if not windows:
        return None
    points = sum(nab_points(scored, threshold) for scored in series)
    return 100 * (points + windows * MISSED) / (windows * (FOUND + MISSED))


def figures(series, threshold):
    """What one threshold reaches on all series together.

    Args:
        series: [`Scored`].
        threshold: one for all; scores that were divided by their series' own threshold have 1.

    Returns:
        {"point_f1", "adjusted_f1", "window_f1", "nab", "windows_found", "windows", "false_runs"}; "nab" is None where
        there is no window.
    """
    plain = [point_counts(scored, threshold) for scored in series]
    adjusted = [point_counts(scored, threshold, adjusted=True) for scored in series]
    windows = [window_counts(scored, threshold) for scored in series]
    sums = {name: np.sum(counts, axis=0) for name, counts in zip(F1, (plain, adjusted, windows))}
    found, false, missed = (int(count) for count in sums["window_f1"])
    return {name: float(f1(*counts)) for name, counts in sums.items()} | {
        "nab": nab_score(series, threshold),
        "windows_found": found,
        "windows": found + missed,
        "false_runs": false,
    }


def best(series):
    """The best that any threshold would have reached, each figure by its own, chosen with the labels.

    Returns:
        {"point_f1" | "adjusted_f1" | "window_f1" | "nab": {"value", "threshold"}}.
    """
    pooled = np.concatenate([np.asarray(scored.scores)[scored.learning :] for scored in series])
    # Evenly over the upper half, then ever finer towards the largest scores, where thresholds lie.
    shares = np.concatenate([np.linspace(0.5, 1, TRIED // 2), 1 - np.geomspace(1e-1, 1 / len(pooled), TRIED // 2)])
    found = {}
    for threshold in np.unique(np.quantile(pooled, shares, method="lower")):
        for name, value in figures(series, threshold).items():
            if name in (*F1, "nab") and value is not None and value > found.get(name, {"value": -np.inf})["value"]:
                found[name] = {"value": value, "threshold": float(threshold)}
    return found


def ranking(scored):
    """{"auroc", "auprc"} of the rows that count, or None where all are of one kind.

    Raises:
        ImportError: without scikit-learn.
    """
    need("sklearn")
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth, scores = scored.truth()[scored.learning :], np.asarray(scored.scores)[scored.learning :]
    if truth.all() or not truth.any():
        return None
    return {"auroc": float(roc_auc_score(truth, scores)), "auprc": float(average_precision_score(truth, scores))}


def rolling_z_score(values, *, lookback, least):
    """How many deviations a row lies from the rows just before it, the mean over channels, (T,).

    Args:
        values: (T, C).
        lookback: rows before it, at least 2; the first rows, which have fewer, score 0.
        least: (C,), the smallest deviation that is divided by.
    """
    values = np.asarray(values, "float64")
    before = np.lib.stride_tricks.sliding_window_view(values[:-1], lookback, axis=0)
    deviation = np.maximum(before.std(axis=-1), least)
    scores = np.zeros(len(values))
    scores[lookback:] = (np.abs(values[lookback:] - before.mean(axis=-1)) / deviation).mean(axis=1)
    return scores


def isolation_forest(training, *, seed=0):
    """A function from windows (N, lookback, C) to scores (N,): an isolation forest fitted on normal windows.

    Raises:
        ImportError: without scikit-learn.
    """
    need("sklearn")
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=seed).fit(training.reshape(len(training), -1))
    return lambda windows: -forest.score_samples(windows.reshape(len(windows), -1))
