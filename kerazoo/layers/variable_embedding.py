"""A vector for every variable, scaled by its value."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class VariableEmbedding(keras.layers.Layer):
    """Each number times a learned vector of its variable, plus another (Lim et al., 2019, section 4.2).

    Args:
        width: size of the vectors.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (..., variables) -> (..., variables, width).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.variable_embedding import VariableEmbedding
    >>> tuple(VariableEmbedding(8)(numpy.zeros((2, 24, 3), "float32")).shape)
    (2, 24, 3, 8)
    """

    def __init__(self, width, **options):
        super().__init__(**options)
        self.width = width

    def build(self, input_shape):
        shape = (input_shape[-1], self.width)
        self.vectors = self.add_weight(name="vectors", shape=shape, initializer="glorot_normal")
        self.bias = self.add_weight(name="bias", shape=shape, initializer="zeros")

    def call(self, inputs):
        return ops.expand_dims(inputs, -1) * self.vectors + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.width)

    def get_config(self):
        return super().get_config() | {"width": self.width}
