"""Images that validation or test share with training: every application on images says so, and drops them on demand."""

from dataclasses import replace

import numpy as np


def add_option(group):
    """--drop-duplicates."""
    said = "leave training images out that validation or test have too, equal or nearly so"
    group.add_argument("--drop-duplicates", action="store_true", help=said)


def check(splits, *, drop, labels=None, classes=()):
    """Prints what the splits have in common.

    Args:
        splits: {"train", "validation", "test"} -> (names, iterable of uint8 arrays, (n, H, W, 3)).
        drop: whether training images that validation or test have too are left out.
        labels, classes: of the training images, of which each class must keep one.

    Returns:
        `(kept, record)`: positions of the training images, and counts and examples as JSON types.

    Raises:
        ValueError: nothing is left to train on.
    """
    from kerazoo.data import duplicates

    found, positions = duplicates.find(splits), np.arange(len(splits["train"][0]))
    if drop and len(found.training):
        positions = duplicates.kept(found, labels, classes)
        found = replace(found, dropped=len(found.training))
    for line in found.lines():
        print(line)
    return positions, found.record()
