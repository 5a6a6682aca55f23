"""Padding by the mirrored border."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ReflectionPadding2D(keras.layers.Layer):
    """Pads maps by their mirror image, the border itself not repeated: no dark frame creeps in, as from zeros.

    Args:
        padding: pixels on every side.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, H, W, C) -> (B, H + 2 * padding, W + 2 * padding, C); H and W must be larger than the padding.

    Raises:
        ValueError: a padding below 0, or maps that are not larger.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.reflection_padding import ReflectionPadding2D
    >>> ReflectionPadding2D(1)(numpy.array([[[[0.0], [3.0]]] * 2], "float32"))[0, 0, :, 0].numpy().tolist()
    [3.0, 0.0, 3.0, 0.0]
    """

    def __init__(self, padding=1, **options):
        super().__init__(**options)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"`padding` must be an integer of at least 0. Received: {padding!r}.")
        self.padding = padding

    def build(self, input_shape):
        if any(size is not None and size <= self.padding for size in input_shape[1:3]):
            raise ValueError(f"Maps must be larger than their padding, {self.padding}. Received: {input_shape!r}.")

    def call(self, inputs):
        sides = (self.padding, self.padding)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        larger = (None if size is None else size + 2 * self.padding for size in (height, width))
        return batch, *larger, channels

    def get_config(self):
        return super().get_config() | {"padding": self.padding}
