"""Words -> the pieces of each, for encoders that tag words or find spans of words."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import keras

from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
from kerazoo.layers.word_tokenizer import split

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf


class PiecedWords(WordPieceTokenizer):
    """What tokenizers share that take a text apart into words first, and each of these into pieces.

    Words are split as `WordTokenizer` splits them, so that places are of words and not of pieces.

    Args:
        vocabulary, lowercase: as `WordPieceTokenizer` has them.
        most: pieces of a text with its marks; the rest of a longer one is not read.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Raises:
        ImportError: tensorflow-text is not installed.
        ValueError: as `WordPieceTokenizer`, or a `most` below 8.
    """

    def __init__(self, vocabulary, most=512, lowercase=True, **options):
        super().__init__(vocabulary, lowercase=lowercase, **options)
        if not isinstance(most, int) or most < 8:
            raise ValueError(f"`most` must be an integer of at least 8. Received: {most!r}.")
        self.most = most

    def words_of(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of their words."""
        return split(texts, lowercase=False)

    def pieces_of(self, words):
        """Words, ragged (B, None) -> the ids of each word's pieces, ragged (B, None, None), one at least."""
        pieces = tf.cast(self._split(words.flat_values), tf.int32)
        lacking = tf.cast(tf.equal(pieces.row_lengths(), 0), tf.int64)
        unknown = tf.fill((tf.cast(tf.reduce_sum(lacking), tf.int32),), self.unknown)
        return words.with_values(tf.concat([pieces, tf.RaggedTensor.from_row_lengths(unknown, lacking)], axis=1))

    def get_config(self):
        config = super().get_config() | {"most": self.most}
        del config["length"]
        return config


def cut(rows, most):
    """Ragged (B, None) -> the first `most` of each row; `most` is a number or (B,)."""
    kept = tf.minimum(rows.row_lengths(), tf.cast(most, tf.int64))
    return tf.gather(rows, tf.ragged.range(kept), batch_dims=1)
