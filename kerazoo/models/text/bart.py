"""BART, from one text to another (Lewis et al., 2020, https://arxiv.org/abs/1910.13461), with keras-hub's presets.

The graph is of kerazoo's layers, equal to keras-hub's and to transformers', so that it steps as kerazoo's searches need
and is loaded where keras-hub is not. Differs from transformers: it has no vectors for the two positions that are never
used, in the encoder and the decoder each (3,072 numbers of the base size), and no bias of the output, which is zero in
what is published.
"""

import keras
import numpy as np
from keras import layers

from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.learned_positions import LearnedPositions
from kerazoo.layers.memory_attention import MemoryAttention
from kerazoo.losses.smoothed_entropy import SmoothedEntropy
from kerazoo.models.text.language_model import token_input
from kerazoo.models.text.transformer import NO_INT8, sample_pairs
from kerazoo.registry import register
from kerazoo.weights.keras_hub_seq2seq import load_bart

PADDING = 1
_HUB = {"from": "keras_hub"}
# `params`: as keras-hub publishes them; transformers' with 3,072 and 4,096 more.
VARIANTS = {
    "bart_base": {
        "depth": 6,
        "width": 768,
        "hidden": 3072,
        "heads": 12,
        "params": 139_417_344,
        "weights": {"en": _HUB | {"preset": "bart_base_en"}},
    },
    "bart_large": {
        "depth": 12,
        "width": 1024,
        "hidden": 4096,
        "heads": 16,
        "params": 406_287_360,
        "weights": {
            "en": _HUB | {"preset": "bart_large_en"},
            "en_cnn": _HUB | {"preset": "bart_large_en_cnn", "arguments": {"vocabulary_size": 50_264}},
        },
    },
}
SMOKE = {
    "vocabulary_size": 30,
    "length": 10,
    "context": 16,
    "depth": 2,
    "width": 16,
    "hidden": 32,
    "heads": 2,
    "dropout": 0.0,
}


def _sample(rng, batch):
    """Random ({"source", "tokens"}, next tokens) that fit SMOKE."""
    inputs, following = sample_pairs(rng, batch)
    return keras.tree.map_structure(lambda ids: np.where(ids == 0, PADDING, ids).astype("int32"), (inputs, following))


@register(domain="text", task="translation", variants=VARIANTS, smoke=SMOKE, sample=_sample, unsupported=NO_INT8)
def bart(
    *,
    depth,
    width,
    hidden,
    heads,
    vocabulary_size=50_265,
    context=1024,
    padding=PADDING,
    length=None,
    dropout=0.1,
    smoothing=0.1,
    weights=None,
    learning_rate=3e-5,
    name="bart",
):
    """BART, compiled with Adam and cross-entropy with smoothed labels on the next token; padding does not count.

    Args:
        depth: layers of the encoder, and of the decoder.
        width: of a token's vector.
        hidden: between the two matrices of each layer's perceptron.
        heads: of each attention.
        vocabulary_size: ids are below it; 0 begins a text, 2 ends it and stands before every answer.
        context: positions there are.
        padding: its id, where another tokenizer than BART's has another.
        length: tokens of both texts, which TFLite needs to know; None takes any up to `context`.
        dropout: of the embedded tokens, the attention and each part of a layer.
        smoothing: of the labels.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"source": (B, S) int32, "tokens": (B, T) int32, what of the target is there already} -> float32 logits of
        the token after each, (B, T, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a width that the heads do not share evenly, a length above
            `context`, or a preset that does not fit.
        ImportError: a preset without keras-hub.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bart_base", vocabulary_size=100, depth=1).output_shape
    (None, None, 100)
    """
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "context": context}
    tokens = token_input(length, vocabulary_size=vocabulary_size, **sizes)
    source = keras.Input((length,), name="source", dtype="int32")
    if width % heads or (length or 0) > context:
        raise ValueError(
            "`width` must be a multiple of `heads`, and `length` at most `context`. "
            f"Received: {width!r}, {heads!r}, {length!r}, {context!r}."
        )

    def normal():
        return keras.initializers.TruncatedNormal(stddev=0.02)

    def drop(x, name):
        return layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x

    def norm(x, name):
        return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)

    def dense(x, units, name):
        return layers.Dense(units, kernel_initializer=normal(), name=name)(x)

    def with_shortcut(x, answer, name):
        return norm(layers.Add(name=f"{name}_add")([x, drop(answer(x, name), name)]), name)

    def attention(x, name, *, memory=None):
        """From `x` to `memory`, or with None for that to what of `x` itself comes before."""
        seen = x if memory is None else memory
        parts = [
            dense(x, width, f"{name}_query"),
            dense(seen, width, f"{name}_key"),
            dense(seen, width, f"{name}_value"),
        ]
        if memory is None:
            x = CausalAttention(heads, dropout=dropout, name=name)(*parts)
        else:
            x = MemoryAttention(heads, dropout=dropout, name=name)(*parts, there)
        return dense(x, width, f"{name}_projection")

    def mlp(x, name):
        return dense(Gelu(name=f"{name}_gelu")(dense(x, hidden, f"{name}_1")), width, f"{name}_2")

    embedding = layers.ReversibleEmbedding(vocabulary_size, width, embeddings_initializer=normal(), name="embedding")

    def embedded(ids, side):
        x = LearnedPositions(context, name=f"{side}_positions")(embedding(ids))
        return drop(norm(x, f"{side}_embedding"), f"{side}_embedding")

    there, x = source != padding, embedded(source, "encoder")
    for part in (f"encoder{index}" for index in range(1, depth + 1)):
        x = with_shortcut(x, lambda y, name: attention(y, name, memory=y), f"{part}_attention")
        x = with_shortcut(x, mlp, f"{part}_mlp")
    memory, x = x, embedded(tokens, "decoder")
    for part in (f"decoder{index}" for index in range(1, depth + 1)):
        x = with_shortcut(x, attention, f"{part}_attention")
        x = with_shortcut(x, lambda y, name: attention(y, name, memory=memory), f"{part}_memory")
        x = with_shortcut(x, mlp, f"{part}_mlp")
    x = embedding(x, reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)  # Float32 under any policy.
    model = keras.Model({"source": source, "tokens": tokens}, logits, name=name)
    if weights:
        load_bart(model, weights)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, clipnorm=1.0), loss=SmoothedEntropy(smoothing, padding=padding)
    )
    return model
