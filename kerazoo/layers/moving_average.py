"""A centred moving average along time, as long as its input."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class MovingAverage(keras.layers.Layer):
    """Mean over a window of time steps; beyond the ends, the first and last step repeat.

    The trend of the decomposition in Autoformer and DLinear (Wu et al., 2021, https://arxiv.org/abs/2106.13008).

    Args:
        window: time steps, odd.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> the same.

    Raises:
        ValueError: a window that is even or below 1.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.moving_average import MovingAverage
    >>> MovingAverage(3)(numpy.array([[[0.0], [3.0], [6.0], [9.0]]])).numpy()[0, :, 0].tolist()
    [1.0, 3.0, 6.0, 8.0]
    """

    def __init__(self, window, **options):
        super().__init__(**options)
        if window < 1 or window % 2 == 0:
            raise ValueError(f"`window` must be odd and at least 1. Received: {window!r}.")
        self.window = window

    def call(self, inputs):
        if self.window == 1:
            return inputs
        reach = self.window // 2
        first, last = ops.repeat(inputs[:, :1], reach, axis=1), ops.repeat(inputs[:, -1:], reach, axis=1)
        padded = ops.concatenate([first, inputs, last], axis=1)
        return ops.average_pool(padded, self.window, strides=1, padding="valid")

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"window": self.window}
