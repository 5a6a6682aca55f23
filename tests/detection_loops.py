"""What detectors compute, written as plain loops, to compare with."""

import math

import numpy as np


def iou(a, b):
    """Of two boxes, four numbers each."""
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union else 0.0


def complete_iou(a, b):
    """The paper's formula, for two boxes."""
    overlap = iou(a, b)
    apart = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    span = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    angle = math.atan((a[2] - a[0]) / (a[3] - a[1])) - math.atan((b[2] - b[0]) / (b[3] - b[1]))
    shape = 4 / math.pi**2 * angle**2
    return overlap - apart / span - (shape**2 / (1 - overlap + shape) if shape else 0)


def suppress(boxes, scores, classes, threshold):
    """Indices of the boxes that stay, best first: the greedy loop, each class by itself."""
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        if all(classes[k] != classes[index] or iou(boxes[k], boxes[index]) <= threshold for k in kept):
            kept.append(index)
    return kept


def random_boxes(rng, count, side=64):
    low = rng.uniform(0, 0.7 * side, (*count, 2))
    return np.concatenate([low, low + rng.uniform(2, 0.3 * side, (*count, 2))], axis=-1).astype("float32")
