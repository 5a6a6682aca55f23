"""Boxes drawn on images, and precision over recall."""

import numpy as np

from kerazoo.evaluate import charts
from kerazoo.extras import need

GREEN, RED, ORANGE = "#18a558", "#e0242f", "#ff9f0a"
# Classes take these in turn.
COLOURS = ("#2563eb", "#e0242f", "#18a558", "#c026d3", "#ea8a0c", "#0891b2", "#7c3aed", "#65a30d")


def precision_recall(matches, classes):
    """Precision over recall of each class, at an overlap of .5, as an SVG.

    Args:
        matches: a `kerazoo.evaluate.detection.Matches` for each class.
        classes: their names; the ten with most objects are drawn.
    """
    figure, axis = charts.figure_and_axes(5.2, 4.2)
    chosen = sorted(range(len(classes)), key=lambda i: -matches[i].objects)[:10]
    for row, number in enumerate(sorted(chosen)):
        _, precision, recall = matches[number].curve()
        name = charts.shorten(classes[number], 24)
        color = COLOURS[row % len(COLOURS)]
        axis.plot([0, *recall], [1, *precision], color=color, label=name, linewidth=1.8, drawstyle="steps-pre")
    axis.set(xlim=(0, 1.02), ylim=(0, 1.03), xlabel="recall", ylabel="precision")
    axis.legend(frameon=False, fontsize=9, loc="lower left")
    return charts.svg(figure)


def draw(pixels, boxes, *, colours, labels=None, widths=None):
    """Boxes on an image.

    Args:
        pixels: uint8, (H, W, 3).
        boxes: (n, 4), xyxy.
        colours: n of them.
        labels: n words, "" for none, or None.
        widths: n of them in pixels, or None for one that suits the image.

    Returns:
        uint8, (H, W, 3).
    """
    need("PIL")
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(pixels)
    pen = ImageDraw.Draw(image)
    usual = max(round(max(image.size) / 300), 1)
    font = ImageFont.load_default(size=max(max(image.size) / 40, 10))
    for row, box in enumerate(np.asarray(boxes, float)):
        left, top, right, bottom = box.tolist()
        width = usual if widths is None else widths[row]
        right, bottom = max(right - 1, left), max(bottom - 1, top)  # Pillow names the last pixel.
        pen.rectangle((left, top, right, bottom), outline=colours[row], width=width)
        if labels is not None and labels[row]:
            _, _, across, down = pen.textbbox((0, 0), labels[row], font=font)
            y = top - down - 2 if top >= down + 2 else top
            pen.rectangle((left, y, left + across + 4, y + down + 2), fill=colours[row])
            pen.text((left + 2, y), labels[row], fill="white", font=font)
    return np.asarray(image)


def drawn_answer(pixels, found, classes, *, scores):
    """An image with what was found in it: a colour a class, its name and score at each box.

    Args:
        pixels: uint8, (H, W, 3).
        found: {"boxes", "scores", "classes"}.
        classes: names.
        scores: from which a box is shown.
    """
    shown = found["scores"] >= scores
    labels = [f"{classes[c]} {s:.0%}" for c, s in zip(found["classes"][shown], found["scores"][shown])]
    colours = [COLOURS[c % len(COLOURS)] for c in found["classes"][shown]]
    return draw(pixels, found["boxes"][shown], colours=colours, labels=labels)


def drawn_verdict(pixels, found, true, classes, verdict):
    """An image with what was right (green, thin), missed (red) and wrong: around nothing, or of another class (orange).

    Args:
        pixels: uint8, (H, W, 3).
        found: {"boxes", "scores", "classes"}.
        true: `(boxes, classes)` of the image.
        classes: names.
        verdict: `(right, missed, false)`: positions of found boxes, of true ones, of found ones.
    """
    right, missed, false = verdict
    thin = max(round(max(pixels.shape) / 400), 1)
    rows = [(found["boxes"][i], GREEN, "", thin) for i in right]
    rows += [(true[0][i], RED, f"{classes[true[1][i]]} missed", 2 * thin) for i in missed]
    rows += [(found["boxes"][i], ORANGE, f"{classes[found['classes'][i]]}?", 2 * thin) for i in false]
    boxes, colours, labels, widths = zip(*rows) if rows else [()] * 4
    boxes = np.array(boxes).reshape(-1, 4)
    return draw(pixels, boxes, colours=colours, labels=labels, widths=widths)
