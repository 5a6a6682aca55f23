"""Small pictures of series side by side, as SVG text for a page that stands alone."""

import numpy as np

from kerazoo.evaluate import charts

COLORS = (charts.BLUE, charts.ORANGE, charts.GREEN, charts.RED, charts.INK, "#8b5cf6")
COLUMNS = 4


def examples(data, *, most_classes=12):
    """Training series of every class, a row of pictures each, evenly spaced among its series.

    Args:
        data: a `SeriesData`.
        most_classes: classes to show.
    """
    panels = []
    for label, name in list(enumerate(data.classes))[:most_classes]:
        members = np.flatnonzero(data.train.labels == label)
        chosen = members[np.unique(np.linspace(0, len(members) - 1, COLUMNS).astype(int))] if len(members) else []
        behind = _mean(data, label)
        row = [(name, charts.INK, _channels(data.train.values[position], behind)) for position in chosen]
        panels += row + [None] * (COLUMNS - len(row))
    return _panels(panels)


def mistakes(data, evaluation, *, most=12):
    """The most confident wrong answers; with one channel, the mean training series of both classes lie behind.

    Args:
        data: a `SeriesData`.
        evaluation: the `Evaluation` of its test series.
        most: pictures at most.
    """
    panels = []
    for position in evaluation.mistakes[:most]:
        truth, answer = evaluation.labels[position], evaluation.predicted[position]
        said = f"{data.classes[answer]} ({evaluation.confidence[position]:.0%}), is {data.classes[truth]}"
        behind = _mean(data, truth, charts.GREEN) + _mean(data, answer, charts.RED)
        panels.append((said, charts.RED, _channels(data.test.values[position], behind)))
    return _panels(panels)


def _mean(data, label, color=charts.MUTED):
    """[(values, color, width)] of a class's mean training series, where there is one channel."""
    members = data.train.values[data.train.labels == label]
    return [(members.mean(axis=0)[:, 0], color, 0.8)] if members.shape[2] == 1 and len(members) else []


def _channels(series, behind):
    """Lines of a series's channels, in front of others."""
    return behind + [(channel, COLORS[i % len(COLORS)], 1.4) for i, channel in enumerate(series.T)]


def _panels(panels):
    rows = -(-len(panels) // COLUMNS)
    figure, axes = charts.figure_and_axes(9.6, 1.65 * rows, rows=rows, columns=COLUMNS)
    for axis, panel in zip(axes, panels + [None] * (rows * COLUMNS - len(panels))):
        if panel is None:
            axis.set_axis_off()
            continue
        title, color, lines = panel
        for values, line_color, width in lines:
            axis.plot(np.arange(len(values)), values, color=line_color, linewidth=width)
        axis.set_title(charts.shorten(title, 34), loc="left", fontsize=8.5, color=color)
        axis.tick_params(labelsize=7)
    return charts.svg(figure)
