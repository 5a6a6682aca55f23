"""A learned token that stands before a sequence and gathers what a classifier reads."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class ClassToken(keras.layers.Layer):
    """Puts one learned token before every sequence (Dosovitskiy et al., 2020, https://arxiv.org/abs/2010.11929).

    Shapes: (B, positions, channels) -> (B, 1 + positions, channels).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.class_token import ClassToken
    >>> tuple(ClassToken()(numpy.ones((2, 9, 4), "float32")).shape)
    (2, 10, 4)
    """

    def build(self, input_shape):
        self.token = self.add_weight(name="token", shape=(1, 1, input_shape[-1]), initializer="zeros")

    def call(self, inputs):
        batch = keras.ops.shape(inputs)[0]
        token = keras.ops.cast(self.token, inputs.dtype)
        token = keras.ops.broadcast_to(token, (batch, 1, inputs.shape[-1]))
        return keras.ops.concatenate([token, inputs], axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] + 1, input_shape[2])
