"""Normalisation of each image's each channel."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class InstanceNormalization(keras.layers.Layer):
    """Instance normalisation (Ulyanov et al., 2016, https://arxiv.org/abs/1607.08022) with a scale and an offset.

    Keras's `GroupNormalization(groups=-1)` computes the same; its tensors of five axes are slower as TFLite. The
    statistics are taken in float32 under any precision.

    Args:
        epsilon: added to the variance.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, H, W, C) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.instance_normalization import InstanceNormalization
    >>> images = numpy.array([0.0, 2.0, 10.0, 50.0], "float32").reshape((2, 1, 2, 1))
    >>> InstanceNormalization(epsilon=0.0)(images).numpy().ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """

    def __init__(self, epsilon=1e-5, **options):
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=(input_shape[-1],), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(input_shape[-1],), initializer="zeros")

    def call(self, inputs):
        values = ops.cast(inputs, "float32")
        mean = ops.mean(values, axis=(1, 2), keepdims=True)
        centred = values - mean
        variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
        normal = ops.cast(centred * ops.rsqrt(variance + self.epsilon), self.compute_dtype)
        return normal * self.gamma + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}
