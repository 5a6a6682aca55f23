"""The loss of boxes that also says which way to go where they do not overlap."""

import math

import keras
from keras import ops

from kerazoo.layers.boxes import TINY, iou, sides


@keras.saving.register_keras_serializable(package="kerazoo")
class CompleteIoU(keras.losses.Loss):
    """One minus the complete intersection over union (Zheng et al., 2019, https://arxiv.org/abs/1911.08287).

    Args:
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: two times [left, top, right, bottom], (..., 4).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.ciou import CompleteIoU
    >>> square, neighbour = numpy.array([[0, 0, 2, 2]], "float32"), numpy.array([[2, 0, 4, 2]], "float32")
    >>> round(float(CompleteIoU()(square, square)), 3), round(float(CompleteIoU()(square, neighbour)), 3)
    (0.0, 1.2)
    """

    def __init__(self, name="complete_iou", **options):
        super().__init__(name=name, **options)

    def call(self, y_true, y_pred):
        return 1.0 - complete_iou(y_true, y_pred)


def complete_iou(first, second):
    """Intersection over union, less the distance of the centres and the difference of the shapes, at most 1.

    Args:
        first, second: boxes, (..., 4) of shapes that broadcast.

    Shapes: -> (...).
    """
    overlap = iou(first, second)
    span = ops.maximum(first[..., 2:], second[..., 2:]) - ops.minimum(first[..., :2], second[..., :2])
    apart = (first[..., :2] + first[..., 2:] - second[..., :2] - second[..., 2:]) / 2
    distance = ops.sum(ops.square(apart), axis=-1) / (ops.sum(ops.square(span), axis=-1) + TINY)
    angles = [ops.arctan(width / (height + TINY)) for width, height in (sides(first), sides(second))]
    shape = 4 / math.pi**2 * ops.square(angles[0] - angles[1])
    # The paper's trade-off counts as given: no gradient goes through it.
    weight = ops.stop_gradient(shape / (1.0 - overlap + shape + TINY))
    return overlap - distance - weight * shape
