"""Numbers of a table by their place among known values."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class QuantileScale(keras.layers.Layer):
    """Puts a value in place of NaN, then maps each column through a line from point to point, flat beyond the ends.

    Args:
        fill: what stands in for NaN, (columns,).
        values: for each column ascending numbers, two or more.
        places: what each of them becomes.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, columns) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.quantile_scale import QuantileScale
    >>> layer = QuantileScale([10.0], [[0.0, 10.0, 1000.0]], [[-1.0, 0.0, 1.0]])
    >>> layer(numpy.array([[5.0], [numpy.nan], [505.0], [9999.0]])).numpy()[:, 0].tolist()
    [-0.5, 0.0, 0.5, 1.0]
    """

    def __init__(self, fill, values, places, **options):
        super().__init__(**options)
        self.fill = [float(value) for value in fill]
        self.values, self.places = ([[float(v) for v in row] for row in rows] for rows in (values, places))

    def call(self, inputs):
        most = max(len(row) for row in self.values) - 1
        starts, widths, rises = np.zeros((3, len(self.values), most), "float32")
        widths[:] = 1  # Of the pieces that a column does not have: they rise by nothing.
        for column, (values, places) in enumerate(zip(self.values, self.places)):
            pieces = len(values) - 1
            starts[column, :pieces], widths[column, :pieces] = values[:-1], np.diff(values)
            rises[column, :pieces] = np.diff(places)
        first = np.array([row[0] for row in self.places], "float32")
        # NaN is the one value that differs from itself; TFLite has no operation that asks for it by name.
        filled = ops.where(ops.not_equal(inputs, inputs), np.array(self.fill, "float32"), inputs)
        along = ops.clip((ops.expand_dims(filled, -1) - starts) / widths, 0.0, 1.0)
        return first + ops.sum(along * rises, axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"fill": self.fill, "values": self.values, "places": self.places}
