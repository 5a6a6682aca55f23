"""T5, from one text to another (Raffel et al., 2020, https://arxiv.org/abs/1910.10683), with keras-hub's presets.

Version 1.1 (https://github.com/google-research/text-to-text-transfer-transformer) has a gate in its perceptrons
(Shazeer, 2020, https://arxiv.org/abs/2002.05202) and an output of its own; FLAN (Chung et al., 2022,
https://arxiv.org/abs/2210.11416) is that, trained further. Its GELU is approximated by tanh, as in Google's code.

The graph is of kerazoo's layers, equal to keras-hub's and to transformers', so that it steps as kerazoo's searches need
and is loaded where keras-hub is not; keras-hub's own layers hand their caches on in another way. The sizes above
"large" (3 and 11 billion parameters) are left out.
"""

import keras
from keras import layers, ops

from kerazoo.layers.biased_attention import BiasedAttention
from kerazoo.layers.memory_attention import MemoryAttention
from kerazoo.layers.relative_position_bias import NEVER, RelativePositionBias
from kerazoo.losses.smoothed_entropy import SmoothedEntropy
from kerazoo.models.text.classifier import PADDING, present
from kerazoo.models.text.language_model import token_input
from kerazoo.models.text.transformer import NO_INT8, sample_pairs
from kerazoo.registry import register
from kerazoo.weights.keras_hub_seq2seq import load_t5


def _row(depth, width, hidden, heads, params, gated=False, **presets):
    tags = {tag: {"from": "keras_hub", "preset": preset} for tag, preset in presets.items()}
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "gated": gated, "tied": not gated}
    return sizes | {"params": params, "weights": tags}


# `params`: of transformers' T5ForConditionalGeneration, for 1.1 with the output's matrix that published files have.
# keras-hub publishes the same, but for its small and large 1.1 (60,511,616 and 750,251,008), which lack that matrix.
VARIANTS = {
    "t5_small": _row(6, 512, 2048, 8, 60_506_624, multi="t5_small_multi"),
    "t5_base": _row(12, 768, 3072, 12, 222_903_552, multi="t5_base_multi"),
    "t5_large": _row(24, 1024, 4096, 16, 737_668_096, multi="t5_large_multi"),
    "t5_v1_1_small": _row(8, 512, 1024, 6, 76_961_152, True, c4="t5_1.1_small", flan="flan_small_multi"),
    "t5_v1_1_base": _row(12, 768, 2048, 12, 247_577_856, True, c4="t5_1.1_base", flan="flan_base_multi"),
    "t5_v1_1_large": _row(24, 1024, 2816, 16, 783_150_080, True, c4="t5_1.1_large", flan="flan_large_multi"),
}
SMOKE = {
    "vocabulary_size": 30,
    "length": 10,
    "depth": 2,
    "width": 16,
    "hidden": 32,
    "heads": 2,
    "head_size": 8,
    "dropout": 0.0,
}


