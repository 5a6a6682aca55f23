"""Texts -> ids of pieces of words as BERT has them, and back, inside the graph."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import importlib

import keras

from kerazoo.extras import need
from kerazoo.layers.text_layer import TextLayer

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")  # Padding, the unknown, before a text, after it.


@keras.saving.register_keras_serializable(package="kerazoo")
class WordPieceTokenizer(TextLayer):
    """Pieces of words as ids, the longest known one first (Devlin et al., 2019, https://aclanthology.org/N19-1423).

    Each text stands between "[CLS]" and "[SEP]". Its own characters never give one of the marks. Words are split at
    spaces and punctuation; Chinese characters are words. A word with a sign that is not known is one unknown. Control
    characters and bytes that are no UTF-8 are left out.

    Args:
        vocabulary: pieces in the order of their ids; those that continue a word begin with "##". It has "[PAD]",
            "[UNK]", "[CLS]" and "[SEP]".
        length: ids of a text with its marks, cut or padded; None pads to the longest of a batch.
        lowercase: capitals and accents make no difference.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: texts (B,) strings -> (B, length) int32.

    Raises:
        ImportError: tensorflow-text is not installed.
        ValueError: a piece that occurs twice, marks that are missing, a length below 3, or another backend.

    Example:

    >>> from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
    >>> pieces = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "!"])
    >>> pieces(["Unaffable!", "so"]).numpy().tolist()
    [[2, 4, 5, 6, 7, 3], [2, 1, 3, 0, 0, 0]]
    """

    def __init__(self, vocabulary, length=None, lowercase=True, **options):
        super().__init__(**options)
        need("tensorflow_text")
        self.vocabulary = list(vocabulary)
        if len(set(self.vocabulary)) < len(self.vocabulary) or not set(MARKS) <= set(self.vocabulary):
            raise ValueError(f"`vocabulary` must have every piece once, and {MARKS} among them.")
        if length is not None and (not isinstance(length, int) or length < 3):
            raise ValueError(f"`length` must be None or an integer of at least 3. Received: {length!r}.")
        self.length, self.lowercase = length, lowercase
        self.padding, self.unknown, self.begin, self.end = (self.vocabulary.index(mark) for mark in MARKS)
        # It registers its operations with TensorFlow; its import takes a second that others need not wait for.
        self.library = importlib.import_module("tensorflow_text")
        self.splitter = self.library.FastBertTokenizer(
            vocab=self.vocabulary, token_out_type=tf.int32, unknown_token=MARKS[1], support_detokenization=True
        )

    @classmethod
    def learn(cls, texts, *, size=8000, length=None, lowercase=True, **options):
        """A tokenizer that has learned its pieces from some texts.

        Args:
            texts: strings; every sign of theirs is known.
            size: ids at most, those of the marks among them.
            length: as above.
            lowercase: as above.
            **options: as above.

        Raises:
            ImportError: tokenizers or tensorflow-text is not installed.
            ValueError: a size that does not hold all signs.

        Example:

        >>> from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
        >>> pieces = WordPieceTokenizer.learn(["a dog runs", "a dog jumps", "dogs jump"] * 5, size=40)
        >>> pieces.texts(pieces(["Dogs jump"])).numpy().tolist()
        [b'dogs jump']
        """
        need("tokenizers")
        from tokenizers import BertWordPieceTokenizer  # Only where a tokenizer learns.

        learner = BertWordPieceTokenizer(lowercase=lowercase)
        learner.train_from_iterator(
            iter(texts), vocab_size=size, special_tokens=list(MARKS), limit_alphabet=size, show_progress=False
        )
        places = learner.get_vocab()
        if len(places) > size:
            raise ValueError(f"`size` must be at least {len(places):,}: so many signs are there. Received: {size:,}.")
        return cls(sorted(places, key=places.get), length=length, lowercase=lowercase, **options)

    @property
    def size(self):
        """Ids that there are."""
        return len(self.vocabulary)

    def ragged(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of int32 with the marks, cut and not padded."""
        ids = self._split(texts)
        return self._marked(ids if self.length is None else ids[:, : self.length - 2])

    def ragged_pairs(self, first, second):
        """(B,) and (B,) strings -> (B, None): both texts, each with "[SEP]" after it; the second is cut first."""
        first, second = self._split(first), self._split(second)
        if self.length is not None:
            first = first[:, : self.length - 3]
            room = self.length - 3 - first.row_lengths()
            kept = tf.minimum(second.row_lengths(), tf.cast(room, tf.int64))
            second = tf.gather(second, tf.ragged.range(kept), batch_dims=1)
        return self._marked(first, second)

    def texts(self, ids):
        """Ids (B, T), dense or ragged -> (B,) strings, without the marks; how words were written is not known."""
        ids = tf.cast(ids, tf.int32)
        rows = ids if isinstance(ids, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(ids)
        marks = [self.padding, self.begin, self.end]
        return self.splitter.detokenize(
            tf.ragged.boolean_mask(rows, tf.reduce_all(rows[..., None] != tf.constant(marks), axis=-1))
        )

    def words(self, texts):
        """The words of each text, made of their pieces, and these's places among its ids: lists of (string, places)."""
        rows = []
        for ids in self.ragged(texts).to_list():
            rows.append([])
            for place, piece in list(enumerate(self.pieces(ids)))[1:-1]:  # Without the marks.
                if piece.startswith("##") and rows[-1]:
                    word, places = rows[-1].pop()
                    rows[-1].append((word + piece[2:], [*places, place]))
                else:
                    rows[-1].append((piece, [place]))
        return rows

    def pieces(self, ids):
        """The pieces of some ids, a list of strings."""
        return [self.vocabulary[place] for place in ids]

    def _split(self, texts):
        texts = tf.convert_to_tensor(texts, tf.string)
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
        texts = tf.strings.regex_replace(tf.strings.regex_replace(texts, r"[\t\n\r]", " "), r"[\pC\x{FFFD}]", "")
        if self.lowercase:  # The library's own way makes two letters of some, as no other BERT does.
            texts = tf.strings.regex_replace(self.library.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
            texts = tf.strings.lower(texts, encoding="utf-8")
        return self.splitter.tokenize(texts).merge_dims(1, -1)

    def _marked(self, *parts):
        """Ragged ids with "[CLS]" before the first and "[SEP]" after each."""
        column = tf.ones((parts[0].nrows(), 1), tf.int32)
        rows = [self.begin * column]
        for part in parts:
            rows += [tf.cast(part, tf.int32), self.end * column]
        return tf.concat(rows, axis=1)

    def call(self, inputs):
        return self.ragged(inputs).to_tensor(self.padding, shape=(None, self.length))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape[:1], self.length), "int32")

    def get_config(self):
        return super().get_config() | {
            "vocabulary": self.vocabulary,
            "length": self.length,
            "lowercase": self.lowercase,
        }
