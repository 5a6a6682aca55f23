"""The mean over time of the steps that are there."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class MaskedMeanPooling(keras.layers.Layer):
    """The mean of each channel over the steps that `present` marks, taken in float32; 0 where it marks none.

    Shapes: inputs (B, T, C), present (B, T) bool -> (B, C).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.masked_mean_pooling import MaskedMeanPooling
    >>> steps = numpy.array([[[1.0], [5.0], [9.0]]], "float32")
    >>> MaskedMeanPooling()(steps, numpy.array([[True, True, False]])).numpy().tolist()
    [[3.0]]
    """

    def call(self, inputs, present):
        weights = ops.expand_dims(ops.cast(present, "float32"), -1)
        total = ops.sum(ops.cast(inputs, "float32") * weights, axis=1)
        return ops.cast(total / ops.maximum(ops.sum(weights, axis=1), 1.0), self.compute_dtype)

    def compute_output_shape(self, inputs_shape, present_shape=None):
        return inputs_shape[0], inputs_shape[-1]
