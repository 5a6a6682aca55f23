"""TextCNN (Kim, 2014, https://arxiv.org/abs/1408.5882): windows of words, the strongest answer of each filter.

The sizes are the paper's; its optimizer was Adadelta, here Adam. A window's middle lies on a word, so that a text of
one word has windows too; the paper's lie inside the text.
"""

import keras
from keras import layers, ops

from kerazoo.layers.masked_max_pooling import MaskedMaxPooling
from kerazoo.models.classes import compile_classes
from kerazoo.models.text.classifier import logits_of, present, sample_of, token_input
from kerazoo.registry import register

SMOKE = {"vocabulary_size": 50, "length": 12, "num_classes": 4, "embedding_size": 16, "filters": 8}


@register(
    domain="text",
    task="text_classification",
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50, num_classes=4),
)
def textcnn(
    *,
    vocabulary_size=20_000,
    length=None,
    embedding_size=300,
    filters=100,
    windows=(3, 4, 5),
    embedding_dropout=0.0,
    dropout=0.5,
    max_norm=3.0,
    num_classes=2,
    learning_rate=1e-3,
    name="textcnn",
):
    """Convolutions over words, compiled with Adam and cross-entropy on integer labels.

    Args:
        vocabulary_size: token ids are below it; 0 is padding.
        length: tokens of a text; None takes any.
        embedding_size: of a token's vector.
        filters: of each window.
        windows: tokens that a filter sees at once.
        embedding_dropout: whole channels of the vectors are dropped.
        dropout: before the last layer.
        max_norm: of each class's weights.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, fewer than two ids or classes, or no window.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("textcnn", vocabulary_size=5000, num_classes=3).output_shape
    (None, 3)
    """
    if not windows or any(not isinstance(window, int) or window < 1 for window in windows):
        raise ValueError(f"`windows` must be positive integers. Received: {windows!r}.")
    tokens = token_input(length, vocabulary_size, num_classes, embedding_size=embedding_size, filters=filters)
    there = present(tokens)
    x = layers.Embedding(vocabulary_size, embedding_size, name="embedding")(tokens)
    x = layers.SpatialDropout1D(embedding_dropout, name="embedding_dropout")(x)
    x = x * ops.cast(ops.expand_dims(there, -1), x.dtype)  # Padding is nothing, whatever its vector has become.
    pooled = []
    for window in windows:
        y = layers.Conv1D(filters, window, padding="same", activation="relu", name=f"window{window}")(x)
        pooled.append(MaskedMaxPooling(name=f"window{window}_pool")(y, there))
    x = layers.Concatenate(name="strongest")(pooled) if len(pooled) > 1 else pooled[0]
    limit = keras.constraints.MaxNorm(max_norm, axis=0)
    logits = logits_of(x, num_classes, dropout=dropout, kernel_constraint=limit)
    return compile_classes(keras.Model(tokens, logits, name=name), learning_rate)
