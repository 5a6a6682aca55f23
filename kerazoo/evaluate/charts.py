"""The pictures of a report, as SVG and PNG text for a page that stands alone."""

import base64
import io

import numpy as np

from kerazoo.extras import need

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, GREEN, RED = "#2563eb", "#ea8a0c", "#0f9d76", "#d64545"


def learning_curves(history, *, best=None, metric="accuracy", title="Accuracy"):
    """Loss and a metric of training and validation, epoch by epoch, as an SVG.

    Args:
        history: a list with each epoch's {"loss", "val_loss", "accuracy", "val_accuracy"}.
        best: position of the epoch whose weights were kept.
        metric: its name in `history`.
        title: its name on the picture.
    """
    shown = [("loss", "Loss")] + [(metric, title)] * (metric in history[0] or f"val_{metric}" in history[0])
    figure, axes = figure_and_axes(4.8 * len(shown), 3.3, columns=len(shown))
    axes = np.atleast_1d(axes)
    epochs = np.arange(1, len(history) + 1)
    marker = "o" if len(history) < 25 else None
    for axis, (name, heading) in zip(axes, shown):
        for key, color, label in ((name, BLUE, "training"), (f"val_{name}", ORANGE, "validation")):
            values = np.array([epoch.get(key) for epoch in history], "float64")  # None becomes NaN.
            if not np.isnan(values).all():  # A training on all there is has no validation.
                axis.plot(epochs, values, color=color, label=label, linewidth=2, marker=marker, markersize=4)
        if best is not None:
            axis.axvline(best + 1, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            value = history[best].get(f"val_{name}")
            axis.annotate(
                f"kept: epoch {best + 1}" + ("" if value is None else f"\n{value:.3f}"),
                (best + 1, 0.5),
                xycoords=("data", "axes fraction"),
                xytext=(-6, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                color=MUTED,
                fontsize=9,
            )
        axis.set_title(heading, loc="left", fontweight="bold", fontsize=11)
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(frameon=False, fontsize=9)
    if shown[-1][0] == "accuracy":
        axes[-1].set_ylim(top=min(1.02, axes[-1].get_ylim()[1]))
    return svg(figure)


def forecasts(rows, *, unit=""):
    """Windows with their forecasts, one below the other, as an SVG.

    Args:
        rows: [(title, stamps, past, future, {name: forecast}, band)]: datetime64 of past and future together, the
            values (lookback,) and (horizon,) or, where it has not come yet, None, the forecasts, the first drawn
            strongest, and the lowest and highest quantile or bound of the first, (horizon, 2), or None.
        unit: of the values.
    """
    figure, axes = figure_and_axes(9.6, 2.1 * len(rows), rows=len(rows))
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    colors = (ORANGE, GREEN, RED)
    for axis, (title, stamps, past, future, answers, band) in zip(np.atleast_1d(axes), rows):
        split = len(past)
        axis.plot(stamps[:split], past, color=MUTED, linewidth=1.2)
        if future is not None:
            axis.plot(stamps[split:], future, color=INK, linewidth=1.6, label="what came")
        for (name, answer), color in zip(answers.items(), colors):
            strong = color == colors[0]
            axis.plot(stamps[split:], answer, color=color, linewidth=2 if strong else 1.2, label=shorten(name, 30))
        if band is not None:
            axis.fill_between(stamps[split:], *band.T, color=ORANGE, alpha=0.18, linewidth=0)
        axis.axvline(stamps[split], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        locator = AutoDateLocator(minticks=3, maxticks=9)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axis.set_title(shorten(title, 90), loc="left", fontweight="bold", fontsize=10)
        axis.set_ylabel(unit)
        axis.legend(frameon=False, fontsize=8, loc="upper left", ncols=1 + len(answers))
    return svg(figure)


def lines(curves, *, x, y, highlight=()):
    """Curves over 1, 2, 3, ... as an SVG.

    Args:
        curves: {name: (n,) values}.
        x: what the axis counts.
        y: what the values are.
        highlight: names drawn in the strong colour.
    """
    figure, axis = figure_and_axes(9.6, 3.3)
    others = iter((ORANGE, GREEN, RED, MUTED, INK))
    for name, values in curves.items():
        strong = name in highlight
        color = BLUE if strong else next(others)
        axis.plot(np.arange(1, len(values) + 1), values, color=color, linewidth=2.4 if strong else 1.4, label=name)
    axis.set(xlabel=x, ylabel=y)
    axis.legend(frameon=False, fontsize=9)
    return svg(figure)


def curves(points, *, x, y, highlight=(), diagonal=None, markers=False):
    """Curves over numbers as an SVG.

    Args:
        points: {name: ((n,) places, (n,) values)}.
        x: what the places are.
        y: what the values are.
        highlight: names drawn in the strong colour.
        diagonal: what to call a line on which both are equal; None draws none.
        markers: a dot at each place.
    """
    figure, axis = figure_and_axes(6.4, 4.2)
    others = iter((ORANGE, GREEN, RED, MUTED, INK))
    if diagonal:
        axis.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label=diagonal)
    for name, (places, values) in points.items():
        strong = name in highlight
        color, width, marker = BLUE if strong else next(others), 2.4 if strong else 1.4, "o" if markers else None
        axis.plot(places, values, color=color, linewidth=width, marker=marker, markersize=4, label=shorten(name, 30))
    axis.set(xlabel=x, ylabel=y)
    axis.legend(frameon=False, fontsize=9)
    return svg(figure)


def scatter(truth, answers, *, x, y):
    """Predicted over true numbers, each a dot, and the line on which both are equal, as an SVG."""
    figure, axis = figure_and_axes(5.2, 5.2)
    ends = [min(np.min(truth), np.min(answers)), max(np.max(truth), np.max(answers))]
    axis.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axis.scatter(truth, answers, color=BLUE, s=12, alpha=0.6, linewidths=0)
    axis.set(xlabel=x, ylabel=y)
    return svg(figure)


def equity(strategies, *, highlight=()):
    """What one unit became by each strategy, and how far it stood below its peak, as an SVG.

    Args:
        strategies: {name: (stamps, (N,) equity)}.
        highlight: names drawn in the strong colour.
    """
    figure, (top, bottom) = figure_and_axes(9.6, 5.4, rows=2, ratios=(3, 1.2))
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    others = iter((ORANGE, GREEN, RED, MUTED, INK) * len(strategies))
    for name, (stamps, values) in strategies.items():
        strong = name in highlight
        look = {"color": BLUE if strong else next(others), "linewidth": 2.0 if strong else 1.1}
        top.plot(stamps.astype("datetime64[s]"), values, label=shorten(name, 44), **look)
        fall = values / np.maximum.accumulate(np.maximum(values, 1.0)) - 1
        bottom.plot(stamps.astype("datetime64[s]"), 100 * fall, **(look | {"linewidth": 0.8}))
    top.set(yscale="log", ylabel="one unit became (log)")
    for ticks in (top.yaxis.set_major_formatter, top.yaxis.set_minor_formatter):
        ticks("{x:g}")
    bottom.set(ylabel="below its peak, %")
    for axis in (top, bottom):
        locator = AutoDateLocator(maxticks=9)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    top.legend(frameon=False, fontsize=9)
    return svg(figure)


def confusion_matrix(confusion, classes):
    """True classes in rows, answers in columns, shaded by the share of the row, as an SVG.

    Counts are written in where there are at most 20 classes.
    """
    count = len(classes)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = min(max(1.9 + 0.37 * count, 4.2), 10)
    figure, axis = figure_and_axes(side, side)
    axis.imshow(share, cmap=_shades(), vmin=0, vmax=1, aspect="equal")
    axis.grid(False)
    axis.set_xlabel("answer")
    axis.set_ylabel("true class")
    if count <= 40:
        names = [shorten(name, 14) for name in classes]
        axis.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(count), names)
    if count <= 20:
        for row, column in zip(*np.nonzero(confusion)):
            color = "white" if share[row, column] > 0.45 else (INK if row == column else RED)
            text = str(confusion[row, column])
            axis.text(column, row, text, ha="center", va="center", color=color, fontsize=9)
    axis.tick_params(length=0)
    return svg(figure)


def attention(shares, rows, columns):
    """What each row looked at, darker for more, as an SVG.

    Args:
        shares: (rows, columns), each row sums to 1.
        rows, columns: words.
    """
    figure, axis = figure_and_axes(1.6 + 0.28 * len(columns), 1.3 + 0.24 * len(rows))
    axis.imshow(shares, cmap=_shades(), vmin=0, vmax=1, aspect="auto")
    axis.grid(False)
    axis.set_xticks(range(len(columns)), [shorten(word, 18) for word in columns], rotation=60, ha="left")
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(rows)), [shorten(word, 18) for word in rows])
    axis.tick_params(length=0)
    return svg(figure)


