"""Texts -> vectors, by an encoder of sentences and its tokenizer."""

import keras
import numpy as np
import tensorflow as tf

from kerazoo.data.text_batches import padded
from kerazoo.evaluate.predict import compiled


class Embedder:
    """Vectors of texts, of like length together so that little is padded.

    Args:
        model: from ids (B, T) to vectors (B, C).
        tokenizer: a layer with `ragged` from texts to ids.
        batch_size: texts at a time.

    Example:

    >>> import kerazoo
    >>> from kerazoo.evaluate.embedder import Embedder
    >>> from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
    >>> pieces = WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "film"], length=16)
    >>> Embedder(kerazoo.build("minilm_l6", vocabulary_size=6, depth=1), pieces)(["good film", ""]).shape
    (2, 384)
    """

    def __init__(self, model, tokenizer, batch_size=64):
        self.model, self.tokenizer, self.batch_size = model, tokenizer, batch_size
        self._run = compiled(model)

    def __call__(self, texts, progress=False):
        """(N,) strings -> (N, C) float32; `progress` shows a bar."""
        width = self.model.output_shape[-1]
        vectors = np.zeros((len(texts), width), "float32")
        if not len(texts):
            return vectors
        ids = self.tokenizer.ragged(list(texts))
        order = np.argsort(-ids.row_lengths().numpy(), kind="stable")  # Longest first: what does not fit shows at once.
        bar = keras.utils.Progbar(len(texts), unit_name="text") if progress else None
        for first in range(0, len(texts), self.batch_size):
            places = order[first : first + self.batch_size]
            vectors[places] = self._run(padded(tf.gather(ids, places)))
            if bar:
                bar.add(len(places))
        return vectors
