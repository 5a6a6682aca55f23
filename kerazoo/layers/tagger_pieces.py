"""Texts -> ids of pieces of words, and where each word begins among them, inside the graph."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import keras

from kerazoo.layers.pieced_words import PiecedWords

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="kerazoo")
class TaggerPieces(PiecedWords):
    """Pieces of words for a tagger, of whose answers those at each word's first piece count (Devlin et al., 2019).

    Args, errors: as `PiecedWords` has them.

    Shapes: texts (B,) strings -> {"tokens": (B, T) int32, each text between its marks, padding after it; "first":
        (B, W) int32, the position of each word's first piece, 0 after the last word}.

    Example:

    >>> from kerazoo.layers.tagger_pieces import TaggerPieces
    >>> pieces = TaggerPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "!"])
    >>> {name: ids.numpy().tolist() for name, ids in pieces(["Unaffable!"]).items()}
    {'tokens': [[2, 4, 5, 6, 7, 3]], 'first': [[1, 4]]}
    """

    def split(self, texts):
        """(B,) strings -> `tf.RaggedTensor` of their words."""
        return self.words_of(texts)

    def ragged(self, words):
        """Words, ragged (B, None) -> `(tokens, first)`, ragged; words beyond `most` pieces are left out of both."""
        pieces = self.pieces_of(words)
        counts = tf.cast(pieces.values.row_lengths(), tf.int32)
        ahead = tf.cumsum(counts, exclusive=True)  # Pieces before each word, in all texts.
        first = ahead - tf.gather(ahead, tf.gather(words.row_starts(), words.value_rowids())) + 1
        first = words.with_values(first)
        room = self.most - 2
        return self._marked(pieces.merge_dims(1, 2)[:, :room]), tf.ragged.boolean_mask(first, first <= room)

    def call(self, inputs):
        tokens, first = self.ragged(self.split(inputs))
        return {"tokens": tokens.to_tensor(self.padding), "first": first.to_tensor(0)}

    def compute_output_spec(self, inputs):
        shape = (*inputs.shape[:1], None)
        return {name: keras.KerasTensor(shape, "int32") for name in ("tokens", "first")}
