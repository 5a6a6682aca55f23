"""Questions with their passages -> tf.data of padded batches for a reader."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerazoo.data.text_batches import padded, shuffled

UNKNOWN, WORDS = 1, 3  # Ids below the latter are marks.
STEPS = {"question": 8, "passage": 32}  # Lengths of batches are multiples of these.
RARE = 10  # Words that occur no more often may be told as unknown.


@dataclass(frozen=True)
class Readings:
    """Questions and passages as ids.

    Attributes:
        questions, passages: (ids, ragged (N, None); characters, ragged (N, None, C)), each passage once.
        passage_of: (N,), the position of each question's passage.
        spans: (N, 2), the positions of the answer's first and last word among the passage's, after its mark; (0, 0)
            for none.
    """

    questions: tuple
    passages: tuple
    passage_of: np.ndarray
    spans: np.ndarray

    def __len__(self):
        return len(self.passage_of)

    def take(self, positions):
        """The questions at these positions, with all passages."""
        positions = np.asarray(positions, int)
        questions = tuple(tf.gather(side, positions) for side in self.questions)
        return Readings(questions, self.passages, self.passage_of[positions], self.spans[positions])

    def cut(self, length):
        """The same with passages of at most `length` words, without the questions whose answer is cut."""
        short = Readings(self.questions, tuple(side[:, :length] for side in self.passages), self.passage_of, self.spans)
        return short.take(np.flatnonzero(self.spans[:, 1] < length))

    def lengths(self):
        """Words of each question's passage."""
        return self.passages[0].row_lengths().numpy()[self.passage_of]


def span_of(places, start, end):
    """The first and last of the words that an answer has a part of, or None where it has none.

    Args:
        places: (W, 2), where words begin and end, as `ReaderTokenizer.places` gives them for a text.
        start, end: where the answer begins, and the place behind it.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.question_batches import span_of
    >>> span_of(np.array([[0, 3], [4, 8], [8, 9]]), 5, 7)  # A part of the second word.
    (1, 1)
    """
    touched = np.flatnonzero((places[:, 0] < end) & (places[:, 1] > start)) if len(places) else ()
    return (int(touched[0]), int(touched[-1])) if len(touched) else None


def question_batches(readings, *, batch_size, lengths=None, training=False, unknown=0.0, seed=0):
    """A `tf.data.Dataset` of ({"question", "question_characters", "passage", "passage_characters"}, spans).

    In training, passages of like length share a batch, each question in one batch of an epoch, in a new order. A rare
    word is told as unknown with the chance `unknown` in all questions and passages of a batch, so that the network
    learns that what is spelled alike is alike also where it does not know the word.

    Args:
        readings: `Readings`.
        batch_size: questions in a batch; the last one may be smaller.
        lengths: {"question": words, "passage": words}, to which texts are cut or padded; None pads to a multiple of 8
            or 32 in each batch.
        training: shuffle.
        unknown: as said.
        seed: of the order and the unknown.

    Shapes: ids (B, T) and characters (B, T, C), int32, 0 after a text's end; spans (B, 2), int32.

    Raises:
        ValueError: a chance outside [0, 1).
    """
    if not 0 <= unknown < 1:
        raise ValueError(f"`unknown` must be in [0, 1). Received: {unknown}.")
    lengths = lengths or {}
    passage_of, spans = tf.constant(readings.passage_of), tf.constant(readings.spans, tf.int32)
    sides = {"question": readings.questions, "passage": readings.passages}
    both = np.concatenate([tokens.flat_values.numpy() for tokens, _ in sides.values()])
    counts = np.bincount(both, minlength=WORDS)
    rare = tf.constant((counts <= RARE) & (np.arange(len(counts)) >= WORDS))

    def cut(positions):
        inputs = {}
        for name, (tokens, characters) in sides.items():
            places = positions if name == "question" else tf.gather(passage_of, positions)
            ids = padded(tf.gather(tokens, places), lengths.get(name), STEPS[name])
            long, width = tf.shape(ids)[1], characters.shape[-1]
            signs = tf.gather(characters, places)[:, :long].to_tensor(0)
            signs = tf.pad(signs, [[0, 0], [0, long - tf.shape(signs)[1]], [0, 0]])
            inputs |= {name: ids, f"{name}_characters": tf.ensure_shape(signs, (None, lengths.get(name), width))}
        return inputs, tf.gather(spans, positions)

    def hidden(inputs, right, key):
        hide = rare & (tf.random.stateless_uniform(tf.shape(rare), tf.stack([key, key + 1])) < unknown)
        told = {name: tf.where(tf.gather(hide, inputs[name]), UNKNOWN, inputs[name]) for name in sides}
        return inputs | told, right

    count = len(readings)
    if not training:
        return tf.data.Dataset.range(count).batch(batch_size).map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    batches = shuffled(tf.constant(readings.lengths(), tf.int64), batch_size, seed).map(cut, tf.data.AUTOTUNE)
    if unknown:
        keys = tf.data.Dataset.random(seed=seed + 1, rerandomize_each_iteration=True).map(lambda key: key % (2**31))
        batches = tf.data.Dataset.zip(batches, keys).map(lambda pair, key: hidden(*pair, key), tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)
