"""Attention that leaves most things out."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SparseMask(keras.layers.Layer):
    """Sparsemax of the last axis (Martins & Astudillo, 2016, https://arxiv.org/abs/1602.02068).

    Non-negative weights that sum to 1, many of them 0. In training their mean entropy, times `entropy_penalty`, joins
    the loss, so that few things are looked at (Arik & Pfister, 2019, section 3.3).

    Args:
        entropy_penalty: weight of the entropy in the loss.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, columns) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.sparse_mask import SparseMask
    >>> SparseMask()(numpy.array([[1.0, 0.5, -2.0]])).numpy().tolist()
    [[0.75, 0.25, 0.0]]
    """

    def __init__(self, entropy_penalty=0.0, **options):
        super().__init__(**options)
        self.entropy_penalty = entropy_penalty

    def call(self, inputs, training=None):
        # keras.ops.sparsemax of Keras 3.15 gives weights that do not sum to 1 where several are above 0.
        columns = inputs.shape[-1]
        largest = ops.top_k(inputs, columns)[0]
        ranks = ops.cast(ops.arange(1, columns + 1), inputs.dtype)
        kept = ops.cast(1 + ranks * largest > ops.cumsum(largest, axis=-1), inputs.dtype)
        threshold = (ops.sum(kept * largest, axis=-1, keepdims=True) - 1) / ops.sum(kept, axis=-1, keepdims=True)
        mask = ops.relu(inputs - threshold)
        if training and self.entropy_penalty:
            entropy = -ops.sum(mask * ops.log(mask + 1e-15), axis=-1)
            self.add_loss(self.entropy_penalty * ops.mean(entropy))
        return mask

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"entropy_penalty": self.entropy_penalty}
