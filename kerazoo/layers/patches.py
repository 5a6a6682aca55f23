"""A series cut into overlapping stretches of time."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class Patches(keras.layers.Layer):
    """Patches along time, each channel by itself; the last step repeats, so that one patch more is full.

    Args:
        size: time steps of a patch.
        stride: time steps from one patch to the next; also how often the last step repeats.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> (B, C, (T - size) // stride + 2, size).

    Raises:
        ValueError: fewer time steps than a patch has.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.patches import Patches
    >>> Patches(4, 2)(numpy.arange(6.0).reshape((1, 6, 1))).numpy()[0, 0].tolist()
    [[0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 5.0], [4.0, 5.0, 5.0, 5.0]]
    """

    def __init__(self, size, stride, **options):
        super().__init__(**options)
        self.size, self.stride = size, stride

    def call(self, inputs):
        series = ops.transpose(inputs, (0, 2, 1))
        padded = ops.concatenate([series, ops.repeat(series[..., -1:], self.stride, axis=-1)], axis=-1)
        first = range(0, inputs.shape[1] + self.stride - self.size + 1, self.stride)
        return ops.stack([padded[..., start : start + self.size] for start in first], axis=2)

    def compute_output_shape(self, input_shape):
        batch, time, channels = input_shape
        if time < self.size:
            raise ValueError(f"A patch of {self.size} steps needs as many in the input. Received: {time}.")
        return batch, channels, (time - self.size) // self.stride + 2, self.size

    def get_config(self):
        return super().get_config() | {"size": self.size, "stride": self.stride}
