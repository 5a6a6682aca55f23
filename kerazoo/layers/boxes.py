"""Boxes as tensors, [left, top, right, bottom]: areas, overlaps and the other way to write them."""

from keras import ops

TINY = 1e-7  # Keeps quotients of empty boxes finite.


def sides(boxes):
    """(..., 4) -> widths and heights, (...) each."""
    return boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]


def areas(boxes):
    """(..., 4) -> (...)."""
    width, height = sides(boxes)
    return width * height


def intersections(first, second):
    """Areas that boxes have in common, (..., 4) and (..., 4) of shapes that broadcast -> (...)."""
    low, high = ops.maximum(first[..., :2], second[..., :2]), ops.minimum(first[..., 2:], second[..., 2:])
    common = ops.relu(high - low)
    return common[..., 0] * common[..., 1]


def iou(first, second):
    """Intersections over unions, (..., 4) and (..., 4) of shapes that broadcast -> (...); 0 for two empty boxes."""
    common = intersections(first, second)
    return common / (areas(first) + areas(second) - common + TINY)


def pairwise_iou(first, second):
    """(..., M, 4) and (..., N, 4) -> (..., M, N).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.boxes import pairwise_iou
    >>> squares = numpy.array([[0, 0, 2, 2], [0, 0, 1, 2]], "float32")
    >>> pairwise_iou(squares, squares[:1]).numpy().round(3).tolist()
    [[1.0], [0.5]]
    """
    return iou(first[..., :, None, :], second[..., None, :, :])


def to_centres(boxes):
    """[left, top, right, bottom] -> [centre x, centre y, width, height]."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return ops.concatenate([(low + high) / 2, high - low], axis=-1)


def to_corners(boxes):
    """[centre x, centre y, width, height] -> [left, top, right, bottom]."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return ops.concatenate([centre - half, centre + half], axis=-1)


def clipped(boxes, image_shape):
    """The part of each box that is inside an image of (H, W) pixels, (..., 4) -> (..., 4)."""
    height, width = image_shape
    return ops.clip(boxes, 0.0, [width, height, width, height])