def reliability_diagram(reliability, error):
    """Accuracy against confidence, with how often each confidence occurs below, as an SVG.

    Args:
        reliability: rows (mean confidence, accuracy, count), as in `Evaluation`.
        error: the expected calibration error.
    """
    figure, (top, bottom) = figure_and_axes(4.4, 5.4, rows=2, ratios=(3, 1))
    confidence, accuracy, count = np.asarray(reliability).T
    top.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfectly calibrated")
    area = 20 + 180 * count / count.max()
    top.vlines(confidence, np.minimum(confidence, accuracy), np.maximum(confidence, accuracy), color=RED, linewidth=2)
    top.scatter(
        confidence, accuracy, s=area, color=BLUE, zorder=3, edgecolor="white", label="answers of one confidence"
    )
    top.set(xlim=(0, 1.03), ylim=(0, 1.05), ylabel="share that is right")
    top.set_title(f"Calibration error {error:.1%}", loc="left", fontweight="bold", fontsize=11)
    top.legend(frameon=False, fontsize=9, loc="upper left", markerscale=0.6)
    bottom.bar(confidence, count, width=0.045, color=BLUE)
    bottom.set(xlim=(0, 1.03), xlabel="confidence", ylabel="answers")
    bottom.set_yscale("log")  # Most answers are sure; the few that are not would be invisible.
    bottom.yaxis.set_major_formatter("{x:,.0f}")
    bottom.minorticks_off()
    return svg(figure)