@register(domain="text", task="translation", variants=VARIANTS, smoke=SMOKE, sample=sample_pairs, unsupported=NO_INT8)
def t5(
    *,
    depth,
    width,
    hidden,
    heads,
    head_size=64,
    vocabulary_size=32_128,
    gated=False,
    tied=True,
    length=None,
    dropout=0.1,
    smoothing=0.0,
    weights=None,
    learning_rate=1e-3,
    name="t5",
):
    """T5, compiled with Adafactor and cross-entropy on the next token; padding does not count.

    Args:
        depth: layers of the encoder, and of the decoder.
        width: of a token's vector.
        hidden: between the matrices of each layer's perceptron.
        heads: of each attention.
        head_size: channels of each head; together they need not be `width`.
        vocabulary_size: ids are below it; 0 is padding and stands before every answer, 1 ends a text.
        gated: GELU and a gate in the perceptrons (version 1.1) in place of ReLU.
        tied: the output's matrix is the embedding's, and what it takes is scaled down.
        length: tokens of both texts, which TFLite needs to know; None takes any.
        dropout: of the embedded tokens, the attention, and in and after each part of a layer.
        smoothing: of the labels.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache. What of the
            output is not in it starts fresh, which is said.
        learning_rate: a rate or a schedule; 0.001 is the paper's for further training.
        name: the model's name.

    Shapes: {"source": (B, S) int32, "tokens": (B, T) int32, what of the target is there already} -> float32 logits of
        the token after each, (B, T, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, or a preset that does not fit.
        ImportError: a preset without keras-hub.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("t5_small", vocabulary_size=100, depth=1).output_shape
    (None, None, 100)
    """
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "head_size": head_size}
    tokens = token_input(length, vocabulary_size=vocabulary_size, **sizes)
    source = keras.Input((length,), name="source", dtype="int32")
    inner = heads * head_size

    def drop(x, name):
        return layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x

    def norm(x, name):
        return layers.RMSNormalization(epsilon=1e-6, name=f"{name}_norm")(x)

    def dense(x, units, name, fan, **options):
        initial = keras.initializers.RandomNormal(stddev=fan**-0.5)
        return layers.Dense(units, use_bias=False, kernel_initializer=initial, name=name, **options)(x)

    def with_shortcut(x, answer, name):
        return layers.Add(name=f"{name}_add")([x, drop(answer(norm(x, name), name), name)])

    def attention(x, name, *, bias=None, memory=None):
        """From `x` to itself with a bias, or to the memory."""
        queries = dense(x, inner, f"{name}_query", width * head_size)
        seen = x if memory is None else memory
        keys, values = (dense(seen, inner, f"{name}_{part}", width) for part in ("key", "value"))
        if memory is None:
            x = BiasedAttention(heads, dropout=dropout, name=name)(queries, keys, values, bias)
        else:  # T5 does not scale scores.
            x = MemoryAttention(heads, dropout=dropout, name=name)(queries * head_size**0.5, keys, values, there)
        return dense(x, width, f"{name}_projection", inner)

    def mlp(x, name):
        y = dense(x, hidden, f"{name}_1", width, activation=None if gated else "relu")
        if gated:
            y = ops.gelu(y, approximate=True) * dense(x, hidden, f"{name}_gate", width)
        return dense(drop(y, f"{name}_1"), width, f"{name}_2", hidden)

    embedding = layers.ReversibleEmbedding(
        vocabulary_size, width, embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0), name="embedding"
    )
    there, x = present(source), drop(embedding(source), "encoder_embedding")
    unseen = ops.where(there, 0.0, NEVER)[:, None, None, :]
    bias = RelativePositionBias(heads, both_ways=True, name="encoder_bias")(x) + unseen
    for part in (f"encoder{index}" for index in range(1, depth + 1)):
        x = with_shortcut(x, lambda y, name: attention(y, name, bias=bias), f"{part}_attention")
        x = with_shortcut(x, mlp, f"{part}_mlp")
    memory = drop(norm(x, "encoder"), "encoder")
    x = drop(embedding(tokens), "decoder_embedding")
    behind = RelativePositionBias(heads, name="decoder_bias")(x)
    for part in (f"decoder{index}" for index in range(1, depth + 1)):
        x = with_shortcut(x, lambda y, name: attention(y, name, bias=behind), f"{part}_attention")
        x = with_shortcut(x, lambda y, name: attention(y, name, memory=memory), f"{part}_memory")
        x = with_shortcut(x, mlp, f"{part}_mlp")
    x = drop(norm(x, "decoder"), "decoder")
    if tied:  # Float32 under any policy.
        x = embedding(x * width**-0.5, reverse=True)
        logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    else:
        logits = dense(x, vocabulary_size, "logits", width, dtype="float32")
    model = keras.Model({"source": source, "tokens": tokens}, logits, name=name)
    if weights:
        load_t5(model, weights, gated=gated)
    model.compile(optimizer=keras.optimizers.Adafactor(learning_rate), loss=SmoothedEntropy(smoothing, padding=PADDING))
    return model
