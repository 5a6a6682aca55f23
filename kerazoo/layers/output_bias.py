"""A bias alone, for an output whose matrix another layer has."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class OutputBias(keras.layers.Layer):
    """Adds a learned number to each channel.

    Args:
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (..., C) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.output_bias import OutputBias
    >>> tuple(OutputBias()(numpy.zeros((2, 5, 7), "float32")).shape)
    (2, 5, 7)
    """

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")

    def call(self, x):
        return x + self.bias

    def compute_output_shape(self, input_shape):
        return input_shape
