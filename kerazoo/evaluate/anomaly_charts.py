"""Series with their labelled windows, scores and detections, as an SVG."""

import numpy as np

from kerazoo.data.nab import runs
from kerazoo.evaluate.charts import BLUE, INK, MUTED, ORANGE, RED, figure_and_axes, shorten, svg

DRAWN = 4000  # Points of a line; beyond, each stretch is drawn by its lowest and highest value.


def detections(title, values, scores, *, threshold, windows, learning):
    """The series above, the scores below, as an SVG; windows shaded, detections marked, the learning rows greyed.

    Args:
        title: above the picture.
        values: (T, C); at most three channels are drawn.
        scores: (T,).
        threshold: of a detection.
        windows: ((first, last), ...), or None.
        learning: rows at the beginning that are not judged.
    """
    figure, (top, bottom) = figure_and_axes(9.6, 3.6, rows=2, ratios=(3, 2))
    for channel, color in zip(range(min(values.shape[1], 3)), (INK, BLUE, MUTED)):
        top.plot(*_thinned(values[:, channel]), color=color, linewidth=0.9)
    bottom.plot(*_thinned(scores), color=BLUE, linewidth=0.9)
    bottom.axhline(threshold, color=RED, linewidth=1.2, linestyle=(0, (4, 3)), label="threshold of the learning rows")
    found = np.asarray(scores) > threshold
    found[:learning] = False
    for axis in (top, bottom):
        axis.axvspan(0, learning, color=MUTED, alpha=0.13, linewidth=0, label="learnt from")
        for index, (first, last) in enumerate(windows or ()):
            axis.axvspan(
                first, last + 1, color=ORANGE, alpha=0.28, linewidth=0, label="labelled" if not index else None
            )
        axis.set_xlim(0, len(values))
    height = top.get_ylim()[0]
    marked = np.array([(first + last) / 2 for first, last in runs(found)])
    top.plot(
        marked, np.full(len(marked), height), "^", color=RED, markersize=6, clip_on=False, zorder=5, label="detected"
    )
    top.set_ylim(bottom=height)
    # One wild score would flatten all others.
    usual = np.quantile(scores[learning:], 0.999) if len(scores) > learning else threshold
    bottom.set_ylim(min(0.0, float(np.min(scores))), max(usual, threshold) * 1.25 or 1.0)
    bottom.set(xlabel="row", ylabel="score")
    top.set_title(shorten(title, 70), loc="left", fontweight="bold", fontsize=10)
    top.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
    return svg(figure)


def _thinned(values):
    """(rows, values) of at most DRAWN points that look the same: the lowest and highest of each stretch."""
    values = np.asarray(values)
    size = -(-2 * len(values) // DRAWN)
    if size <= 2:
        return np.arange(len(values)), values
    whole = values[: len(values) // size * size].reshape(-1, size)
    starts = np.arange(len(whole))[:, None] * size
    places = np.sort(np.stack([whole.argmin(axis=1), whole.argmax(axis=1)], axis=1), axis=1) + starts
    return places.ravel(), values[places.ravel()]
