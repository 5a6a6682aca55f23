"""Questions and passages -> ids of pieces of words in one row, and which word of the passage each is of."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import keras

from kerazoo.layers.pieced_words import PiecedWords, cut
from kerazoo.layers.reader_tokenizer import places

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf


@keras.saving.register_keras_serializable(package="kerazoo")
class ReaderPieces(PiecedWords):
    """Pieces of a question and, after it, of a passage, as BERT reads them (Devlin et al., 2019).

    Args:
        vocabulary, most, lowercase: as `PiecedWords` has them.
        question_most: pieces of a question.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: questions and passages, (B,) strings -> {"tokens": (B, T), "[CLS] question [SEP] passage [SEP]", padding
        after it; "word": (B, T), 1 for pieces of the passage's first word, 2 for those of its second, 0 for all that
        is not the passage} int32.

    Raises:
        ImportError, ValueError: as `PiecedWords`, or a `question_most` that leaves the passage no room.

    Example:

    >>> from kerazoo.layers.reader_pieces import ReaderPieces
    >>> pieces = ReaderPieces(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "ada", "love", "##lace"], question_most=4)
    >>> {name: ids.numpy().tolist() for name, ids in pieces(["Who"], ["Ada Lovelace"]).items()}
    {'tokens': [[2, 4, 3, 5, 6, 7, 3]], 'word': [[0, 0, 0, 1, 2, 2, 0]]}
    """

    def __init__(self, vocabulary, most=512, lowercase=True, question_most=64, **options):
        super().__init__(vocabulary, most=most, lowercase=lowercase, **options)
        if not isinstance(question_most, int) or not 1 <= question_most <= most - 4:
            raise ValueError(f"`question_most` must be an integer of 1 to {most - 4}. Received: {question_most!r}.")
        self.question_most = question_most

    def places(self, texts):
        """Where each word of some texts begins and ends, as `reader_tokenizer.places`."""
        return places(texts)

    def questions(self, words):
        """Words of questions, ragged (B, None) -> their pieces, ragged, cut."""
        return self.pieces_of(words).merge_dims(1, 2)[:, : self.question_most]

    def passages(self, words):
        """Words of passages, ragged (B, None) -> `(pieces, word)`, ragged: each piece's word, from 1."""
        pieces = self.pieces_of(words)
        number = tf.ragged.range(words.row_lengths()).values + 1  # Of each word in its text.
        word = tf.repeat(tf.cast(number, tf.int32), pieces.values.row_lengths())
        pieces = pieces.merge_dims(1, 2)
        return pieces, pieces.with_values(word)

    def joined(self, questions, passages, word, most=None):
        """Pieces, ragged (B, None) each -> {"tokens", "word"}, ragged, with the marks; passages are cut."""
        room = (most or self.most) - 3 - questions.row_lengths()
        passages, word = cut(passages, room), cut(word, room)
        column = tf.zeros((questions.nrows(), 1), tf.int32)
        nothing = tf.concat([column, tf.zeros_like(questions), column], axis=1)
        return {"tokens": self._marked(questions, passages), "word": tf.concat([nothing, word, column], axis=1)}

    def __call__(self, questions, passages, **options):
        texts = [
            tf.constant(side, tf.string) if isinstance(side, (list, tuple)) else side for side in (questions, passages)
        ]
        return super().__call__(*texts, **options)

    def call(self, questions, passages):
        asked, (read, word) = self.questions(self.words_of(questions)), self.passages(self.words_of(passages))
        rows = self.joined(asked, read, word)
        return {"tokens": rows["tokens"].to_tensor(self.padding), "word": rows["word"].to_tensor(0)}

    def compute_output_spec(self, questions, passages):
        return {name: keras.KerasTensor((*questions.shape[:1], None), "int32") for name in ("tokens", "word")}

    def get_config(self):
        return super().get_config() | {"question_most": self.question_most}
