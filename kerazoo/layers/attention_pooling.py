"""The mean over time, weighted by how much each step matters."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class AttentionPooling(keras.layers.Layer):
    """Steps weighted by a softmax of their product with one learned vector (Zhou et al., 2016).

    https://aclanthology.org/P16-2034: the vector meets tanh of the steps, the weights the steps themselves. The
    softmax runs in float32 over the steps that `present` marks.

    Shapes: inputs (B, T, C), present (B, T) bool -> (B, C).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.attention_pooling import AttentionPooling
    >>> tuple(AttentionPooling()(numpy.ones((2, 5, 3), "float32"), numpy.ones((2, 5), bool)).shape)
    (2, 3)
    """

    supports_masking = True

    def build(self, inputs_shape, present_shape=None):
        self.vector = self.add_weight(name="vector", shape=(inputs_shape[-1], 1), initializer="glorot_uniform")

    def call(self, inputs, present):
        scores = ops.cast(ops.matmul(ops.tanh(inputs), self.vector), "float32")
        weights = ops.softmax(ops.where(ops.expand_dims(present, -1), scores, -1e9), axis=1)
        return ops.sum(inputs * ops.cast(weights, inputs.dtype), axis=1)

    def compute_mask(self, inputs, previous_mask=None):
        return None  # No steps are left.

    def compute_output_shape(self, inputs_shape, present_shape=None):
        return inputs_shape[0], inputs_shape[-1]
