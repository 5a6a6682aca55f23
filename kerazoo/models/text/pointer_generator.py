"""The pointer-generator with coverage (See et al., 2017, https://arxiv.org/abs/1704.04368).

It writes a short text from a long one, each word from its vocabulary or copied from the long text, where it may be a
word that it has never seen. As in the authors' code (https://github.com/abisee/pointer-generator): one layer each way,
additive attention that is fed back, the encoder's last states reduced by ReLU. Differs from the paper: the loss of
coverage counts from the first step, there in the last 3,000.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers.copied_words import CopiedWords
from kerazoo.layers.pointing_decoder import PointingDecoder
from kerazoo.losses.label_likelihood import LabelLikelihood
from kerazoo.models.text.classifier import PADDING, present
from kerazoo.models.text.language_model import token_input
from kerazoo.models.timeseries.forecaster import NO_INT8
from kerazoo.registry import register

UNKNOWN = 3  # The id that stands for words outside the vocabulary, where they are read and not copied.
# `params`: the paper's 21,499,600 of the baseline, 1,153 to generate or to copy, 512 of coverage.
VARIANTS = {"pointer_generator": {"params": 21_499_600 + 1_153 + 512}}
SMOKE = {"vocabulary_size": 24, "extra": 6, "length": 10, "units": 16, "embedding_size": 12}


def _sample(rng, batch):
    """Random ({"source", "tokens"}, next tokens) that fit SMOKE; what is written is copied from what is read."""
    source, begin = rng.integers(4, 30, (batch, 10)).astype("int32"), np.ones((batch, 1), "int32")
    following = source[:, ::-1]
    return {"source": source, "tokens": np.concatenate([begin, following[:, :-1]], axis=1)}, following


@register(domain="text", task="summarisation", variants=VARIANTS, smoke=SMOKE, sample=_sample, unsupported=NO_INT8)
def pointer_generator(
    *,
    vocabulary_size=50_000,
    extra=100,
    units=256,
    embedding_size=128,
    length=None,
    coverage=True,
    coverage_weight=1.0,
    dropout=0.0,
    learning_rate=0.15,
    name="pointer_generator",
):
    """LSTMs that write and copy, compiled with Adagrad and cross-entropy on the next word.

    Args:
        vocabulary_size: ids below it are words; 0 is padding, 3 any word that is unknown.
        extra: ids from `vocabulary_size` on that stand for a source's unknown words, numbered anew for each source.
        units: of each LSTM; the attention has twice as many.
        embedding_size: of a word's vector.
        length: words of both texts, which TFLite needs to know; None takes any.
        coverage: whether attention knows where it has looked before.
        coverage_weight: of the loss that grows where it looks twice.
        dropout: of the words' vectors; the paper has none.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"source": (B, S) int32, "tokens": (B, T) int32, what of the short text is there already} -> float32
        logarithms of the next word's probabilities, (B, T, vocabulary_size + extra).

    Raises:
        ValueError: a size that is no positive integer, or fewer than five ids.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("pointer_generator", vocabulary_size=500, extra=20, units=64).output_shape
    (None, None, 520)
    """
    if (
        not isinstance(extra, int)
        or extra < 0
        or not isinstance(vocabulary_size, int)
        or vocabulary_size <= UNKNOWN + 1
    ):
        raise ValueError(
            "`extra` must be an integer of at least 0, and `vocabulary_size` one of at least 5. "
            f"Received: {extra!r}, {vocabulary_size!r}."
        )
    tokens = token_input(length, vocabulary_size=vocabulary_size, units=units, embedding_size=embedding_size)
    source = keras.Input((length,), name="source", dtype="int32")
    embedding = layers.Embedding(vocabulary_size, embedding_size, name="embedding")

    def embedded(ids, side):
        x = embedding(ops.where(ids < vocabulary_size, ids, UNKNOWN))
        return layers.Dropout(dropout, name=f"{side}_dropout")(x) if dropout else x

    def reduced(states, part):
        both = layers.Concatenate(name=f"{part}_states")(states)
        return layers.Dense(units, activation="relu", name=part)(both)

    there = present(source)
    encoder = layers.Bidirectional(
        layers.LSTM(units, return_sequences=True, return_state=True), merge_mode="concat", name="encoder"
    )
    memory, *states = encoder(embedded(source, "source"), mask=there)
    hidden, cell = reduced(states[::2], "hidden"), reduced(states[1::2], "cell")
    keys = layers.Dense(2 * units, use_bias=False, name="keys")(memory)
    decoder = PointingDecoder(units, coverage, coverage_weight, name="decoder")
    x = embedded(tokens, "tokens")
    context, hidden, cell, fed, shares = decoder(x, present(tokens), hidden, cell, memory, keys, there)
    generated = layers.Concatenate(name="states")([context, hidden, cell, fed])
    generated = layers.Dense(1, dtype="float32", name="generated")(generated)  # Its sigmoid is p_gen.
    x = layers.Dense(units, name="attentional")(layers.Concatenate(name="both")([hidden, context]))
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    x = CopiedWords(extra, name="log_probabilities")(logits, generated, shares, source)
    model = keras.Model({"source": source, "tokens": tokens}, x, name=name)
    model.compile(
        optimizer=keras.optimizers.Adagrad(learning_rate, initial_accumulator_value=0.1, global_clipnorm=2.0),
        loss=LabelLikelihood(padding=PADDING),
    )
    return model
