"""Texts -> ids of their words and of the words' characters, inside the graph."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import collections

import keras

from kerazoo.layers.text_layer import TextLayer
from kerazoo.layers.word_tokenizer import split

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf

PADDING, UNKNOWN = "", "[UNK]"  # Ids 0 and 1, of words and of characters.


@keras.saving.register_keras_serializable(package="kerazoo")
class TaggerTokenizer(TextLayer):
    """Words as ids, without regard to capitals and with 0 for every digit, and their characters as they are.

    A text is split as `WordTokenizer` splits it. 0 is padding, 1 what is not known.

    Args:
        vocabulary: known words, in lower case; the first gets id 2.
        alphabet: known characters; the first gets id 2.
        word_length: characters of a word, cut or padded.
        length: words of a text, cut or padded; None pads to the longest of a batch.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: texts (B,) strings -> {"tokens": (B, length) int32, "characters": (B, length, word_length) int32}.

    Raises:
        ValueError: a word or character that occurs twice, a length that is no positive integer, or another backend.

    Example:

    >>> from kerazoo.layers.tagger_tokenizer import TaggerTokenizer
    >>> tokenizer = TaggerTokenizer(["ada", "00"], "Ada", word_length=4)
    >>> ids = tokenizer(["Ada, 36"])
    >>> ids["tokens"].numpy().tolist(), ids["characters"].numpy()[0, 0].tolist()
    ([[2, 1, 3]], [2, 3, 4, 0])
    """

    def __init__(self, vocabulary, alphabet, word_length=20, length=None, **options):
        super().__init__(**options)
        self.vocabulary, self.alphabet = list(vocabulary), list(alphabet)
        for known in (self.vocabulary, self.alphabet):
            if len({*known, PADDING, UNKNOWN}) < len(known) + 2:
                raise ValueError("`vocabulary` and `alphabet` must have everything once, nothing empty or '[UNK]'.")
        for name, value in (("word_length", word_length), ("length", length)):
            if not (name == "length" and value is None) and (not isinstance(value, int) or value < 1):
                raise ValueError(f"`{name}` must be a positive integer. Received: {value!r}.")
        self.word_length, self.length = word_length, length
        self.words = self.looked_up([PADDING, UNKNOWN, *self.vocabulary], 1)
        self.signs = self.looked_up([PADDING, UNKNOWN, *self.alphabet], 1)

    @classmethod
    def learn(cls, texts, *, size=50_000, at_least=1, word_length=20, length=None, **options):
        """A tokenizer that knows the commonest words of some texts, and all their characters.

        Args:
            texts: lists of words.
            size: ids of words at most, those of padding and the unknown among them.
            at_least: times that a word occurs.
            word_length, length: as above.
            **options: as above.
        """
        vocabulary, alphabet = cls.known(texts, size - 2, at_least)
        return cls(vocabulary, alphabet, word_length=word_length, length=length, **options)

    @classmethod
    def known(cls, texts, size, at_least=1):
        """The `size` commonest words of some texts, lists of words, as they are looked up, and all characters."""
        counts = collections.Counter(word for words in texts for word in words)
        merged = collections.Counter()
        kinds = list(counts)
        for word, plain in zip(kinds, cls.plain(tf.constant(kinds, tf.string)).numpy() if kinds else ()):
            merged[plain.decode()] += counts[word]
        words = sorted((word for word, count in merged.items() if count >= at_least), key=lambda w: (-merged[w], w))
        return words[:size], sorted({sign for word in kinds for sign in word})

    @property
    def size(self):
        """Ids of words that there are."""
        return len(self.vocabulary) + 2

    @property
    def characters(self):
        """Ids of characters that there are."""
        return len(self.alphabet) + 2

    @staticmethod
    def plain(words):
        """Words as they are looked up: in lower case, every digit a 0."""
        return tf.strings.regex_replace(tf.strings.lower(words, encoding="utf-8"), r"\pN", "0")

    def split(self, texts):
        """(B,) strings -> `tf.RaggedTensor` of their words, cut at `length`."""
        return split(texts, lowercase=False)[:, : self.length]

    def ragged(self, words):
        """Words, ragged (B, None) -> their ids, ragged (B, None), and characters, ragged (B, None, word_length)."""
        flat = words.flat_values
        signs = tf.strings.unicode_split(flat, "UTF-8", errors="replace")[:, : self.word_length]
        signs = tf.ragged.map_flat_values(self.signs.lookup, signs).to_tensor(0, shape=(None, self.word_length))
        return words.with_flat_values(self.words.lookup(self.plain(flat))), words.with_flat_values(signs)

    def call(self, inputs):
        tokens, characters = self.ragged(self.split(inputs))
        return {
            "tokens": tokens.to_tensor(0, shape=(None, self.length)),
            "characters": characters.to_tensor(0, shape=(None, self.length, self.word_length)),
        }

    def compute_output_spec(self, inputs):
        batch = inputs.shape[:1]
        return {
            "tokens": keras.KerasTensor((*batch, self.length), "int32"),
            "characters": keras.KerasTensor((*batch, self.length, self.word_length), "int32"),
        }

    def get_config(self):
        return super().get_config() | {
            "vocabulary": self.vocabulary,
            "alphabet": self.alphabet,
            "word_length": self.word_length,
            "length": self.length,
        }
