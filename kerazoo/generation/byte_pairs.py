"""Texts -> ids of pieces of words made of bytes, as GPT-2 and its kin have them, and back."""

import numpy as np
import tensorflow as tf

from kerazoo.extras import need
from kerazoo.registry import unknown_choice

# How texts are split before pieces are joined: GPT-2's words; SmolLM takes every digit by itself.
SPLITS = ("default", "gpt-2", "smollm")


class BytePairs:
    """Byte-level byte-pair encoding (Radford et al., 2019, https://github.com/openai/gpt-2), by the tokenizers library.

    Any text has ids and comes back from them byte for byte. Marks such as "<|im_end|>" are no part of a text: one that
    writes them gets the pieces of its characters, and their ids are `special`.

    Args:
        pieces: in the order of their ids, bytes as GPT-2 writes them.
        merges: "a b" for each two pieces that are joined, the first ones first.
        special: {mark: id}.
        splits: "gpt-2" ("default" is the same) or "smollm".

    Raises:
        ImportError: tokenizers is not installed.
        ValueError: an unknown way to split, or merges of pieces that are not there.

    Example:

    >>> from kerazoo.generation.byte_pairs import BytePairs
    >>> pairs = BytePairs(["a", "b", "ab", "<|end|>"], ["a b"], special={"<|end|>": 3})
    >>> pairs.ragged(["abab", "b"]).to_list()
    [[2, 2], [1]]
    """

    def __init__(self, pieces, merges, *, special=None, splits="gpt-2"):
        need("tokenizers")
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        if splits not in SPLITS:
            raise ValueError(unknown_choice("way to split", splits, SPLITS))
        self.pieces, self.special = list(pieces), dict(special or {})
        known = {piece: place for place, piece in enumerate(self.pieces)}
        joined = [tuple(pair.split(" ")) for pair in merges]
        for pair in joined:  # The library would end the whole program.
            if len(pair) != 2 or not {*pair, "".join(pair)} <= known.keys():
                raise ValueError(f"`merges` must be pairs of known pieces whose joint is known. Received: {pair}.")
        self.splitter = Tokenizer(models.BPE(known, joined))
        words = pre_tokenizers.ByteLevel(add_prefix_space=False)
        digits = [pre_tokenizers.Digits(individual_digits=True)] if splits == "smollm" else []
        self.splitter.pre_tokenizer = pre_tokenizers.Sequence([*digits, words])
        self.splitter.decoder = decoders.ByteLevel()

    @property
    def size(self):
        """Ids that there are."""
        return len(self.pieces)

    def ids(self, text):
        """A text's ids, a list."""
        return self.splitter.encode(text, add_special_tokens=False).ids

    def ragged(self, texts):
        """(B,) strings -> `tf.RaggedTensor` (B, None) of int32."""
        rows = [self.ids(text) for text in texts]
        return tf.RaggedTensor.from_row_lengths(
            np.array([place for row in rows for place in row], "int32"), [len(row) for row in rows]
        )

    def texts(self, ids):
        """Ids (B, T) -> (B,) strings; marks are left out."""
        marks = set(self.special.values())
        rows = [[int(place) for place in row if int(place) not in marks] for row in np.asarray(ids)]
        return tf.constant([self.splitter.decode(row, skip_special_tokens=False) for row in rows])
