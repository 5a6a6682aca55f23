"""A causal convolution along time whose kernel is a direction and a length."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class WeightNormalizedConv1D(keras.layers.Layer):
    """Causal dilated convolution with weight normalisation (Salimans & Kingma, 2016, https://arxiv.org/abs/1602.07868).

    A step sees itself and earlier steps. The gain starts at the length of the kernel it is given.

    Args:
        filters: output channels.
        kernel_size: time steps of the kernel.
        dilation: time steps between two of the kernel.
        kernel_initializer: of the direction.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> (B, T, filters).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.weight_normalized_conv import WeightNormalizedConv1D
    >>> tuple(WeightNormalizedConv1D(4, 3, dilation=2)(numpy.zeros((1, 9, 2), "float32")).shape)
    (1, 9, 4)
    """

    def __init__(self, filters, kernel_size, dilation=1, kernel_initializer="glorot_uniform", **options):
        super().__init__(**options)
        self.filters, self.kernel_size, self.dilation = filters, kernel_size, dilation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        shape = (self.kernel_size, input_shape[-1], self.filters)
        self.direction = self.add_weight(name="direction", shape=shape, initializer=self.kernel_initializer)
        self.gain = self.add_weight(name="gain", shape=(self.filters,), initializer="ones")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        self.gain.assign(self._length())  # It starts as the plain convolution that the initializer means.

    @property
    def kernel(self):
        """The kernel as a plain convolution would hold it."""
        return self.direction * (self.gain / self._length())

    def _length(self):
        return ops.sqrt(ops.sum(ops.square(self.direction), axis=(0, 1)))

    def call(self, inputs):
        reach = (self.kernel_size - 1) * self.dilation
        padded = ops.pad(inputs, ((0, 0), (reach, 0), (0, 0)))
        return ops.conv(padded, self.kernel, padding="valid", dilation_rate=self.dilation) + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        initializer = keras.initializers.serialize(self.kernel_initializer)
        sizes = {"filters": self.filters, "kernel_size": self.kernel_size, "dilation": self.dilation}
        return super().get_config() | sizes | {"kernel_initializer": initializer}
