"""What all classifiers of texts share: their input, their head, random texts to test with."""

import keras
import numpy as np
from keras import layers, ops

PADDING = 0  # The id of no token. No model's answer depends on how many of them follow a text.


def token_input(length, vocabulary_size, num_classes, **sizes):
    """The model's input: (B, length) int32, ids of tokens, `PADDING` after the last one.

    Args:
        length: tokens of a text, or None for any.
        vocabulary_size: ids are below it.
        num_classes: to tell apart.
        **sizes: further sizes that must be positive integers.

    Raises:
        ValueError: a size that is no positive integer, or fewer than two ids or classes.
    """
    sizes |= {"vocabulary_size": vocabulary_size, "num_classes": num_classes}
    sizes |= {} if length is None else {"length": length}
    for name, value in sizes.items():
        least = 2 if name in ("vocabulary_size", "num_classes") else 1
        if not isinstance(value, int) or value < least:
            raise ValueError(f"`{name}` must be an integer of at least {least}. Received: {value!r}.")
    return keras.Input((length,), name="tokens", dtype="int32")


def present(tokens):
    """(B, T) ids -> (B, T) bool: where there is a token."""
    return ops.not_equal(tokens, PADDING)


def logits_of(x, num_classes, *, dropout=0.0, **options):
    """(B, C) -> (B, num_classes)."""
    x = layers.Dropout(dropout, name="head_dropout")(x)
    return layers.Dense(num_classes, dtype="float32", name="logits", **options)(x)  # float32 under any policy


def sample_of(*, length, vocabulary_size, num_classes):
    """`(rng, batch) -> (tokens, classes)`: random texts of several lengths, for `register(sample=)`."""

    def sample(rng, batch):
        tokens = rng.integers(1, vocabulary_size, (batch, length)).astype("int32")
        lengths = rng.integers(length // 2, length + 1, batch)
        return np.where(np.arange(length) < lengths[:, None], tokens, PADDING), rng.integers(0, num_classes, batch)

    return sample
