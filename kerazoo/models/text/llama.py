"""Llama, a Transformer that reads to the left (Touvron et al., 2023, https://arxiv.org/abs/2302.13971).

Against GPT-2: positions turn queries and keys, norms divide by the root of the mean square alone, the perceptron has a
gate (Shazeer, 2020, https://arxiv.org/abs/2002.05202), keys and values have fewer heads than queries (Ainslie et al.,
2023, https://arxiv.org/abs/2305.13245), nothing has a bias. The variants are SmolLM2's smaller two (Ben Allal et al.,
2025, https://arxiv.org/abs/2502.02737).
"""

import keras
from keras import layers, ops

from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.rotary_positions import RotaryPositions
from kerazoo.models.text.language_model import compile_next_token, sample_of, token_input
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

_SMOLLM2 = {"vocabulary_size": 49_152, "context": 8192, "base": 100_000.0}
VARIANTS = {
    "smollm2_135m": _SMOLLM2
    | {"depth": 30, "width": 576, "hidden": 1536, "heads": 9, "key_heads": 3, "params": 134_515_008}
    | {"weights": {"instruct_q4": {"gguf": "smollm2_135m"}}},
    "smollm2_360m": _SMOLLM2
    | {"depth": 32, "width": 960, "hidden": 2560, "heads": 15, "key_heads": 5, "params": 361_821_120},
}
SMOKE = {
    "vocabulary_size": 50,
    "context": 16,
    "length": 12,
    "depth": 2,
    "heads": 4,
    "key_heads": 2,
    "width": 16,
    "hidden": 32,
}
NO_INT8 = {"tflite_int8": "attention's mask takes the whole range of 8 bits; 8-bit weights (tflite_dynamic) do"}
DECAYED = ("kernel", "embeddings")  # Everything with two axes.


@register(
    domain="text",
    task="language_modelling",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=NO_INT8,
)
def llama(
    *,
    depth,
    width,
    hidden,
    heads,
    key_heads=None,
    vocabulary_size=32_000,
    context=2048,
    length=None,
    base=10_000.0,
    epsilon=1e-5,
    tied=True,
    learning_rate=6e-4,
    weight_decay=0.1,
    name="llama",
):
    """Llama language model, compiled with AdamW and cross-entropy on the next token.

    Args:
        depth: blocks, each attention and a perceptron with a gate.
        width: of a token's vector.
        hidden: of the perceptron.
        heads: of each block's queries.
        key_heads: of its keys and values, each for as many heads of the queries; None is `heads`.
        vocabulary_size: token ids are below it.
        context: positions there are.
        length: tokens of a text, which TFLite needs to know; None takes any up to `context`.
        base: of the wave lengths by which positions turn.
        epsilon: of the norms.
        tied: whether the output's matrix is the embedding's.
        learning_rate: a rate or a schedule.
        weight_decay: of matrices and embeddings; norms are left alone.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a length above `context`, or heads that do not share a token's
            vector evenly, an even part for each.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("smollm2_135m", depth=1, vocabulary_size=100).output_shape
    (None, None, 100)
    """
    key_heads = key_heads or heads
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "key_heads": key_heads}
    tokens = token_input(length, vocabulary_size=vocabulary_size, context=context, **sizes)
    if width % (2 * heads) or heads % key_heads or (length or 0) > context:
        raise ValueError(
            "`width` must be an even multiple of `heads`, `heads` a multiple of `key_heads`, and `length` at most "
            f"`context`. Received: {width!r}, {heads!r}, {key_heads!r}, {length!r}, {context!r}."
        )

    def norm(x, name):
        return layers.RMSNormalization(epsilon=epsilon, name=name)(x)

    def dense(x, units, name, **options):
        initial = keras.initializers.RandomNormal(stddev=0.02)
        return layers.Dense(units, use_bias=False, kernel_initializer=initial, name=name, **options)(x)

    embedding = layers.ReversibleEmbedding(
        vocabulary_size,
        width,
        tie_weights=tied,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
        name="embedding",
    )
    keys_width = width // heads * key_heads
    x = embedding(tokens)
    for block in (f"block{index}" for index in range(1, depth + 1)):
        y = norm(x, f"{block}_norm1")
        queries, keys = dense(y, width, f"{block}_query"), dense(y, keys_width, f"{block}_key")
        queries = RotaryPositions(heads, context, base, name=f"{block}_query_positions")(queries)
        keys = RotaryPositions(key_heads, context, base, name=f"{block}_key_positions")(keys)
        attention = CausalAttention(heads, key_heads, name=f"{block}_attention")
        y = attention(queries, keys, dense(y, keys_width, f"{block}_value"))
        x = layers.Add(name=f"{block}_attention_add")([x, dense(y, width, f"{block}_projection")])
        y = norm(x, f"{block}_norm2")
        y = ops.silu(dense(y, hidden, f"{block}_gate")) * dense(y, hidden, f"{block}_up")
        x = layers.Add(name=f"{block}_mlp_add")([x, dense(y, width, f"{block}_down")])
    logits = embedding(norm(x, "norm"), reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)  # Float32 under any policy.
    optimizer = SelectiveAdamW(
        learning_rate, weight_decay=weight_decay, decayed=DECAYED, beta_2=0.95, global_clipnorm=1.0
    )
    return compile_next_token(keras.Model(tokens, logits, name=name), optimizer)