def bars(rows, *, unit="{:.1%}", highlight=(), width=8.6, limit=None):
    """Horizontal bars with their values, as an SVG.

    Args:
        rows: [(label, value)], from top to bottom.
        unit: how a value is written.
        highlight: labels drawn in the strong colour.
        width: of the picture, in inches.
        limit: the axis's end; None fits it to the values.
    """
    labels, values = [shorten(label, 44) for label, _ in rows], np.array([value for _, value in rows], float)
    figure, axis = figure_and_axes(width, 0.5 + 0.36 * len(rows))
    colors = [BLUE if label in highlight else "#a9bcdb" for label, _ in rows]
    axis.barh(range(len(rows)), values, color=colors, height=0.66)
    for row, value in enumerate(values):
        axis.text(value, row, " " + unit.format(value), va="center", fontsize=10, color=INK)
    axis.set_yticks(range(len(rows)), labels)
    axis.invert_yaxis()
    axis.set_xlim(0, limit or values.max() * 1.15 or 1)
    axis.xaxis.set_visible(False)
    axis.grid(False)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0)
    return svg(figure)


def picture(pixels, *, side=112):
    """One image as PNG text, small ones enlarged without smoothing so that their pixels are seen.

    Args:
        pixels: uint8, (H, W, 3).
        side: pixels of the longer side on the page, at least.
    """
    need("PIL")
    from PIL import Image

    image = Image.fromarray(np.asarray(pixels, "uint8"))
    factor = side / max(image.size)
    if factor > 1:
        image = image.resize([x * -(-side // max(image.size)) for x in image.size], Image.Resampling.NEAREST)
    else:
        image = image.resize([max(round(x * factor), 1) for x in image.size], Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def photograph(pixels, *, side=480):
    """A photograph as JPEG text, its longer side reduced to `side` pixels where it is longer.

    Args:
        pixels: uint8, (H, W, 3).
        side: pixels.
    """
    need("PIL")
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def shorten(text, length):
    """The text, or its beginning and an ellipsis, as a chart takes it: a dollar sign would start a formula."""
    text = str(text)
    return (text if len(text) <= length else text[: length - 1] + "…").replace("$", r"\$")


def figure_and_axes(width, height, *, rows=1, columns=1, ratios=None):
    """A figure and its axis or axes; it belongs to no window and no global state."""
    need("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, height_ratios=ratios, squeeze=False).ravel()
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(GRID)
        axis.tick_params(colors=MUTED, labelcolor=INK, labelsize=9)
        axis.grid(True, color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.xaxis.label.set_color(MUTED)
        axis.yaxis.label.set_color(MUTED)
        axis.xaxis.label.set_size(9)
        axis.yaxis.label.set_size(9)
    return figure, axes if len(axes) > 1 else axes[0]


def _shades():
    """From white over the strong colour to a dark one."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("blue", ["#ffffff", "#bcd2fb", BLUE, "#173f9c"])


def svg(figure):
    """The figure as a data address; text becomes outlines, so that it looks the same everywhere."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "kerazoo"}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
