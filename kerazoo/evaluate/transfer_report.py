"""What the report of a transfer has beyond a classifier's: accuracy over the number of images, the trainings."""

import numpy as np

from kerazoo.evaluate import charts, classification_report, text

COLORS = {"fine-tuned": charts.BLUE, "head only": charts.ORANGE, "from scratch": charts.MUTED}


def summary(record):
    """The lines of a classifier, then the learning curve."""
    lines = [classification_report.summary(record)]
    if any(record["curve"].values()):
        head, *rows = _table(record["curve"])
        lines += ["", "Accuracy on validation images, by training images of each class:", *text.columns(head, rows)]
    return "\n".join(lines)


def add(report, record):
    """Puts the learning curve and the three trainings into a report."""
    if any(record["curve"].values()):
        lead = (
            "The same recipes with other numbers of images of each class, judged on validation images. Where a point "
            "has several seeds, each with other images, the line is their mean and the band goes from the worst to "
            "the best."
        )
        with report.section("Accuracy over examples per class", lead):
            report.figures((learning_curve(record["curve"]), "accuracy over the number of training images"))
            head, *rows = _table(record["curve"])
            report.table(head, rows)
    lead = (
        "Each training saw the same images. The head learns on the frozen network's features; the first epochs of the "
        "learning curves below are its. Then the network was unfrozen from the top."
    )
    with report.section("Three ways with the same images", lead):
        report.table(
            ("training", "images", "validation accuracy", "seconds"),
            [
                (way, f"{row['images']:,}", f"{row['accuracy']:.2%}", f"{row['seconds']:,.0f}")
                for way, row in record["trainings"].items()
            ],
            strong=[0],
        )


def learning_curve(curve):
    """Accuracy over examples per class, as an SVG.

    Args:
        curve: {way: {examples of each class: [accuracy of each seed]}}.
    """
    figure, axis = charts.figure_and_axes(8.6, 4.2)
    for way, points in curve.items():
        counts, scores = [int(count) for count in points], list(points.values())
        mean = [100 * np.mean(score) for score in scores]
        axis.plot(counts, mean, color=COLORS[way], linewidth=2.2, marker="o", markersize=5, label=way)
        low, high = ([100 * pick(score) for score in scores] for pick in (min, max))
        axis.fill_between(counts, low, high, color=COLORS[way], alpha=0.18, linewidth=0)
        axis.annotate(f"{mean[-1]:.0f}%", (counts[-1], mean[-1]), xytext=(8, -4), textcoords="offset points")
    axis.set(xscale="log", xlabel="training images of each class", ylabel="accuracy on validation images, %")
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.minorticks_off()
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False, fontsize=9, loc="lower right")
    return charts.svg(figure)


def _table(curve):
    """Head and rows: a way each, a column for each number of examples."""
    counts = list(next(iter(curve.values())))
    rows = [("training", *(str(count) for count in counts))]
    return rows + [(way, *(f"{np.mean(score):.1%}" for score in points.values())) for way, points in curve.items()]
