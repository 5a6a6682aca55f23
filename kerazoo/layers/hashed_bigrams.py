"""Pairs of neighbouring tokens as ids of a table of fixed size."""

import keras
from keras import ops

PRIME = 46_337  # The largest whose square fits an int32: products of what is left of ids by it never overflow.


@keras.saving.register_keras_serializable(package="kerazoo")
class HashedBigrams(keras.layers.Layer):
    """The id of each token and the next, 1 ... buckets; 0 where one of them is 0, which is padding.

    Pairs share a bucket by chance, as in fastText (Joulin et al., 2016, https://arxiv.org/abs/1607.01759).

    Args:
        buckets: how many.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: tokens (B, T) int32 -> (B, T) int32.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.hashed_bigrams import HashedBigrams
    >>> HashedBigrams(buckets=1000)(numpy.array([[7, 8, 0, 0]], "int32")).numpy().tolist()
    [[368, 0, 0, 0]]
    """

    def __init__(self, buckets, **options):
        super().__init__(**options)
        self.buckets = buckets

    def call(self, tokens):
        following = ops.pad(tokens[:, 1:], [[0, 0], [0, 1]])
        pairs = ops.mod(tokens, PRIME) * PRIME + ops.mod(following, PRIME)
        found = 1 + ops.mod(pairs, self.buckets)
        return ops.where(ops.logical_and(tokens != 0, following != 0), found, ops.zeros_like(found))

    def compute_output_spec(self, tokens):
        return keras.KerasTensor(tokens.shape, tokens.dtype)

    def get_config(self):
        return super().get_config() | {"buckets": self.buckets}
