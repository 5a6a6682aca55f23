"""From a letterbox back to the image that was put into it, inside the graph."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class OriginalPixels(keras.layers.Layer):
    """Boxes of a canvas in the pixels of the image that lies on it, enlarged or reduced as one, centred, bars around.

    What lies on the bars is cut off.

    Args:
        canvas: (H, W) in pixels.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: boxes (B, K, 4), [left, top, right, bottom] in pixels of the canvas, and heights and widths of the images,
        (B, 2) -> (B, K, 4) in pixels of the images.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.original_pixels import OriginalPixels
    >>> boxes = numpy.array([[[0.0, 40.0, 320.0, 280.0], [0.0, 0.0, 160.0, 60.0]]], "float32")
    >>> OriginalPixels((320, 320))(boxes, numpy.array([[480.0, 640.0]], "float32")).numpy().tolist()
    [[[0.0, 0.0, 640.0, 480.0], [0.0, 0.0, 320.0, 40.0]]]
    """

    def __init__(self, canvas, **options):
        super().__init__(**options)
        self.canvas = tuple(canvas)

    def call(self, boxes, sizes):
        canvas = ops.convert_to_tensor(self.canvas, self.compute_dtype)
        factor = ops.min(canvas / sizes, axis=-1, keepdims=True)
        inner = ops.maximum(ops.round(sizes * factor), 1.0)  # Whole pixels, as images are resized to.
        scale, shift = inner / sizes, ops.floor((canvas - inner) / 2)
        scale, shift, sizes = (ops.concatenate([pair[:, ::-1]] * 2, axis=-1)[:, None] for pair in (scale, shift, sizes))
        return ops.minimum(ops.relu((boxes - shift) / scale), sizes)

    def compute_output_shape(self, boxes_shape, sizes_shape):
        return boxes_shape

    def get_config(self):
        return super().get_config() | {"canvas": self.canvas}
