"""Questions and passages -> ids of their words and of the words' characters, and where the words are."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import keras

from kerazoo.layers.tagger_tokenizer import TaggerTokenizer
from kerazoo.layers.word_tokenizer import split

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf

MARK = "[none]"  # The word before each passage, which stands for no answer. No text has it: "[" is a word by itself.


@keras.saving.register_keras_serializable(package="kerazoo")
class ReaderTokenizer(TaggerTokenizer):
    """Words as ids, without regard to capitals, and their characters as they are, of a question and a passage.

    Texts are split as `WordTokenizer` splits them. 0 is padding, 1 what is not known, 2 the mark before a passage.

    Args:
        vocabulary: known words, in lower case, `MARK` first.
        alphabet: known characters; the first gets id 2.
        word_length: characters of a word, cut or padded.
        length: words of a passage with its mark, cut or padded; None pads to the longest of a batch.
        question_length: words of a question, likewise.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: questions and passages, (B,) strings -> {"question": (B, question_length), "question_characters":
        (B, question_length, word_length), "passage": (B, length), "passage_characters": (B, length, word_length)}
        int32.

    Raises:
        ValueError: a vocabulary that does not begin with the mark, a word or character that occurs twice, a length
            that is no positive integer, or another backend.

    Example:

    >>> from kerazoo.layers.reader_tokenizer import ReaderTokenizer
    >>> tokenizer = ReaderTokenizer.learn([["who", "?"], ["Ada", "wrote", "it", "."]])
    >>> ids = tokenizer(["Who wrote it?"], ["Ada did."])
    >>> ids["passage"].numpy().tolist()  # The mark, "ada", a word that is not known, "."
    [[2, 5, 1, 3]]
    >>> tokenizer.places(["Ada did."]).to_list()
    [[[0, 3], [4, 7], [7, 8]]]
    """

    def __init__(self, vocabulary, alphabet, word_length=16, length=None, question_length=None, **options):
        super().__init__(vocabulary, alphabet, word_length, length, **options)
        if not self.vocabulary or self.vocabulary[0] != MARK:
            raise ValueError(f"`vocabulary` must begin with {MARK!r}. Received: {self.vocabulary[:1]}.")
        if question_length is not None and (not isinstance(question_length, int) or question_length < 1):
            raise ValueError(f"`question_length` must be a positive integer. Received: {question_length!r}.")
        self.question_length = question_length

    @classmethod
    def learn(cls, texts, *, size=50_000, at_least=1, word_length=16, **options):
        """A tokenizer that knows the commonest words of some texts, and all their characters.

        Args:
            texts: lists of words.
            size: ids of words at most, those of padding, the unknown and the mark among them.
            at_least: times that a word occurs.
            word_length: as above.
            **options: as above.
        """
        vocabulary, alphabet = cls.known(texts, size - 3, at_least)
        return cls([MARK, *vocabulary], alphabet, word_length=word_length, **options)

    @staticmethod
    def plain(words):
        """Words as they are looked up: in lower case."""
        return tf.strings.lower(words, encoding="utf-8")

    def words_of(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of their words."""
        return split(texts, lowercase=False)

    def places(self, texts):
        """Where each word of some texts begins and ends, as the function of that name."""
        return places(texts)

    def ragged_passages(self, words):
        """Words of passages, ragged (B, None) -> ids and characters with the mark before them, as `ragged` gives."""
        return self.ragged(tf.concat([tf.fill((words.nrows(), 1), MARK), words], axis=1))

    def __call__(self, questions, passages, **options):
        texts = [
            tf.constant(side, tf.string) if isinstance(side, (list, tuple)) else side for side in (questions, passages)
        ]
        return super().__call__(*texts, **options)

    def call(self, questions, passages):
        found = {}
        for name, length, parts in (
            ("question", self.question_length, self.ragged(self.words_of(questions))),
            ("passage", self.length, self.ragged_passages(self.words_of(passages))),
        ):
            tokens, characters = (part if length is None else part[:, :length] for part in parts)
            found[name] = tokens.to_tensor(0, shape=(None, length))
            found[f"{name}_characters"] = characters.to_tensor(0, shape=(None, length, self.word_length))
        return found

    def compute_output_spec(self, questions, passages):
        found = {}
        for name, length in (("question", self.question_length), ("passage", self.length)):
            shape = (*questions.shape[:1], length)
            found[name] = keras.KerasTensor(shape, "int32")
            found[f"{name}_characters"] = keras.KerasTensor((*shape, self.word_length), "int32")
        return found

    def get_config(self):
        return super().get_config() | {"question_length": self.question_length}


def places(texts):
    """Where each word of some texts begins and ends: (B,) strings -> `tf.RaggedTensor` (B, None, 2) int32.

    Places are counted in code points, as Python and SQuAD's files count them; the second is behind the word.
    """
    texts = clean(texts)
    signs = tf.strings.unicode_split(texts, "UTF-8", errors="replace")
    flat, rows = signs.flat_values, signs.value_rowids()
    gone = tf.strings.regex_full_match(flat, r"[\pZ\pC\s]")
    alone = tf.strings.regex_full_match(flat, r"[^\pL\pM\pN\s'’]") & ~gone
    inside = ~(gone | alone)
    # Whether a sign goes on with the word of the one before it.
    joined = inside[1:] & inside[:-1] & (rows[1:] == rows[:-1])
    edge = tf.zeros((tf.minimum(tf.size(flat), 1),), tf.bool)
    begins = ~gone & ~tf.concat([edge, joined], axis=0)
    ends = ~gone & ~tf.concat([joined, edge], axis=0)
    place = tf.range(tf.size(flat), dtype=tf.int32) - tf.cast(tf.gather(signs.row_starts(), rows), tf.int32)
    pairs = tf.stack([tf.boolean_mask(place, begins), tf.boolean_mask(place, ends) + 1], axis=-1)
    return tf.RaggedTensor.from_value_rowids(pairs, tf.boolean_mask(rows, begins), nrows=signs.nrows(), validate=False)


def clean(texts):
    """Texts as they are split: a sign for bytes that are no UTF-8."""
    return tf.strings.unicode_transcode(tf.convert_to_tensor(texts, tf.string), "UTF-8", "UTF-8", errors="replace")
