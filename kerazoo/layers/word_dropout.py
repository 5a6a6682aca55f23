"""Dropout of whole words: every vector of a dropped word in a batch is zero."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class WordDropout(keras.layers.Layer):
    """Embedding dropout (Gal and Ghahramani, 2016, https://arxiv.org/abs/1512.05287), for training alone.

    It drops ids, not places: one draw for each id holds for the whole batch, wherever the id stands, as if rows of the
    embedding were zero. What is left is larger by as much.

    Args:
        vocabulary_size: ids are below it.
        rate: the chance of an id to be dropped.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: vectors (B, T, C), their ids (B, T) int32 -> (B, T, C).

    Raises:
        ValueError: a rate outside [0, 1).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.word_dropout import WordDropout
    >>> layer = WordDropout(9, 0.5)
    >>> layer(numpy.ones((1, 2, 3)), numpy.array([[4, 4]])).numpy().tolist()
    [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]
    """

    def __init__(self, vocabulary_size, rate, **options):
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1). Received: {rate!r}.")
        self.vocabulary_size, self.rate = vocabulary_size, rate
        self.seed_generator = keras.random.SeedGenerator() if rate else None

    def call(self, vectors, tokens, training=False):
        if not (training and self.rate):
            return vectors
        kept = ops.ones((self.vocabulary_size, 1), vectors.dtype)
        kept = keras.random.dropout(kept, self.rate, seed=self.seed_generator)
        return vectors * ops.take(kept, tokens, axis=0)

    def compute_output_shape(self, vectors_shape, tokens_shape):
        return vectors_shape

    def get_config(self):
        return super().get_config() | {"vocabulary_size": self.vocabulary_size, "rate": self.rate}
