"""Numbers of a table as they come -> as a network takes them."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class Standardize(keras.layers.Layer):
    """Puts a value in place of NaN, then subtracts a mean and divides by a deviation, each column its own.

    Args:
        fill: what stands in for NaN, (columns,).
        mean: (columns,).
        deviation: (columns,), not zero.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, columns) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.standardize import Standardize
    >>> Standardize([1.0], [3.0], [2.0])(numpy.array([[7.0], [numpy.nan]])).numpy()[:, 0].tolist()
    [2.0, -1.0]
    """

    def __init__(self, fill, mean, deviation, **options):
        super().__init__(**options)
        self.fill, self.mean, self.deviation = (
            [float(value) for value in values] for values in (fill, mean, deviation)
        )

    def call(self, inputs):
        fill, mean, deviation = (
            ops.cast(np.array(values, "float32"), inputs.dtype) for values in (self.fill, self.mean, self.deviation)
        )
        # NaN is the one value that differs from itself; TFLite has no operation that asks for it by name.
        return (ops.where(ops.not_equal(inputs, inputs), fill, inputs) - mean) / deviation

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"fill": self.fill, "mean": self.mean, "deviation": self.deviation}
