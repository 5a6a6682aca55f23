"""Feature vectors of one length, which is learnt for each channel."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ScaledUnitNormalization(keras.layers.Layer):
    """Divides the vector of each place by its length and multiplies each channel (Liu et al., 2015,
    https://arxiv.org/abs/1506.04579).

    Args:
        initial: what each channel is multiplied by at first.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (..., C) -> (..., C); zeros stay zeros.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.scaled_unit_norm import ScaledUnitNormalization
    >>> ScaledUnitNormalization(20.0)(numpy.array([[3.0, 4.0], [0.0, 0.0]], "float32")).numpy().tolist()
    [[12.0, 16.0], [0.0, 0.0]]
    """

    def __init__(self, initial=20.0, **options):
        super().__init__(**options)
        self.initial = initial

    def build(self, input_shape):
        initializer = keras.initializers.Constant(self.initial)
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer=initializer)

    def call(self, inputs):
        square = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
        return inputs / ops.sqrt(ops.maximum(square, 1e-24)) * self.scale

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"initial": self.initial}
