"""The Transformer's encoder (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762) as a classifier of texts.

Sizes are those of BERT's miniatures (Turc et al., 2019, https://arxiv.org/abs/1908.08962). Differs from Vaswani: each
layer normalises what it reads (Xiong et al., 2020, https://arxiv.org/abs/2002.04745), so that no warm-up is needed,
and the classes are read from the mean over the text.
"""

import keras
from keras import layers, ops

from kerazoo.layers.masked_mean_pooling import MaskedMeanPooling
from kerazoo.layers.sinusoidal_positions import SinusoidalPositions
from kerazoo.models.classes import compile_classes
from kerazoo.models.text.classifier import logits_of, present, sample_of, token_input
from kerazoo.registry import register

VARIANTS = {
    "transformer_encoder_tiny": {"depth": 2, "width": 128, "heads": 2},
    "transformer_encoder_mini": {"depth": 4, "width": 256, "heads": 4},
    "transformer_encoder_small": {"depth": 4, "width": 512, "heads": 8},
}
SMOKE = {"vocabulary_size": 50, "length": 12, "num_classes": 4, "depth": 2, "width": 16, "heads": 2}
# The numbers that keep attention from padding are so large that nothing is left of eight bits for the others.
NO_INT8 = {"tflite_int8": "attention's mask takes the whole range of 8 bits; 8-bit weights (tflite_dynamic) do"}


def _norm(x, *, name):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


@register(
    domain="text",
    task="text_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50, num_classes=4),
    unsupported=NO_INT8,
)
def transformer_encoder(
    *,
    depth,
    width,
    heads,
    vocabulary_size=20_000,
    length=128,
    dropout=0.1,
    num_classes=2,
    learning_rate=5e-4,
    name="transformer_encoder",
):
    """Transformer encoder, compiled with Adam and cross-entropy on integer labels.

    Args:
        depth: layers.
        width: of a token's vector; between the layers' two matrices it is four times as much.
        heads: of each layer's attention.
        vocabulary_size: token ids are below it; 0 is padding.
        length: tokens of a text.
        dropout: of vectors, attention and each layer's two answers.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, fewer than two ids or classes, or a width that the heads do
            not share evenly.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("transformer_encoder_tiny", vocabulary_size=5000, length=64, num_classes=3).output_shape
    (None, 3)
    """
    tokens = token_input(length, vocabulary_size, num_classes, depth=depth, width=width, heads=heads)
    if length is None or width % heads:
        raise ValueError(
            f"`length` must be given, and `width` a multiple of `heads`. Received: {length!r}, {width!r}, {heads!r}."
        )
    there = present(tokens)
    seen = ops.expand_dims(there, 1)  # (B, 1, T): no token attends to padding.
    x = layers.Embedding(vocabulary_size, width, name="embedding")(tokens) * width**0.5
    x = SinusoidalPositions(name="positions")(x)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    for index in range(1, depth + 1):
        y = _norm(x, name=f"layer{index}_attention_norm")
        attention = layers.MultiHeadAttention(heads, width // heads, dropout=dropout, name=f"layer{index}_attention")
        y = attention(y, y, attention_mask=seen)
        x = layers.Add(name=f"layer{index}_attention_add")(
            [x, layers.Dropout(dropout, name=f"layer{index}_attention_dropout")(y)]
        )
        y = _norm(x, name=f"layer{index}_mlp_norm")
        y = layers.Dense(4 * width, activation="relu", name=f"layer{index}_mlp1")(y)
        y = layers.Dense(width, name=f"layer{index}_mlp2")(y)
        x = layers.Add(name=f"layer{index}_mlp_add")([x, layers.Dropout(dropout, name=f"layer{index}_mlp_dropout")(y)])
    x = MaskedMeanPooling(name="mean")(_norm(x, name="norm"), there)
    return compile_classes(keras.Model(tokens, logits_of(x, num_classes), name=name), learning_rate)
