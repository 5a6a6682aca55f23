"""Self-attention in which no position sees a later one, all at once or with what was computed before."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class CausalAttention(keras.layers.Layer):
    """Scaled dot-product attention of several heads (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762), causal.

    It has no weights: the three projections and the one that follows are layers of the model. `step` gives the same
    answer for some positions from the keys and values of those before, which it is handed and hands on.

    Args:
        heads: of the queries; they share their channels evenly.
        key_heads: of keys and values; each serves as many heads of the queries (Ainslie et al., 2023,
            https://arxiv.org/abs/2305.13245). None is `heads`.
        dropout: of the attention, in training.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: queries (B, T, heads * D), keys and values (B, T, key_heads * D) -> (B, T, heads * D).

    Raises:
        ValueError: key heads that do not divide the heads, or channels that the heads do not share evenly.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.causal_attention import CausalAttention
    >>> x = numpy.random.default_rng(0).normal(size=(1, 5, 8)).astype("float32")
    >>> tuple(CausalAttention(2)(x, x, x).shape)
    (1, 5, 8)
    """

    def __init__(self, heads, key_heads=None, dropout=0.0, **options):
        super().__init__(**options)
        self.heads, self.key_heads = heads, key_heads or heads
        if self.heads % self.key_heads:
            raise ValueError(f"`key_heads` must divide `heads`. Received: {self.key_heads} and {self.heads}.")
        self.rate = dropout
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy) if dropout else None

    def build(self, queries_shape, keys_shape, values_shape):
        for channels, heads in ((queries_shape[-1], self.heads), (keys_shape[-1], self.key_heads)):
            if channels % heads:
                raise ValueError(f"The heads must divide the channels. Received: {heads} and {channels}.")
        self.size = queries_shape[-1] // self.heads

    def call(self, queries, keys, values, training=False):
        time = ops.shape(queries)[1]
        keys, values = self._split(keys, self.key_heads), self._split(values, self.key_heads)
        return self._attend(queries, keys, values, ops.arange(time), training)

    def initial_state(self, batch, length):
        """[keys, values] of no position yet, with room for `length`: (batch, key_heads, length, D) each."""
        shape = (batch, self.key_heads, length, self.size)
        return [ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)]

    def step(self, queries, keys, values, *, state, position):
        """The answer for some positions from `position` on, and the state with their keys and values in it."""
        start = (0, 0, position, 0)
        state = [
            ops.slice_update(old, start, ops.cast(self._split(new, self.key_heads), old.dtype))
            for old, new in zip(state, (keys, values))
        ]
        places = position + ops.arange(ops.shape(queries)[1])
        return self._attend(queries, *state, places, training=False), state

    def _split(self, x, heads):
        """(B, T, heads * D) -> (B, heads, T, D)."""
        x = ops.reshape(x, (-1, ops.shape(x)[1], heads, self.size))
        return ops.transpose(x, (0, 2, 1, 3))

    def _attend(self, queries, keys, values, places, training):
        """Queries (B, T, heads * D) that stand at `places`, keys and values (B, key_heads, S, D)."""
        time, group = ops.shape(queries)[1], self.heads // self.key_heads
        queries = self._split(queries, self.heads) * self.size**-0.5
        if group > 1:  # The heads of a group, one after the other, ask the same keys.
            queries = ops.reshape(queries, (-1, self.key_heads, group * time, self.size))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))
        scores = ops.cast(scores, "float32")
        seen = ops.arange(ops.shape(keys)[2])[None, :] <= places[:, None]
        if group > 1:
            seen = ops.tile(seen, (group, 1))
        shares = ops.cast(ops.softmax(ops.where(seen, scores, -1e9), axis=-1), values.dtype)
        if self.dropout is not None:
            shares = self.dropout(shares, training=training)
        mixed = ops.reshape(ops.matmul(shares, values), (-1, self.heads, time, self.size))
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, time, self.heads * self.size))

    def compute_output_spec(self, queries, keys, values, training=False):
        return keras.KerasTensor(queries.shape, self.compute_dtype)

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "key_heads": self.key_heads, "dropout": self.rate}
