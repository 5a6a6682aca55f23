"""Numbers by how far they reach into the bins of their column."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class PiecewiseLinearEncoding(keras.layers.Layer):
    """1 for every bin below a number, its share of its own, 0 for those above (Gorishniy et al., 2022, section 3.2,
    https://arxiv.org/abs/2203.05556).

    Beyond the outermost edges the first and the last bin go on. A column with fewer bins than another has zeros
    before its last.

    Args:
        edges: for each column the ascending edges of its bins, two or more.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, columns) -> (B, columns, most bins).

    Raises:
        ValueError: a column with fewer than two edges, or edges that do not ascend.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.piecewise_linear_encoding import PiecewiseLinearEncoding
    >>> PiecewiseLinearEncoding([[0.0, 1.0, 2.0, 4.0]])(numpy.array([[1.5], [6.0]])).numpy()[:, 0].tolist()
    [[1.0, 0.5, 0.0], [1.0, 1.0, 2.0]]
    """

    def __init__(self, edges, **options):
        super().__init__(**options)
        self.edges = [[float(edge) for edge in column] for column in edges]
        wrong = [column for column in self.edges if len(column) < 2 or min(np.diff(column)) <= 0]
        if wrong or not self.edges:
            raise ValueError(f"`edges` must ascend, two or more for each column. Received: {(wrong or ['none'])[0]}.")

    def call(self, inputs):
        most = max(len(column) for column in self.edges) - 1
        shape = (len(self.edges), most)
        slope, shift = np.zeros(shape, "float32"), np.zeros(shape, "float32")
        low, high = np.zeros(shape, "float32"), np.ones(shape, "float32")
        for column, edges in enumerate(self.edges):
            bins = len(edges) - 1
            places = [*range(bins - 1), most - 1]  # The last bin stands last, whatever their number.
            slope[column, places] = 1 / np.diff(edges)
            shift[column, places] = -np.array(edges[:-1]) / np.diff(edges)
            low[column, places[0]], high[column, places[-1]] = -np.inf, np.inf
        slope, shift, low, high = (ops.cast(np.nan_to_num(part), inputs.dtype) for part in (slope, shift, low, high))
        return ops.minimum(ops.maximum(ops.expand_dims(inputs, -1) * slope + shift, low), high)

    def compute_output_shape(self, input_shape):
        return (*input_shape, max(len(column) for column in self.edges) - 1)

    def get_config(self):
        return super().get_config() | {"edges": self.edges}
