"""Bidirectional LSTM with attention (Zhou et al., 2016, https://aclanthology.org/P16-2034).

As there: both directions are added, the steps weighted by one learned vector, tanh of their sum, dropout of 0.3 on
the words' vectors, 0.3 on the LSTM's steps and 0.5 before the last layer. The optimizer is Adam, there Adadelta.
"""

import keras
from keras import layers

from kerazoo.layers.attention_pooling import AttentionPooling
from kerazoo.models.classes import compile_classes
from kerazoo.models.text.classifier import logits_of, present, sample_of, token_input
from kerazoo.models.timeseries.forecaster import NO_INT8
from kerazoo.registry import register

SMOKE = {"vocabulary_size": 50, "length": 12, "num_classes": 4, "embedding_size": 16, "units": 12}


@register(
    domain="text",
    task="text_classification",
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50, num_classes=4),
    unsupported=NO_INT8,
)
def bilstm_attention(
    *,
    vocabulary_size=20_000,
    length=None,
    embedding_size=100,
    units=100,
    embedding_dropout=0.3,
    steps_dropout=0.3,
    dropout=0.5,
    num_classes=2,
    learning_rate=1e-3,
    name="bilstm_attention",
):
    """LSTMs in both directions and attention, compiled with Adam and cross-entropy on integer labels.

    Args:
        vocabulary_size: token ids are below it; 0 is padding.
        length: tokens of a text; None takes any.
        embedding_size: of a token's vector.
        units: of each direction.
        embedding_dropout: whole channels of the tokens' vectors are dropped.
        steps_dropout: of the LSTMs' steps.
        dropout: before the last layer.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, or fewer than two ids or classes.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bilstm_attention", vocabulary_size=5000, num_classes=3).output_shape
    (None, 3)
    """
    tokens = token_input(length, vocabulary_size, num_classes, embedding_size=embedding_size, units=units)
    there = present(tokens)
    x = layers.Embedding(vocabulary_size, embedding_size, name="embedding")(tokens)
    x = layers.SpatialDropout1D(embedding_dropout, name="embedding_dropout")(x)
    lstm = layers.LSTM(units, return_sequences=True, name="lstm")
    x = layers.Bidirectional(lstm, merge_mode="sum", name="bilstm")(x, mask=there)
    x = layers.Dropout(steps_dropout, name="steps_dropout")(x)
    x = AttentionPooling(name="attention")(x, there)
    x = layers.Activation("tanh", name="sentence")(x)
    return compile_classes(keras.Model(tokens, logits_of(x, num_classes, dropout=dropout), name=name), learning_rate)
