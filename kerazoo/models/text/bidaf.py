"""Readers that find the answer to a question in a passage: attention between both in both directions.

BiDAF (Seo et al., 2016, https://arxiv.org/abs/1611.01603). As in the authors' code, and unlike the paper's text, the
LSTM of the answer's end also reads where the answer begins: only so the paper's 2.6 million parameters come together.
Differs from both: words' vectors begin at random and are learned; Adam in place of AdaDelta, no averaged weights; the
convolution over characters also looks over a word's edges; the passage's first id is a mark that stands for no answer.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers.attention_flow import AWAY, AttentionFlow
from kerazoo.layers.best_span import NOWHERE
from kerazoo.losses.span_entropy import SpanEntropy
from kerazoo.models.text.classifier import PADDING, present
from kerazoo.models.timeseries.forecaster import NO_INT8
from kerazoo.registry import register

SMOKE = {
    "vocabulary_size": 20,
    "characters": 12,
    "passage_length": 9,
    "question_length": 4,
    "word_length": 5,
    "embedding_size": 8,
    "character_size": 4,
    "filters": 6,
    "units": 5,
    "dropout": 0.0,
}


def _sample(rng, batch):
    """Random ({"question", "question_characters", "passage", "passage_characters"}, positions) that fit SMOKE.

    Passages without padding: beside its logits of -10,000 no difference between others would be seen.
    """

    def words(length, there):
        letters = np.arange(5) < rng.integers(1, 6, (batch, length))[..., None]
        tokens = rng.integers(1, 20, (batch, length)) * there
        characters = rng.integers(1, 12, (batch, length, 5)) * letters * there[..., None]
        return tokens.astype("int32"), characters.astype("int32")

    question, question_characters = words(4, np.arange(4) < rng.integers(2, 5, batch)[:, None])
    passage, passage_characters = words(9, np.ones((batch, 9), bool))
    inputs = {
        "question": question,
        "question_characters": question_characters,
        "passage": passage,
        "passage_characters": passage_characters,
    }
    return inputs, np.sort(rng.integers(0, 9, (batch, 2)), axis=1)


@register(
    domain="text",
    task="question_answering",
    variants={"bidaf": {}},
    smoke=SMOKE,
    sample=_sample,
    unsupported=NO_INT8,
)
def bidaf(
    *,
    vocabulary_size=20_000,
    characters=100,
    passage_length=None,
    question_length=None,
    word_length=16,
    embedding_size=100,
    character_size=8,
    filters=100,
    units=100,
    dropout=0.2,
    learning_rate=1e-3,
    name="bidaf",
):
    """BiDAF reader, compiled with Adam and cross-entropy over the passage's words.

    `kerazoo.decoding.with_answers` makes it answer with the best span in place of the logits.

    Args:
        vocabulary_size: word ids are below it; 0 is padding.
        characters: ids of characters are below it; 0 is padding.
        passage_length: words of a passage with its mark, which TFLite needs to know; None takes any.
        question_length: words of a question, likewise.
        word_length: characters of a word.
        embedding_size: of a word's vector.
        character_size: of a character's vector.
        filters: of the convolution over five characters, whose largest answers stand for the word.
        units: of the LSTM of each direction.
        dropout: of the characters' vectors, and of what each LSTM and each last layer takes.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"question": (B, Q), "question_characters": (B, Q, word_length), "passage": (B, T), "passage_characters":
        (B, T, word_length)} int32 -> float32 logits of the answer's first and last word, (B, T, 2), -10,000 at
        padding. Labels are positions, (B, 2); a question without an answer has (0, 0), the passage's mark.

    Raises:
        ValueError: a size that is no positive integer, or a dropout outside [0, 1).

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bidaf", vocabulary_size=5000).output_shape
    (None, None, 2)
    """
    sizes = {"vocabulary_size": vocabulary_size, "characters": characters, "word_length": word_length}
    sizes |= {"embedding_size": embedding_size, "character_size": character_size, "filters": filters, "units": units}
    sizes |= {"passage_length": passage_length} if passage_length is not None else {}
    sizes |= {"question_length": question_length} if question_length is not None else {}
    for argument, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"`{argument}` must be a positive integer. Received: {value!r}.")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be at least 0 and below 1. Received: {dropout!r}.")
    lengths = {"question": question_length, "passage": passage_length}
    tokens = {text: keras.Input((length,), name=text, dtype="int32") for text, length in lengths.items()}
    letters = {
        text: keras.Input((length, word_length), name=f"{text}_characters", dtype="int32")
        for text, length in lengths.items()
    }
    there = {text: present(ids) for text, ids in tokens.items()}

    def drop(x, part):
        return layers.Dropout(dropout, name=f"{part}_dropout")(x) if dropout else x

    def bilstm(part):
        return layers.Bidirectional(layers.LSTM(units, return_sequences=True, name=f"{part}_lstm"), name=part)

    # Question and passage share all layers up to the attention.
    width = embedding_size + filters
    embedding = layers.Embedding(vocabulary_size, embedding_size, name="embedding")
    character_embedding = layers.Embedding(characters, character_size, name="character_embedding")
    convolution = layers.Conv2D(filters, (1, 5), padding="same", activation="relu", name="character_conv")
    highways = [
        (
            layers.Dense(width, activation="relu", name=f"highway{index}_transform"),
            layers.Dense(width, activation="sigmoid", name=f"highway{index}_gate"),
        )
        for index in (1, 2)
    ]
    contextual = bilstm("contextual")

    def encoded(text):
        """(B, T) ids and (B, T, word_length) characters -> (B, T, 2 units)."""
        known = ops.not_equal(letters[text], PADDING)[..., None]
        y = drop(character_embedding(letters[text]), f"{text}_character")
        y = layers.Multiply(name=f"{text}_characters_there")([y, ops.cast(known, y.dtype)])
        y = convolution(y)
        y = layers.Multiply(name=f"{text}_answers_there")([y, ops.cast(known, y.dtype)])
        x = layers.Concatenate(name=f"{text}_words")([ops.max(y, axis=2), embedding(tokens[text])])
        for transform, gate in highways:
            share = gate(x)
            x = share * transform(x) + (1 - share) * x
        return contextual(drop(x, f"{text}_contextual"), mask=there[text])

    passage, question = encoded("passage"), encoded("question")
    flow = AttentionFlow(name="attention_flow")(passage, question, there["passage"], there["question"])
    x = bilstm("modeling1")(drop(flow, "modeling1"), mask=there["passage"])
    x = bilstm("modeling2")(drop(x, "modeling2"), mask=there["passage"])

    def logits_of(x, part):
        """(B, T): the paper's weight times [flow; x], -10,000 at padding."""
        x = drop(layers.Concatenate(name=f"{part}_words")([flow, x]), part)
        x = layers.Dense(1, use_bias=False, dtype="float32", name=part)(x)
        return ops.where(there["passage"], x[..., 0], NOWHERE)

    start = logits_of(x, "start")
    shares = ops.softmax(ops.where(there["passage"], start, AWAY), axis=-1)
    begun = ops.matmul(ops.cast(shares, x.dtype)[:, None, :], x)  # (B, 1, 2 units): the word where the answer begins.
    whole = layers.Concatenate(name="ending_words")([flow, x, begun + ops.zeros_like(x), x * begun])
    end = logits_of(bilstm("ending")(drop(whole, "ending"), mask=there["passage"]), "end")
    inputs = {
        "question": tokens["question"],
        "question_characters": letters["question"],
        "passage": tokens["passage"],
        "passage_characters": letters["passage"],
    }
    logits = layers.Identity(dtype="float32", name="span_logits")(ops.stack([start, end], axis=-1))
    model = keras.Model(inputs, logits, name=name)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate, clipnorm=5.0), loss=SpanEntropy())
    return model
