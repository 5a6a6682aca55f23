"""Masks as pictures: classes in colours, over the photograph."""

import colorsys

import numpy as np

from kerazoo.data.masks import VOID
from kerazoo.evaluate import charts

OPACITY = 0.55
GAP = 6  # White pixels between the pictures of a strip.


def palette(count):
    """(count, 3) uint8: colours that are told apart, the same for the same count.

    Example:

    >>> palette(2).shape
    (2, 3)
    """
    # The golden ratio's turns of the hue lie far from each other; lightness alternates for neighbours in hue.
    turns = [(0.6 + 0.618034 * i) % 1.0 for i in range(count)]
    colours = [colorsys.hls_to_rgb(turn, (0.5, 0.68, 0.36)[i % 3], 0.85) for i, turn in enumerate(turns)]
    return (255 * np.array(colours)).round().astype("uint8")


def overlay(pixels, mask, colours):
    """The photograph under its mask's colours; void stays as it is: (H, W, 3) uint8."""
    shown = colours[np.minimum(mask, len(colours) - 1)]
    mixed = (1 - OPACITY) * pixels + OPACITY * shown
    return np.where((mask == VOID)[..., None], pixels, mixed.round()).astype("uint8")


def errors(pixels, mask, answer):
    """The photograph in grey with the wrong pixels in red, and void dark: (H, W, 3) uint8."""
    grey = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    grey = np.where((mask == VOID)[..., None], 0.35 * grey, 0.5 * grey + 110)
    wrong = ((mask != VOID) & (mask != answer))[..., None]
    return np.where(wrong, np.array([214.0, 69.0, 69.0]), grey).clip(0, 255).astype("uint8")


def strip(pixels, mask, answer, colours):
    """Photograph, truth, answer and errors side by side, as PNG text."""
    parts = [pixels, overlay(pixels, mask, colours), overlay(pixels, answer, colours), errors(pixels, mask, answer)]
    gap = np.full((pixels.shape[0], GAP, 3), 255, "uint8")
    row = np.concatenate([piece for part in parts for piece in (part, gap)][:-1], axis=1)
    return charts.picture(row, side=960)


def legend(classes, colours):
    """The classes' colours, as an SVG."""
    columns = min(len(classes), 6)
    rows = -(-len(classes) // columns)
    figure, axis = charts.figure_and_axes(9.6, 0.34 * rows + 0.1)
    axis.set_axis_off()
    axis.set(xlim=(0, columns), ylim=(rows, 0))
    for position, (name, colour) in enumerate(zip(classes, colours)):
        row, column = divmod(position, columns)
        axis.barh(row + 0.5, 0.16, left=column, height=0.7, color=colour / 255)
        axis.text(column + 0.22, row + 0.5, charts.shorten(name, 16), va="center", fontsize=10, color=charts.INK)
    return charts.svg(figure)
