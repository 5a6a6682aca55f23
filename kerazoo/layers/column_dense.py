"""A dense layer for every column."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ColumnDense(keras.layers.Layer):
    """Each column's vector through a dense layer of its own, then ReLU.

    Args:
        width: units of each.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, columns, features) -> (B, columns, width).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.column_dense import ColumnDense
    >>> tuple(ColumnDense(4)(numpy.zeros((2, 3, 8), "float32")).shape)
    (2, 3, 4)
    """

    def __init__(self, width, **options):
        super().__init__(**options)
        self.width = width

    def build(self, input_shape):
        columns, features = input_shape[1:]
        start = keras.initializers.RandomUniform(-(features**-0.5), features**-0.5)
        self.kernel = self.add_weight(name="kernel", shape=(columns, features, self.width), initializer=start)
        self.bias = self.add_weight(name="bias", shape=(columns, self.width), initializer=start.clone())

    def call(self, inputs):
        return ops.relu(ops.einsum("bcf,cfw->bcw", inputs, self.kernel) + self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.width)

    def get_config(self):
        return super().get_config() | {"width": self.width}
