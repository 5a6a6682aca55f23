"""From the values of masks to classes: what can be told from them, and what has to be asked."""

from dataclasses import dataclass

import numpy as np

from kerazoo.data.masks import VOID

# Masks whose classes cannot be told apart are refused with these two ways to say them.
THRESHOLD = "one from which values are the class 1, --mask-threshold 128 (threshold= in Python)"
VALUES = "the values that are classes, --mask-values {} (values= in Python)"
SHOWN = 12  # Values that a message lists.
MANY = 200  # Classes in a row beyond which 0 and 255 with all values between are edges, rather.


@dataclass(frozen=True)
class Found:
    """The values of some masks.

    Attributes:
        pixels: int64, (256,), how many have each value.
        masks: int64, (256,), how many masks have each value.
        together: whether some mask has both 1 and 255.
    """

    pixels: np.ndarray
    masks: np.ndarray
    together: bool

    @property
    def values(self):
        """All values but 255, in their order."""
        return [int(value) for value in np.flatnonzero(self.pixels) if value != VOID]

    def __str__(self):
        share = self.pixels / self.pixels.sum()
        shown = [f"{value} ({share[value]:.1%})" for value in np.flatnonzero(self.pixels)]
        return ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")


def find(parts):
    """The values of `Masked` parts, as `Found`."""
    pixels, masks, together = np.zeros(256, "int64"), np.zeros(256, "int64"), False
    for part in parts:
        for mask in part.masks:
            counts = np.bincount(mask.ravel(), minlength=256)
            pixels += counts
            masks += counts > 0
            together |= bool(counts[1] and counts[VOID])
    return Found(pixels, masks, together)


def to_classes(parts, *, names=None, threshold=None, values=None, where=""):
    """Gives the masks of `Masked` parts class numbers, in place, and names the classes.

    Where nothing is said, 0 and 255 alone are two classes; else the values must go up from 0 without a gap, and 255 is
    void.

    Args:
        parts: `Masked` of every split.
        names: of the classes in the order of their values, or None.
        threshold: the value from which pixels are the class 1; the others are the class 0, and none is void.
        values: those that are classes, in the classes' order; 255 is void where it is not among them.
        where: the folder, for messages.

    Returns:
        Names of the classes.

    Raises:
        ValueError: values that cannot be told apart, or are no class; names that are not as many as the classes; both a
            threshold and values.
    """
    if threshold is not None and values is not None:
        raise ValueError(f"Either `threshold` or `values` can be given. Received: {threshold} and {list(values)}.")
    parts = list(parts)
    if threshold is not None:
        values = _split(parts, threshold)
    elif values is not None:
        _renumber(parts, values)
    else:
        found = find(parts)
        if found.values == [0] and found.pixels[VOID] and (names is None or len(names) == 2):
            values = (0, VOID)
            _renumber(parts, values)
        elif names is None:
            _check_order(found, where)
    if names is None:
        found = find(parts)
        if len(found.values) < 2:
            raise ValueError(f"Masks must have two classes at least. Received: {found} in {where}.")
        named = values is not None and threshold is None and tuple(values) != (0, VOID)
        names = tuple(f"class {value}" for value in (values if named else found.values))
    elif values is not None and len(names) != len(values):
        raise ValueError(
            f"The names must be as many as the classes, {len(values)}. Received: {list(names)} in {where}."
        )
    check_values(parts, names)
    return names


def _split(parts, threshold):
    if not 1 <= threshold <= VOID:
        raise ValueError(f"`threshold` must be from 1 to {VOID}. Received: {threshold}.")
    for part in parts:
        part.masks[...] = part.masks >= threshold
    return 0, 1


def _renumber(parts, values):
    """Class numbers for values, by their place."""
    values = tuple(values)
    if len(set(values)) < max(len(values), 2) or not all(0 <= value <= VOID for value in values):
        raise ValueError(f"`values` must be two or more values from 0 to {VOID}, each once. Received: {list(values)}.")
    classes = np.full(256, -1, "int16")
    classes[VOID] = VOID
    classes[list(values)] = np.arange(len(values))
    for part in parts:
        for name, mask in zip(part.names, part.masks):
            unknown = np.unique(mask[classes[mask] < 0])
            if len(unknown):
                choices = f"one of {', '.join(map(str, values))}, or {VOID} where a pixel has no class"
                received = unknown[:5].tolist()
                raise ValueError(f"The values of a mask must be {choices}. Received: {received} in the mask of {name}.")
            mask[...] = classes[mask]


def _check_order(found, where):
    """Refuses values that do not say which classes there are."""
    values = found.values
    choose = VALUES.format(",".join(map(str, values[:SHOWN])) + (",..." if len(values) > SHOWN else ""))
    ends = (found.pixels[0] + found.pixels[VOID]) / max(found.pixels.sum(), 1)
    gaps = values != list(range(len(values)))
    between = found.pixels[1:VOID].max()
    edges = gaps and max(values) > VOID // 2 and between < min(found.pixels[0], found.pixels[VOID])
    if ends > 0.5 and (edges or len(values) > MANY):
        raise ValueError(
            f"The masks look like two classes with soft edges: {ends:.1%} of their pixels are 0 or 255, the others "
            f"between. Give {THRESHOLD}; or {choose}. Received: {found} in {where}."
        )
    if gaps:
        raise ValueError(
            "The values of masks must go up from 0 without a gap, 255 being void, or be said: name every value from 0 "
            f"on in classes.txt, one in a line; or give {choose}; or {THRESHOLD}. Received: {found} in {where}."
        )
    if values == [0, 1] and found.pixels[VOID] and not found.together:
        raise ValueError(
            f"255 must be said to be void or the class 1: no mask has both, {found.masks[1]} have 1 and "
            f"{found.masks[VOID]} have 255. Give --mask-values 0,1 where it is void, or --mask-threshold 1 "
            f"where it is the class (values= or threshold= in Python). Received: {found} in {where}."
        )


def check_values(parts, classes):
    """Refuses masks with values that are no class.

    Args:
        parts: `Masked` of every split.
        classes: names.

    Raises:
        ValueError: such a value; the message has the image's name.
    """
    for part in parts:
        for name, mask in zip(part.names, part.masks):
            unknown = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)[len(classes) : VOID]) + len(classes)
            if len(unknown):
                choices = f"0 to {len(classes) - 1}, the {len(classes)} classes, or {VOID} where a pixel has none"
                received = unknown[:5].tolist()
                raise ValueError(f"The values of a mask must be {choices}. Received: {received} in the mask of {name}.")
