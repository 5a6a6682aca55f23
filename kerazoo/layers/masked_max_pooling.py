"""The largest value over time of the steps that are there."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class MaskedMaxPooling(keras.layers.Layer):
    """The largest value of each channel over the steps that `present` marks; 0 where it marks none.

    Shapes: inputs (B, T, C), present (B, T) bool -> (B, C).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.masked_max_pooling import MaskedMaxPooling
    >>> steps = numpy.array([[[1.0], [5.0], [9.0]]], "float32")
    >>> MaskedMaxPooling()(steps, numpy.array([[True, True, False]])).numpy().tolist()
    [[5.0]]
    """

    def call(self, inputs, present):
        present = ops.expand_dims(present, -1)
        # Half precision ends at 65,504; what is chosen is never this, unless nothing is there.
        largest = ops.max(ops.where(present, inputs, ops.cast(-6e4, inputs.dtype)), axis=1)
        return ops.where(ops.any(present, axis=1), largest, ops.zeros_like(largest))

    def compute_output_shape(self, inputs_shape, present_shape=None):
        return inputs_shape[0], inputs_shape[-1]
