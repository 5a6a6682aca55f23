"""Quantiles that cannot cross."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class OrderedQuantiles(keras.layers.Layer):
    """The last axis in ascending order: its first value, and a positive step to each next one (softplus).

    Shapes: (..., quantiles) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.ordered_quantiles import OrderedQuantiles
    >>> [round(float(value), 3) for value in OrderedQuantiles()(numpy.array([[1.0, 0.0, -5.0]]))[0]]
    [1.0, 1.693, 1.7]
    """

    def call(self, inputs):
        steps = ops.softplus(inputs[..., 1:])
        return ops.cumsum(ops.concatenate([inputs[..., :1], steps], axis=-1), axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape
