"""Objects that a border class divides: the foreground-restricted Rand score of the ISBI 2012 challenge."""

import numpy as np

from kerazoo.extras import need

THRESHOLDS = tuple(round(0.1 * step, 1) for step in range(1, 10))


def rand_score(truth, proposal):
    """The foreground-restricted Rand score, V_rand, of Arganda-Carreras et al. (https://doi.org/10.3389/fnana.2015.00142).

    The share of pairs of pixels that truth and proposal both hold together, over the mean of the shares that either
    does: with p(i, j) the share of pixels in object i of the proposal and j of the truth, the sum of p(i, j)^2 over
    half of the sum of p(i)^2 plus half of the sum of p(j)^2, of pixels inside true objects only. A pixel that the
    proposal leaves on a border there is an object of its own. One is perfect; merging objects and splitting them both
    cost.

    Args:
        truth: (H, W), integers: the true objects, 0 on their borders.
        proposal: (H, W), integers: the proposed ones, 0 on their borders.

    Raises:
        ValueError: shapes that do not fit, or no true object.

    Example:

    >>> import numpy as np
    >>> rand_score(np.array([[1, 1, 0, 2, 2]]), np.array([[1, 1, 1, 1, 1]]))  # Merged: 8 / (16 / 2 + 8 / 2).
    0.6666666666666666
    """
    truth, proposal = np.asarray(truth), np.asarray(proposal)
    inside = truth > 0
    if truth.shape != proposal.shape or not inside.any():
        raise ValueError(
            "Truth and proposal must be of one shape, with an object. "
            f"Received: {truth.shape}, {proposal.shape}, {int(inside.sum())} pixels of objects."
        )
    truth, proposal = truth[inside].astype("int64"), proposal[inside].astype("int64")
    placed = proposal > 0
    alone = int((~placed).sum())  # Pixels on proposed borders.
    pairs = np.unique(truth[placed] * (proposal.max() + 1) + proposal[placed], return_counts=True)[1]
    both = (pairs.astype("float64") ** 2).sum() + alone
    of_truth = (np.bincount(truth).astype("float64") ** 2).sum()
    of_proposal = (np.bincount(proposal[placed]).astype("float64") ** 2).sum() + alone
    return float(both / (0.5 * of_truth + 0.5 * of_proposal))


def objects(inside):
    """The objects of a mask, numbered from 1, 0 elsewhere: pixels that touch by a side, (H, W) boolean.

    Raises:
        ImportError: without scipy.
    """
    need("scipy")
    from scipy.ndimage import label

    return label(inside)[0]


def thin(border):
    """A border brought down to lines one pixel wide that divide the same objects (Zhang and Suen, 1984).

    Args:
        border: (H, W), boolean.

    Returns:
        (H, W), boolean.

    Example:

    >>> import numpy as np
    >>> wide = np.zeros((7, 7), bool)
    >>> wide[:, 2:5] = True
    >>> thin(wide).sum(axis=1).tolist()
    [1, 1, 1, 1, 1, 1, 1]
    """
    border = np.asarray(border, bool)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            # A line that reaches the image's edge goes on behind it, or it would end before the edge.
            padded = np.pad(border, 1, mode="edge")
            # The eight neighbours, clockwise from above.
            around = [np.roll(padded, shift, axis=(0, 1))[1:-1, 1:-1] for shift in _CLOCKWISE]
            up, _, right, _, down, _, left, _ = around
            count = np.sum(around, axis=0)
            rises = np.sum([~one & other for one, other in zip(around, around[1:] + around[:1])], axis=0)
            if first:
                sides = ~(up & right & down) & ~(right & down & left)
            else:
                sides = ~(up & right & left) & ~(up & down & left)
            removed = border & (count >= 2) & (count <= 6) & (rises == 1) & sides
            if removed.any():
                border, changed = border & ~removed, True
    return border


_CLOCKWISE = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))


def thinned_rand_scores(borders, shares, *, thresholds=THRESHOLDS):
    """The mean over images of `rand_score` after thinning, for each threshold of the answers.

    Args:
        borders: (N, H, W), boolean: the true borders.
        shares: (N, H, W), how likely each pixel is one.
        thresholds: pixels likelier than these are borders.

    Returns:
        (T,). The challenge takes the largest; a threshold that was chosen on other images is the honest one.

    Raises:
        ImportError: without scipy.
    """
    truths = [objects(~border) for border in borders]
    return np.array(
        [
            np.mean([rand_score(truth, objects(~thin(share > threshold))) for truth, share in zip(truths, shares)])
            for threshold in thresholds
        ]
    )
