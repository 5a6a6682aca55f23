"""Bilinear upsampling that keeps the corners in place."""

import keras
import numpy as np
from keras import ops


def weights(size, out):
    """(out, size): the share of each of `size` values in each of `out` that lie evenly from the first to the last."""
    places = np.linspace(0, size - 1, out)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(size))).astype("float32")


@keras.saving.register_keras_serializable(package="kerazoo")
class AlignedUpsampling2D(keras.layers.Layer):
    """Enlarges maps bilinearly; the centres of the corner pixels stay the corners (PyTorch's `align_corners=True`).

    Keras's own resizing keeps the pixels' outer edges in place instead. DeepLab's decoder was trained with this.

    Args:
        factor: by how much, a whole number.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, H, W, C) -> (B, factor * H, factor * W, C); H and W must be known.

    Raises:
        ValueError: a factor below 1, or maps of unknown size.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.aligned_upsampling import AlignedUpsampling2D
    >>> AlignedUpsampling2D(2)(numpy.array([[[[0.0], [3.0]]]], "float32"))[0, 0, :, 0].numpy().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(self, factor, **options):
        super().__init__(**options)
        if not isinstance(factor, int) or factor < 1:
            raise ValueError(f"`factor` must be a positive integer. Received: {factor!r}.")
        self.factor = factor

    def build(self, input_shape):
        _, height, width, _ = input_shape
        if height is None or width is None:
            raise ValueError(f"Maps must have a known height and width. Received: {input_shape!r}.")
        self.size = self._size(height, width)
        self.rows, self.columns = weights(height, self.size[0]), weights(width, self.size[1])

    def _size(self, height, width):
        """(H, W) of the outputs."""
        return self.factor * height, self.factor * width

    def call(self, inputs):
        rows, columns = (ops.cast(matrix, self.compute_dtype) for matrix in (self.rows, self.columns))
        batch, (height, width, channels) = -1, inputs.shape[1:]
        x = ops.matmul(rows, ops.reshape(inputs, (batch, height, width * channels)))
        x = ops.matmul(columns, ops.reshape(x, (batch, width, channels)))  # Each row of each image by itself.
        return ops.reshape(x, (batch, *self.size, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, *self._size(height, width), channels

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable(package="kerazoo")
class AlignedResizing2D(AlignedUpsampling2D):
    """Brings maps to a size bilinearly, the corners in place, as `AlignedUpsampling2D` does by a factor.

    Args:
        size: (H, W) of the outputs. Where it is smaller, pixels between those it takes are left out.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, h, w, C) -> (B, H, W, C).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.aligned_upsampling import AlignedResizing2D
    >>> AlignedResizing2D((1, 3))(numpy.array([[[[0.0], [3.0]]]], "float32"))[0, 0, :, 0].numpy().tolist()
    [0.0, 1.5, 3.0]
    """

    def __init__(self, size, **options):
        super().__init__(1, **options)
        self.wanted = tuple(size)

    def _size(self, height, width):
        return self.wanted

    def get_config(self):
        config = super().get_config()
        config.pop("factor")
        return config | {"size": list(self.wanted)}
