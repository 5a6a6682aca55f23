"""Questions with their passages, as pieces in one row -> tf.data of padded batches for an encoder."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerazoo.data.text_batches import padded, shuffled

STEP = 32  # Lengths of batches are multiples of it.
MARKS = 3


@dataclass(frozen=True)
class PieceReadings:
    """Questions and passages as ids of pieces.

    Attributes:
        questions: ragged (N, None).
        passages, words: ragged (P, None), each passage once: pieces, and the word that each is of, from 1.
        passage_of: (N,), the position of each question's passage.
        spans: (N, 2), the answer's first and last word, from 1; (0, 0) for none.
    """

    questions: tf.RaggedTensor
    passages: tf.RaggedTensor
    words: tf.RaggedTensor
    passage_of: np.ndarray
    spans: np.ndarray

    def __len__(self):
        return len(self.passage_of)

    def within(self, length):
        """Those whose answer lies within rows of `length` pieces, the question's and the marks among them."""
        rows = np.split(self.words.flat_values.numpy(), self.words.row_splits.numpy()[1:-1])
        needed = [
            np.searchsorted(rows[place], end, side="right") for place, end in zip(self.passage_of, self.spans[:, 1])
        ]
        kept = np.flatnonzero(self.questions.row_lengths().numpy() + np.array(needed, int) + MARKS <= length)
        asked = tf.gather(self.questions, kept)
        return PieceReadings(asked, self.passages, self.words, self.passage_of[kept], self.spans[kept])

    def lengths(self):
        """Pieces of each question with its passage."""
        return self.questions.row_lengths().numpy() + self.passages.row_lengths().numpy()[self.passage_of]


def piece_question_batches(readings, tokenizer, *, batch_size, length=None, padded_to=None, training=False, seed=0):
    """A `tf.data.Dataset` of ({"tokens", "word"}, spans).

    In training, rows of like length share a batch, each question in one batch of an epoch, in a new order.

    Args:
        readings: `PieceReadings`.
        tokenizer: the `ReaderPieces` that made them.
        batch_size: questions in a batch; the last one may be smaller.
        length: pieces of a row at most; None is the tokenizer's `most`.
        padded_to: pieces of every row; None pads to a multiple of 32 in each batch.
        training: shuffle.
        seed: of the order.

    Shapes: tokens and word (B, T) int32, as `ReaderPieces` gives them; spans (B, 2) int32, the positions of the
        answer's first and last piece, 0 for none and for what is cut off.
    """
    passage_of, spans = tf.constant(readings.passage_of), tf.constant(readings.spans, tf.int32)

    def cut(positions):
        places = tf.gather(passage_of, positions)
        rows = tokenizer.joined(
            tf.gather(readings.questions, positions),
            tf.gather(readings.passages, places),
            tf.gather(readings.words, places),
            most=length,
        )
        inputs = {name: padded(ids, padded_to, STEP) for name, ids in rows.items()}
        return inputs, spans_of_pieces(inputs["word"], tf.gather(spans, positions))

    if training:
        batches = shuffled(tf.constant(readings.lengths(), tf.int64), batch_size, seed)
    else:
        batches = tf.data.Dataset.range(len(readings)).batch(batch_size)
    return batches.map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def spans_of_pieces(word, spans):
    """The first piece of each answer's first word and the last piece of its last word.

    Args:
        word: (B, T) int32, the word that each piece is of, from 1; 0 outside the passage.
        spans: (B, 2) int32, words; (0, 0) for no answer.

    Shapes: -> (B, 2) int32, (0, 0) also where a word of it is not there.

    Example:

    >>> import tensorflow as tf
    >>> spans_of_pieces(tf.constant([[0, 0, 1, 2, 2, 0]]), tf.constant([[1, 2]])).numpy().tolist()
    [[2, 4]]
    """
    there = word[:, None, :] == spans[:, :, None]  # (B, 2, T)
    places = tf.range(tf.shape(word)[1])
    first = tf.reduce_min(tf.where(there[:, 0], places, tf.int32.max), axis=1)
    last = tf.reduce_max(tf.where(there[:, 1], places, -1), axis=1)
    known = tf.reduce_all(tf.reduce_any(there, axis=2), axis=1) & (spans[:, 0] > 0)
    return tf.where(known[:, None], tf.stack([first, last], axis=1), 0)
