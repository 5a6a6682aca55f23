"""Attention from one sequence to another whose padding it does not see."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class MemoryAttention(keras.layers.Layer):
    """Scaled dot-product attention of several heads (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

    It has no weights: the projections are layers of the model, so that those of the memory are computed once where
    the queries come step by step.

    Args:
        heads: they share the channels evenly.
        dropout: of the attention, in training.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: queries (B, T, C), keys and values (B, S, C), present (B, S) bool -> (B, T, C).

    Raises:
        ValueError: channels that the heads do not share evenly.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.memory_attention import MemoryAttention
    >>> x, memory = numpy.ones((1, 2, 8), "float32"), numpy.ones((1, 5, 8), "float32")
    >>> tuple(MemoryAttention(2)(x, memory, memory, numpy.ones((1, 5), bool)).shape)
    (1, 2, 8)
    """

    def __init__(self, heads, dropout=0.0, **options):
        super().__init__(**options)
        self.heads, self.rate = heads, dropout
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, queries_shape, keys_shape, values_shape, present_shape):
        if queries_shape[-1] % self.heads:
            raise ValueError(f"The heads must divide the channels. Received: {self.heads} and {queries_shape[-1]}.")
        self.width = queries_shape[-1]

    def call(self, queries, keys, values, present, training=False):
        shares = ops.cast(self.shares(queries, keys, present), self.compute_dtype)
        if self.dropout is not None:
            shares = self.dropout(shares, training=training)
        mixed = ops.transpose(ops.matmul(shares, self._split(values)), (0, 2, 1, 3))
        return ops.reshape(mixed, (-1, ops.shape(queries)[1], self.width))

    def shares(self, queries, keys, present):
        """How each query shares its attention among the keys that are there: (B, heads, T, S) float32."""
        queries = self._split(queries) * (self.width // self.heads) ** -0.5
        scores = ops.matmul(queries, ops.transpose(self._split(keys), (0, 1, 3, 2)))
        return ops.softmax(ops.where(present[:, None, None, :], ops.cast(scores, "float32"), -1e9), axis=-1)

    def _split(self, x):
        """(B, T, C) -> (B, heads, T, C / heads)."""
        parts = (-1, ops.shape(x)[1], self.heads, self.width // self.heads)
        return ops.transpose(ops.reshape(x, parts), (0, 2, 1, 3))

    def compute_output_spec(self, queries, keys, values, present, training=False):
        return keras.KerasTensor(queries.shape, self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "dropout": self.rate}
