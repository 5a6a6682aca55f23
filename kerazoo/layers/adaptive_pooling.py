"""Mean pooling into a fixed number of bins, as products with matrices: one path for every size and export."""

import keras
import numpy as np
from keras import ops


def bins(size, count):
    """(count, size): the share of each of `size` values in each of `count` bins, which may overlap by one value."""
    starts = np.arange(count) * size // count
    ends = -(-(np.arange(count) + 1) * size // count)
    places = np.arange(size)
    inside = (places >= starts[:, None]) & (places < ends[:, None])
    return (inside / inside.sum(axis=1, keepdims=True)).astype("float32")


@keras.saving.register_keras_serializable(package="kerazoo")
class AdaptivePooling2D(keras.layers.Layer):
    """Means of maps over a grid of bins, whatever their size (PyTorch's `AdaptiveAvgPool2d`).

    Args:
        count: bins each way.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, H, W, C) -> (B, count, count, C); H and W must be known.

    Raises:
        ValueError: a count below 1, or maps of unknown size.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.adaptive_pooling import AdaptivePooling2D
    >>> maps = numpy.arange(5.0, dtype="float32").reshape((1, 1, 5, 1))
    >>> AdaptivePooling2D(2)(maps)[0, 0, :, 0].numpy().tolist()  # Of 0, 1, 2 and of 2, 3, 4.
    [1.0, 3.0]
    """

    def __init__(self, count, **options):
        super().__init__(**options)
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"`count` must be a positive integer. Received: {count!r}.")
        self.count = count

    def build(self, input_shape):
        _, height, width, _ = input_shape
        if height is None or width is None:
            raise ValueError(f"Maps must have a known height and width. Received: {input_shape!r}.")
        self.rows, self.columns = bins(height, self.count), bins(width, self.count)

    def call(self, inputs):
        rows, columns = (ops.cast(matrix, self.compute_dtype) for matrix in (self.rows, self.columns))
        height, width, channels = inputs.shape[1:]
        x = ops.matmul(rows, ops.reshape(inputs, (-1, height, width * channels)))
        x = ops.matmul(columns, ops.reshape(x, (-1, width, channels)))  # Each row of each image by itself.
        return ops.reshape(x, (-1, self.count, self.count, channels))

    def compute_output_shape(self, input_shape):
        return input_shape[0], self.count, self.count, input_shape[-1]

    def get_config(self):
        return super().get_config() | {"count": self.count}
