"""Attention whose scores are not scaled but added to, all at once or with what was computed before."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class BiasedAttention(keras.layers.Layer):
    """T5's dot-product attention of several heads (Raffel et al., 2020, https://arxiv.org/abs/1910.10683).

    It has no weights and no mask: what is not to be seen has a very low bias. `step` gives the same answer for some
    positions from the keys and values of those before, which it is handed and hands on.

    Args:
        heads: they share the channels evenly.
        dropout: of the attention, in training.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: queries (B, T, heads * D), keys and values (B, S, heads * D), bias (B or 1, heads or 1, T or 1, S) ->
        (B, T, heads * D).

    Raises:
        ValueError: channels that the heads do not share evenly.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.biased_attention import BiasedAttention
    >>> x = numpy.ones((1, 5, 8), "float32")
    >>> tuple(BiasedAttention(2)(x, x, x, numpy.zeros((1, 2, 5, 5), "float32")).shape)
    (1, 5, 8)
    """

    def __init__(self, heads, dropout=0.0, **options):
        super().__init__(**options)
        self.heads, self.rate = heads, dropout
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, queries_shape, keys_shape, values_shape, bias_shape):
        if queries_shape[-1] % self.heads:
            raise ValueError(f"The heads must divide the channels. Received: {self.heads} and {queries_shape[-1]}.")
        self.size = queries_shape[-1] // self.heads

    def call(self, queries, keys, values, bias, training=False):
        return self._attend(queries, self._split(keys), self._split(values), bias, training)

    def initial_state(self, batch, length):
        """[keys, values] of no position yet, with room for `length`: (batch, heads, length, D) each."""
        shape = (batch, self.heads, length, self.size)
        return [ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)]

    def step(self, queries, keys, values, bias, *, state, position):
        """The answer for some positions from `position` on, and the state with their keys and values in it."""
        start = (0, 0, position, 0)
        state = [
            ops.slice_update(old, start, ops.cast(self._split(new), old.dtype))
            for old, new in zip(state, (keys, values))
        ]
        return self._attend(queries, *state, bias, training=False), state

    def _split(self, x):
        """(B, T, heads * D) -> (B, heads, T, D)."""
        x = ops.reshape(x, (-1, ops.shape(x)[1], self.heads, self.size))
        return ops.transpose(x, (0, 2, 1, 3))

    def _attend(self, queries, keys, values, bias, training):
        time = ops.shape(queries)[1]
        scores = ops.matmul(self._split(queries), ops.transpose(keys, (0, 1, 3, 2)))
        scores = ops.cast(scores, "float32") + ops.cast(bias, "float32")
        shares = ops.cast(ops.softmax(scores, axis=-1), values.dtype)
        if self.dropout is not None:
            shares = self.dropout(shares, training=training)
        mixed = ops.transpose(ops.matmul(shares, values), (0, 2, 1, 3))
        return ops.reshape(mixed, (-1, time, self.heads * self.size))

    def compute_output_spec(self, queries, keys, values, bias, training=False):
        return keras.KerasTensor(queries.shape, self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "dropout": self.rate}
