"""Texts -> ids of pieces of words and back, inside the graph, by SentencePiece."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import base64
import importlib
import io
import re

import keras

from kerazoo.extras import need
from kerazoo.layers.text_layer import TextLayer
from kerazoo.registry import unknown_choice

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf

PADDING, BEGIN, END, UNKNOWN = 0, 1, 2, 3  # Ids that no text has, but for the last.
KINDS = ("bpe", "unigram")


@keras.saving.register_keras_serializable(package="kerazoo")
class SentencePieceTokenizer(TextLayer):
    """Pieces of words as ids, by a model of SentencePiece (Kudo and Richardson, 2018).

    https://arxiv.org/abs/1808.06226. Texts are normalised by Unicode's NFKC, several spaces become one. Id 0 is
    padding, 1 the begin, 2 the end of a text, 3 any sign that is not known; none but the last is ever put there by a
    text itself. Bytes that are no UTF-8 are unknown.

    Args:
        model: what SentencePiece's trainer wrote, as bytes or their base64.
        length: ids of a text, cut or padded; None pads to the longest of a batch.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: texts (B,) strings -> (B, length) int32.

    Raises:
        ImportError: tensorflow-text is not installed.
        ValueError: no model of SentencePiece, one with other ids for padding, begin, end and unknown, a length that is
            no positive integer, or another backend.

    Example:

    >>> from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer
    >>> pieces = SentencePieceTokenizer.learn(["a black dog runs", "a dog jumps", "dogs run and jump"] * 9, size=40)
    >>> pieces.texts(pieces.ragged(["dogs jump"])).numpy().tolist()
    [b'dogs jump']
    """

    def __init__(self, model, length=None, **options):
        super().__init__(**options)
        need("tensorflow_text")
        if length is not None and (not isinstance(length, int) or length < 1):
            raise ValueError(f"`length` must be None or a positive integer. Received: {length!r}.")
        self.length = length
        try:
            self.model = model if isinstance(model, bytes) else base64.b64decode(model, validate=True)
            self._processor = self._made()
            self.vocabulary_size = int(self.processor.vocab_size())
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise ValueError("`model` must be what SentencePiece's trainer wrote, as bytes or base64.") from error
        ids = [int(self.processor.string_to_id(name)) for name in ("<pad>", "<s>", "</s>", "<unk>")]
        if ids != [PADDING, BEGIN, END, UNKNOWN]:
            raise ValueError(
                f"Padding, begin, end and unknown must have the ids 0, 1, 2 and 3 in SentencePiece's model, as <pad>, "
                f"<s>, </s> and <unk>. Received: {ids}."
            )

    def _made(self):
        # It registers its operations with TensorFlow; its import takes a second that others need not wait for.
        text = importlib.import_module("tensorflow_text")
        return text.SentencepieceTokenizer(model=self.model, out_type=tf.int32)

    @property
    def processor(self):
        """What knows the pieces; made anew where `tf.random.set_seed` has taken it away with TensorFlow's kernels."""
        with tf.init_scope():
            try:
                self._processor.vocab_size()
            except tf.errors.NotFoundError:
                self._processor = self._made()
        return self._processor

    @classmethod
    def learn(cls, texts, *, size=8000, kind="bpe", length=None, **options):
        """A tokenizer that has learned its pieces from some texts.

        Args:
            texts: strings; every sign of theirs is known.
            size: ids at most, those of padding, begin, end and unknown among them. Few texts give fewer: then there
                are as many as they give.
            kind: "bpe", pairs that occur most often are joined (Sennrich et al., 2016,
                https://arxiv.org/abs/1508.07909), or "unigram", the likeliest pieces of all (Kudo, 2018,
                https://arxiv.org/abs/1804.10959).
            length: as above.
            **options: as above.

        Raises:
            ImportError: sentencepiece or tensorflow-text is not installed.
            ValueError: an unknown `kind`, no texts, or a size that does not hold every sign of the texts.
        """
        if kind not in KINDS:
            raise ValueError(unknown_choice("kind", kind, KINDS))
        need("sentencepiece")
        import sentencepiece  # Only where a tokenizer learns.

        texts = list(texts)
        if not any(text.strip() for text in texts):
            raise ValueError(f"There must be a text with signs to learn from. Received: {len(texts)} empty texts.")
        written = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=written,
                vocab_size=size,
                hard_vocab_limit=False,  # Texts that give fewer pieces are no error.
                model_type=kind,
                character_coverage=1.0,
                pad_id=PADDING,
                bos_id=BEGIN,
                eos_id=END,
                unk_id=UNKNOWN,
                max_sentence_length=2**20,  # Bytes; a longer text would be left out.
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            least = re.search(r"required_chars\. \d+ vs (\d+)", str(error))
            if least:
                rule = f"`size` must be at least {int(least[1]):,}, to hold every sign of the texts"
                raise ValueError(f"{rule}. Received: {size:,}.") from error
            reason = str(error).replace("\n", " ")[-200:]
            raise ValueError(f"No {size:,} pieces can be learned from these {len(texts):,} texts: {reason}") from error
        return cls(written.getvalue(), length=length, **options)

    @property
    def size(self):
        """Ids that there are."""
        return self.vocabulary_size

    def ragged(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of int32, cut and not padded."""
        ids = self.processor.tokenize(tf.convert_to_tensor(texts, tf.string))
        return ids if self.length is None else ids[:, : self.length]

    def texts(self, ids, sources=None):
        """Ids (B, T), dense or ragged -> (B,) strings; padding, begin and end are not told.

        `sources` is for tokenizers that copy from them; these pieces stand by themselves.
        """
        return self.processor.detokenize(tf.cast(ids, tf.int32))

    def pieces(self, ids):
        """The pieces of some ids, a list of strings; a bar below the line stands for a space."""
        return [piece.decode() for piece in self.processor.id_to_string(tf.constant(ids, tf.int32)).numpy()]

    def call(self, inputs):
        return self.ragged(inputs).to_tensor(PADDING, shape=(None, self.length))

    def compute_output_spec(self, inputs):
        return keras.KerasTensor((*inputs.shape[:1], self.length), "int32")

    def get_config(self):
        return super().get_config() | {"model": base64.b64encode(self.model).decode(), "length": self.length}
