"""The Transformer from one sequence to another (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

As torch's nn.Transformer has it: a norm after the last layer of the encoder and of the decoder, which the paper has
not. Source, target and output share one embedding. The tiny variant is the one for Multi30k (Wu et al., 2021,
https://aclanthology.org/2021.acl-long.480), the small one fairseq's for IWSLT.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.memory_attention import MemoryAttention
from kerazoo.layers.sinusoidal_positions import SinusoidalPositions
from kerazoo.losses.smoothed_entropy import SmoothedEntropy
from kerazoo.models.text.classifier import PADDING, present
from kerazoo.models.text.language_model import token_input
from kerazoo.registry import register
from kerazoo.training.schedules import InverseSquareRoot

# `params`: nn.Transformer's (the base body has 44,140,544) and the one embedding's.
VARIANTS = {
    "transformer_tiny": {"depth": 4, "width": 128, "hidden": 256, "heads": 4, "dropout": 0.3, "norm": "before"},
    "transformer_small": {"depth": 6, "width": 512, "hidden": 1024, "heads": 4, "dropout": 0.3},
    "transformer_base": {"depth": 6, "width": 512, "hidden": 2048, "heads": 8, "params": 44_140_544 + 37_000 * 512},
    "transformer_big": {
        "depth": 6,
        "width": 1024,
        "hidden": 4096,
        "heads": 16,
        "dropout": 0.3,
        "params": 176_361_472 + 37_000 * 1024,
    },
}
SMOKE = {"vocabulary_size": 30, "length": 10, "depth": 1, "width": 16, "hidden": 32, "heads": 2, "dropout": 0.0}
NORMS = ("after", "before")
NO_INT8 = {"tflite_int8": "attention's mask takes the whole range of 8 bits; 8-bit weights (tflite_dynamic) do"}


def sample_pairs(rng, batch):
    """Random ({"source", "tokens"}, next tokens) that fit SMOKE; each half of a batch has as many tokens."""
    there = np.arange(10) < (10 - np.arange(batch) % 4)[:, None]
    source, target = (rng.integers(3, 30, (batch, 10 + extra)).astype("int32") for extra in (0, 1))
    return {"source": source * there, "tokens": target[:, :-1] * there}, target[:, 1:] * there


@register(domain="text", task="translation", variants=VARIANTS, smoke=SMOKE, sample=sample_pairs, unsupported=NO_INT8)
def transformer(
    *,
    depth,
    width,
    hidden,
    heads,
    vocabulary_size=37_000,
    context=256,
    length=None,
    norm="after",
    dropout=0.1,
    inner_dropout=0.0,
    smoothing=0.1,
    learning_rate=None,
    warm_up=4000,
    name="transformer",
):
    """Encoder and decoder, compiled with Adam and cross-entropy with smoothed labels on the next token.

    Args:
        depth: layers of the encoder, and of the decoder.
        width: of a token's vector.
        hidden: between the two matrices of each layer.
        heads: of each attention.
        vocabulary_size: ids of both languages are below it; 0 is padding.
        context: positions there are.
        length: tokens of both texts, which TFLite needs to know; None takes any up to `context`.
        norm: "after" each layer and its shortcut, as in the paper, or "before" it (Xiong et al., 2020,
            https://arxiv.org/abs/2002.04745), which trains without a long warm-up.
        dropout: of the embedded tokens and each layer's answers, as in the paper.
        inner_dropout: of the attention and between the two matrices of each layer; torch's nn.Transformer has it too.
        smoothing: of the labels.
        learning_rate: a rate or a schedule; None is the paper's schedule.
        warm_up: steps that the paper's schedule climbs.
        name: the model's name.

    Shapes: {"source": (B, S) int32, "tokens": (B, T) int32, what of the target is there already} -> float32 logits of
        the token after each, (B, T, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a width that the heads do not share evenly, a length above
            `context`, or an unknown `norm`.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("transformer_tiny", vocabulary_size=8000).output_shape
    (None, None, 8000)
    """
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "context": context}
    tokens = token_input(length, vocabulary_size=vocabulary_size, **sizes)
    source = keras.Input((length,), name="source", dtype="int32")
    if width % heads or (length or 0) > context or norm not in NORMS:
        raise ValueError(
            f"`width` must be a multiple of `heads`, `length` at most `context`, and `norm` one of {NORMS}. "
            f"Received: {width!r}, {heads!r}, {length!r}, {context!r}, {norm!r}."
        )

    def dense(x, units, name, **options):
        return layers.Dense(units, kernel_initializer="glorot_uniform", name=name, **options)(x)

    def drop(x, name, rate=dropout):
        return layers.Dropout(rate, name=name)(x) if rate else x

    def layer_norm(x, name):
        return layers.LayerNormalization(epsilon=1e-5, name=name)(x)

    def with_shortcut(x, answer, name):
        """`x` and what a part of a layer answers to it, normalised before or after."""
        y = drop(answer(layer_norm(x, f"{name}_norm") if norm == "before" else x), f"{name}_dropout")
        x = layers.Add(name=f"{name}_add")([x, y])
        return x if norm == "before" else layer_norm(x, f"{name}_norm")

    def attention(x, memory, there, name):
        """From `x` to `memory`, or with None for that to what of `x` itself comes before."""
        if memory is None:
            parts = ops.split(dense(x, 3 * width, f"{name}_qkv"), 3, axis=-1)
            x = CausalAttention(heads, dropout=inner_dropout, name=name)(*parts)
        else:
            query, keys_values = dense(x, width, f"{name}_query"), dense(memory, 2 * width, f"{name}_keys_values")
            keys, values = ops.split(keys_values, 2, axis=-1)
            x = MemoryAttention(heads, dropout=inner_dropout, name=name)(query, keys, values, there)
        return dense(x, width, f"{name}_projection")

    def mlp(x, name):
        x = drop(dense(x, hidden, f"{name}_1", activation="relu"), f"{name}_1_dropout", inner_dropout)
        return dense(x, width, f"{name}_2")

    embedding = layers.ReversibleEmbedding(
        vocabulary_size,
        width,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=width**-0.5),
        name="embedding",
    )

    def embedded(tokens, side):
        x = SinusoidalPositions(positions=context, name=f"{side}_positions")(embedding(tokens) * width**0.5)
        return drop(x, f"{side}_embedding_dropout")

    there, x = present(source), embedded(source, "encoder")
    for part in (f"encoder{index}" for index in range(1, depth + 1)):
        x = with_shortcut(x, lambda y, part=part: attention(y, y, there, f"{part}_attention"), f"{part}_attention")
        x = with_shortcut(x, lambda y, part=part: mlp(y, f"{part}_mlp"), f"{part}_mlp")
    memory = layer_norm(x, "encoder_norm")
    x = embedded(tokens, "decoder")
    for part in (f"decoder{index}" for index in range(1, depth + 1)):
        x = with_shortcut(x, lambda y, part=part: attention(y, None, None, f"{part}_attention"), f"{part}_attention")
        x = with_shortcut(x, lambda y, part=part: attention(y, memory, there, f"{part}_memory"), f"{part}_memory")
        x = with_shortcut(x, lambda y, part=part: mlp(y, f"{part}_mlp"), f"{part}_mlp")
    logits = embedding(layer_norm(x, "decoder_norm"), reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)  # Float32 under any policy.
    model = keras.Model({"source": source, "tokens": tokens}, logits, name=name)
    if learning_rate is None:
        learning_rate = InverseSquareRoot((width * warm_up) ** -0.5, warm_up=warm_up)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, beta_2=0.98, epsilon=1e-9),
        loss=SmoothedEntropy(smoothing, padding=PADDING),
    )
    return model
