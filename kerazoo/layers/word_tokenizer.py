"""Texts -> ids of their words, inside the graph."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import collections

import keras

from kerazoo.layers.text_layer import TextLayer

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf

PADDING, UNKNOWN = "", "[UNK]"  # Ids 0 and 1.
PIECE = 4096  # Texts that are split at a time while words are counted.


@keras.saving.register_keras_serializable(package="kerazoo")
class WordTokenizer(TextLayer):
    """Words and marks of punctuation as ids: 0 is padding, 1 any word that is not known.

    Words are what letters, digits and apostrophes make up; any other sign is a word by itself, an emoji too. Bytes
    that are no UTF-8 become the sign for that.

    Args:
        vocabulary: known words, the first gets id 2.
        length: ids of a text, cut or padded; None pads to the longest of a batch.
        lowercase: capitals make no difference.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: texts (B,) strings -> (B, length) int32.

    Raises:
        ValueError: a word that occurs twice or is empty, a length that is no positive integer, or another backend.

    Example:

    >>> from kerazoo.layers.word_tokenizer import WordTokenizer
    >>> tokenizer = WordTokenizer(["a", "film", "!"])
    >>> tokenizer(["A good film!", ""]).numpy().tolist()
    [[2, 1, 3, 4], [0, 0, 0, 0]]
    """

    def __init__(self, vocabulary, length=None, lowercase=True, **options):
        super().__init__(**options)
        self.vocabulary = list(vocabulary)
        if len(set(self.vocabulary) | {PADDING, UNKNOWN}) < len(self.vocabulary) + 2:
            raise ValueError("`vocabulary` must have every word once, none of them empty or '[UNK]'.")
        if length is not None and (not isinstance(length, int) or length < 1):
            raise ValueError(f"`length` must be None or a positive integer. Received: {length!r}.")
        self.length, self.lowercase = length, lowercase
        self.table = self.looked_up([PADDING, UNKNOWN, *self.vocabulary], 1)

    @classmethod
    def learn(cls, texts, *, size=20_000, at_least=1, length=None, lowercase=True, **options):
        """A tokenizer that knows the commonest words of some texts.

        Args:
            texts: strings.
            size: ids at most, those of padding and the unknown among them.
            at_least: times that a word occurs.
            length: as above.
            lowercase: as above.
            **options: as above.

        Example:

        >>> from kerazoo.layers.word_tokenizer import WordTokenizer
        >>> WordTokenizer.learn(["so good, so far", "so so"], size=4).vocabulary
        ['so', ',']
        """
        counts = collections.Counter()
        for first in range(0, len(texts), PIECE):
            counts.update(split(texts[first : first + PIECE], lowercase).flat_values.numpy().tolist())
        known = sorted((word for word, count in counts.items() if count >= at_least), key=lambda w: (-counts[w], w))
        return cls([word.decode() for word in known[: size - 2]], length=length, lowercase=lowercase, **options)

    @property
    def size(self):
        """Ids that there are."""
        return len(self.vocabulary) + 2

    unknown = 1  # The id of what is not known.

    def words(self, texts):
        """The words of each text and their places among its ids: lists of (string, [place])."""
        rows = split(texts, self.lowercase).to_list()
        return [[(word.decode(), [place]) for place, word in enumerate(row[: self.length])] for row in rows]

    def ragged(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of int32, cut and not padded."""
        words = split(texts, self.lowercase)
        if self.length is not None:
            words = words[:, : self.length]
        return tf.ragged.map_flat_values(self.table.lookup, words)

    def call(self, inputs):
        return self.ragged(inputs).to_tensor(0, shape=(None, self.length))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape[:1], self.length), "int32")

    def get_config(self):
        return super().get_config() | {
            "vocabulary": self.vocabulary,
            "length": self.length,
            "lowercase": self.lowercase,
        }


def split(texts, lowercase):
    """(B,) strings -> `tf.RaggedTensor` of words."""
    texts = tf.strings.unicode_transcode(tf.convert_to_tensor(texts, tf.string), "UTF-8", "UTF-8", errors="replace")
    if lowercase:
        texts = tf.strings.lower(texts, encoding="utf-8")
    texts = tf.strings.regex_replace(texts, r"[\pZ\pC]", " ")
    return tf.strings.split(tf.strings.regex_replace(texts, r"([^\pL\pM\pN\s'’])", r" \1 "))
