"""Taggers of words: LSTMs in both directions over words and their characters, and a conditional random field.

Ma and Hovy (2016, https://aclanthology.org/P16-1101), after Lample et al. (2016, https://aclanthology.org/N16-1030).
Differs from the paper: Adam in place of SGD; words' vectors begin at random; scores of a text's first and last tag.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers.crf_potentials import CRFPotentials
from kerazoo.losses.chain_likelihood import ChainLikelihood
from kerazoo.models.text.classifier import PADDING, present
from kerazoo.models.timeseries.forecaster import NO_INT8
from kerazoo.registry import register

TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")  # CoNLL's.
SMOKE = {
    "vocabulary_size": 20,
    "characters": 12,
    "length": 6,
    "word_length": 5,
    "tags": ("A", "B", "C"),  # All may follow one another: a score of what may not would hide the others.
    "embedding_size": 8,
    "character_size": 4,
    "filters": 4,
    "units": 5,
    "dropout": 0.0,
}


def _sample(rng, batch):
    """Random ({"tokens", "characters"}, tags) that fit SMOKE."""
    there = np.arange(6) < rng.integers(3, 7, batch)[:, None]
    letters = np.arange(5) < rng.integers(1, 6, (batch, 6))[..., None]
    words = {
        "tokens": (rng.integers(1, 20, (batch, 6)) * there).astype("int32"),
        "characters": (rng.integers(1, 12, (batch, 6, 5)) * letters * there[..., None]).astype("int32"),
    }
    return words, np.where(there, rng.integers(0, 3, (batch, 6)), -1)


@register(
    domain="text",
    task="token_classification",
    variants={"bilstm_crf": {}},
    smoke=SMOKE,
    sample=_sample,
    unsupported=NO_INT8,
)
def bilstm_crf(
    *,
    vocabulary_size=20_000,
    characters=100,
    length=None,
    word_length=20,
    tags=TAGS,
    embedding_size=100,
    character_size=30,
    filters=30,
    units=200,
    dropout=0.5,
    learning_rate=1e-3,
    name="bilstm_crf",
):
    """BiLSTM and CRF over words, compiled with Adam and the likelihood of whole sequences of tags.

    `kerazoo.decoding.with_tags` makes it answer with the best tags in place of the potentials.

    Args:
        vocabulary_size: word ids are below it; 0 is padding.
        characters: ids of characters are below it; 0 is padding.
        length: words of a text; None takes any.
        word_length: characters of a word.
        tags: their names, as `CRFPotentials` takes them.
        embedding_size: of a word's vector.
        character_size: of a character's vector.
        filters: of the convolution over three characters, whose largest answers stand for the word.
        units: of the LSTM of each direction.
        dropout: of the characters' vectors, the words' vectors and the LSTMs' answers.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"tokens": (B, T) int32, "characters": (B, T, word_length) int32} -> potentials (B, T, K, K) float32: the
        score of each tag (columns) after each (rows). Labels are (B, T) integers, -1 after a text's end.

    Raises:
        ValueError: a size that is no positive integer, a dropout outside [0, 1), or tags that `CRFPotentials` refuses.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bilstm_crf", vocabulary_size=5000, tags=("O", "B-GENE", "I-GENE")).output_shape
    (None, None, 3, 3)
    """
    sizes = {"vocabulary_size": vocabulary_size, "characters": characters, "word_length": word_length}
    sizes |= {"embedding_size": embedding_size, "character_size": character_size, "filters": filters, "units": units}
    sizes |= {} if length is None else {"length": length}
    for argument, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"`{argument}` must be a positive integer. Received: {value!r}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and below 1. Received: {dropout!r}.")
    tokens = keras.Input((length,), name="tokens", dtype="int32")
    letters = keras.Input((length, word_length), name="characters", dtype="int32")

    def drop(x, part):
        return layers.Dropout(dropout, name=f"{part}_dropout")(x) if dropout else x

    there, known = present(tokens), ops.not_equal(letters, PADDING)
    y = drop(layers.Embedding(characters, character_size, name="character_embedding")(letters), "character")
    y = layers.Multiply(name="characters_there")([y, ops.cast(known[..., None], y.dtype)])
    y = layers.Conv2D(filters, (1, 3), padding="same", activation="relu", name="character_conv")(y)
    y = layers.Multiply(name="answers_there")([y, ops.cast(known[..., None], y.dtype)])
    y = ops.max(y, axis=2)
    x = layers.Embedding(vocabulary_size, embedding_size, name="embedding")(tokens)
    x = drop(layers.Concatenate(name="word")([x, y]), "word")
    lstm = layers.LSTM(units, return_sequences=True, name="lstm")
    x = drop(layers.Bidirectional(lstm, name="bilstm")(x, mask=there), "bilstm")
    scores = layers.Dense(len(tags), dtype="float32", name="scores")(x)
    potentials = CRFPotentials(tags, dtype="float32", name="potentials")(scores, there)
    model = keras.Model({"tokens": tokens, "characters": letters}, potentials, name=name)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate, clipnorm=5.0), loss=ChainLikelihood())
    return model
