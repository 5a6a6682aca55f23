"""Normalisation of each series in a window by its own past, undone on the forecast."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ReversibleNormalization(keras.layers.Layer):
    """Reversible instance normalisation, RevIN (Kim et al., 2022, https://openreview.net/forum?id=cGDAkQo1C0p).

    Called with a window alone, the layer gives (normalised, mean, deviation) over time, each channel of each
    example by itself; called with a forecast and `statistics=(mean, deviation)` it puts the scale back. The
    statistics are taken in float32 under any precision.

    Args:
        affine: a learned scale and shift of each channel, undone too.
        epsilon: added to the variance.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> (B, T, C), (B, 1, C), (B, 1, C); with statistics (B, H, C) -> (B, H, C).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.reversible_normalization import ReversibleNormalization
    >>> layer = ReversibleNormalization()
    >>> window = numpy.array([[[1.0], [3.0]]], "float32")
    >>> normalised, mean, deviation = layer(window)
    >>> layer(normalised, statistics=(mean, deviation)).numpy()[0, :, 0].round(3).tolist()
    [1.0, 3.0]
    """

    def __init__(self, affine=False, epsilon=1e-5, **options):
        super().__init__(**options)
        self.affine, self.epsilon = affine, epsilon

    def build(self, inputs_shape, statistics_shape=None):
        if self.affine:
            channels = (inputs_shape[-1],)
            self.scale = self.add_weight(name="scale", shape=channels, initializer="ones", autocast=False)
            self.shift = self.add_weight(name="shift", shape=channels, initializer="zeros", autocast=False)

    def call(self, inputs, statistics=None):
        x = ops.cast(inputs, "float32")
        if statistics is None:
            mean = ops.mean(x, axis=1, keepdims=True)
            centred = x - mean
            deviation = ops.sqrt(ops.mean(ops.square(centred), axis=1, keepdims=True) + self.epsilon)
            x = centred / deviation
            if self.affine:
                x = x * self.scale + self.shift
            return ops.cast(x, self.compute_dtype), mean, deviation
        mean, deviation = (ops.cast(value, "float32") for value in statistics)
        if self.affine:
            x = (x - self.shift) / (self.scale + self.epsilon**2)
        return x * deviation + mean

    def compute_output_spec(self, inputs, statistics=None):
        if statistics is not None:
            return keras.KerasTensor(inputs.shape, "float32")
        one = (inputs.shape[0], 1, inputs.shape[2])
        return (
            keras.KerasTensor(inputs.shape, self.compute_dtype),
            keras.KerasTensor(one, "float32"),
            keras.KerasTensor(one, "float32"),
        )

    def get_config(self):
        return super().get_config() | {"affine": self.affine, "epsilon": self.epsilon}
