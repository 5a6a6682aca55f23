"""Numbers as waves of learned frequencies."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class PeriodicEncoding(keras.layers.Layer):
    """Cosines, then sines, of each number (Gorishniy et al., 2022, section 3.3, https://arxiv.org/abs/2203.05556).

    Args:
        frequencies: learned ones of each column.
        scale: deviation of the frequencies at the start: small ones make smooth waves.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, columns) -> (B, columns, 2 * frequencies).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.periodic_encoding import PeriodicEncoding
    >>> PeriodicEncoding(2, 0.1)(numpy.zeros((3, 5), "float32")).shape
    TensorShape([3, 5, 4])
    """

    def __init__(self, frequencies=48, scale=0.01, **options):
        super().__init__(**options)
        self.frequencies, self.scale = frequencies, scale

    def build(self, input_shape):
        start = keras.initializers.TruncatedNormal(stddev=self.scale)
        shape = (input_shape[-1], self.frequencies)
        self.weight = self.add_weight(name="frequencies", shape=shape, initializer=start)

    def call(self, inputs):
        waves = 2 * math.pi * self.weight * ops.expand_dims(inputs, -1)
        return ops.concatenate([ops.cos(waves), ops.sin(waves)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape, 2 * self.frequencies)

    def get_config(self):
        return super().get_config() | {"frequencies": self.frequencies, "scale": self.scale}
