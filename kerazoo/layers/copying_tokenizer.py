"""Texts -> ids of their words, those that are not known too, as long as they stand in the source; inside the graph."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import collections

import keras

from kerazoo.layers.text_layer import TextLayer

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf

RESERVED = ("", "[BEGIN]", "[END]", "[UNK]")  # Ids 0 to 3: padding, around a text, what is not known.
UNKNOWN = 3
SPACE = "\u2581"  # Before a word that follows a space; no text has it.
PIECE = 4096  # Texts that are split at a time while words are counted.
LETTERS = r"\pL\pM\pN'’"


@keras.saving.register_keras_serializable(package="kerazoo")
class CopyingTokenizer(TextLayer):
    """Words and marks of punctuation as ids, which become the same text again; the unknown ones of a source as well.

    A word is what letters, digits and apostrophes make up; any other sign is one by itself. Whether a space comes
    before a word belongs to it. 0 is padding, 1 and 2 stand around a text, 3 is a word that is not known. An unknown
    word of a source has an id from `vocabulary_size` on, numbered by where it first stands in this source: a text that
    is made from it can have it too, and only with the source at hand is such an id a word.

    Args:
        vocabulary: known words, the first gets id 4; with "\u2581" in place of the space before.
        extra: unknown words of one source that get ids; further ones are unknown.
        length: words of a source that are read, or None for all.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: texts (B,) strings -> (B, length) int32.

    Raises:
        ValueError: a word that occurs twice or is reserved, a length that is no positive integer, a negative `extra`,
            or another backend.

    Example:

    >>> from kerazoo.layers.copying_tokenizer import CopyingTokenizer
    >>> tokenizer = CopyingTokenizer(["\u2581a", "\u2581tool"], extra=2)
    >>> source = ["a tool: foo"]
    >>> ids = tokenizer.targets(["foo tool"], source)
    >>> tokenizer(source).numpy().tolist(), ids.to_list(), tokenizer.texts(ids, source).numpy().tolist()
    ([[4, 5, 6, 7]], [[7, 5]], [b'foo tool'])
    """

    never = (UNKNOWN,)  # Not to be said: what a source has can be copied.

    def __init__(self, vocabulary, extra=100, length=None, **options):
        super().__init__(**options)
        self.vocabulary = list(vocabulary)
        if len({*self.vocabulary, *RESERVED}) < len(self.vocabulary) + len(RESERVED):
            raise ValueError(f"`vocabulary` must have every word once, and none of {RESERVED}.")
        if not isinstance(extra, int) or extra < 0:
            raise ValueError(f"`extra` must be an integer of at least 0. Received: {extra!r}.")
        if length is not None and (not isinstance(length, int) or length < 1):
            raise ValueError(f"`length` must be None or a positive integer. Received: {length!r}.")
        self.extra, self.length = extra, length
        self.table = self.looked_up([*RESERVED, *self.vocabulary], UNKNOWN)

    @classmethod
    def learn(cls, texts, *, size=50_000, at_least=1, extra=100, length=None, **options):
        """A tokenizer that knows the commonest words of some texts.

        Args:
            texts: strings.
            size: ids at most, the four reserved ones among them, those of unknown words not.
            at_least: times that a word occurs.
            extra, length: as above.
            **options: as above.

        Example:

        >>> from kerazoo.layers.copying_tokenizer import CopyingTokenizer
        >>> CopyingTokenizer.learn(["so good, so far", "so so"], size=6).vocabulary
        ['▁so', ',']
        """
        counts = collections.Counter()
        for first in range(0, len(texts), PIECE):
            counts.update(split(texts[first : first + PIECE]).flat_values.numpy().tolist())
        known = sorted((word for word, count in counts.items() if count >= at_least), key=lambda w: (-counts[w], w))
        known = [word.decode() for word in known[: size - len(RESERVED)]]
        return cls(known, extra=extra, length=length, **options)

    @property
    def vocabulary_size(self):
        """Ids of words that are known, and the reserved ones."""
        return len(self.vocabulary) + len(RESERVED)

    @property
    def size(self):
        """Ids that there are."""
        return self.vocabulary_size + self.extra

    def words(self, texts):
        """The words of each text, a list of lists of strings; a bar below the line stands for a space."""
        return [[word.decode() for word in row] for row in split(texts).to_list()]

    def ragged(self, texts):
        """Sources, (B,) strings -> `tf.RaggedTensor` (B, None) of int32, cut and not padded."""
        words = split(texts)[:, : self.length]
        return self._ids(words, words)

    def targets(self, texts, sources):
        """Texts made from sources, (B,) strings each -> ids as `ragged` gives them, the sources' words among them."""
        return self._ids(split(texts), split(sources)[:, : self.length])

    def texts(self, ids, sources):
        """Ids (B, T), dense or ragged, and the sources that they were made from, (B,) strings -> (B,) strings.

        Padding, begin and end are not told; what is not known is told as "[UNK]".
        """
        ids = ids if isinstance(ids, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(ids)
        ids = tf.cast(tf.ragged.boolean_mask(ids, ids >= UNKNOWN), tf.int32)
        unknown = self._unknown(split(sources)[:, : self.length])
        # Known words, then the unknown ones of one source after the other, and nothing for an id that no word has.
        known = tf.constant(["", "", "", SPACE + RESERVED[UNKNOWN], *self.vocabulary])
        words = tf.concat([known, unknown.values, [""]], axis=0)
        places, rows = ids.values, ids.value_rowids()
        number = places - self.vocabulary_size
        copied = self.vocabulary_size + number + tf.cast(tf.gather(unknown.row_starts(), rows), tf.int32)
        there = number < tf.cast(tf.gather(unknown.row_lengths(), rows), tf.int32)
        places = tf.where(number < 0, places, tf.where(there, copied, tf.size(words) - 1))
        texts = tf.strings.reduce_join(ids.with_values(tf.gather(words, places)), axis=1)
        return tf.strings.strip(tf.strings.regex_replace(texts, SPACE, " "))

    def _ids(self, words, sources):
        """Ids of words, ragged (B, None), where the unknown ones of `sources`, ragged (B, None), have ids too."""
        ids, rows = self.table.lookup(words.values), words.value_rowids()
        unknown = self._unknown(sources)
        keys = tf.concat([_keys(unknown), _keys(words)], axis=0)
        # Where a key occurs first; those of the unknown words come first of all, each of them once.
        first = tf.unique(keys).idx[tf.size(unknown.values) :]
        number = first - tf.cast(tf.gather(unknown.row_starts(), rows), tf.int32)
        copied = (first < tf.size(unknown.values)) & (number < self.extra)
        return words.with_values(tf.where(copied, self.vocabulary_size + number, ids))

    def _unknown(self, words):
        """The unknown words of each row, once each, in the order in which they come: ragged (B, None)."""
        words = tf.ragged.boolean_mask(words, words.with_values(self.table.lookup(words.values)) == UNKNOWN)
        keys, index = tf.unique(_keys(words))
        rows = tf.math.unsorted_segment_min(words.value_rowids(), index, tf.size(keys))
        return tf.RaggedTensor.from_value_rowids(
            tf.strings.regex_replace(keys, "^[0-9]+ ", ""), rows, nrows=words.nrows(), validate=False
        )

    def call(self, inputs):
        return self.ragged(inputs).to_tensor(0, shape=(None, self.length))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape[:1], self.length), "int32")

    def get_config(self):
        return super().get_config() | {"vocabulary": self.vocabulary, "extra": self.extra, "length": self.length}


def split(texts):
    """(B,) strings -> `tf.RaggedTensor` of words, with a mark in place of the space before."""
    texts = tf.strings.unicode_transcode(tf.convert_to_tensor(texts, tf.string), "UTF-8", "UTF-8", errors="replace")
    texts = tf.strings.regex_replace(texts, SPACE, "_")
    texts = tf.strings.strip(tf.strings.regex_replace(texts, r"[\pZ\pC]+", " "))
    texts = tf.where(tf.strings.length(texts) > 0, tf.strings.regex_replace(" " + texts, " ", SPACE), "")
    return tf.strings.split(tf.strings.regex_replace(texts, f"({SPACE}?(?:[{LETTERS}]+|[^{LETTERS}{SPACE}]))", r"\1 "))


def _keys(words):
    """Words of ragged rows, (B, None), with their row's number: the same word of two rows has two keys."""
    return tf.strings.join([tf.strings.as_string(words.value_rowids()), words.values], separator=" ")
