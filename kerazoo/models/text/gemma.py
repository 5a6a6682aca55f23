"""Gemma, a Transformer that reads to the left (Gemma Team, 2024, https://arxiv.org/abs/2403.08295), with presets.

Against Llama: the embedding is scaled up, heads are wider than their share of a token's vector, the perceptron's gate
has GELU, approximated by tanh. It is the first Gemma; the second caps its scores and looks through a window. The graph
is of kerazoo's layers, so that it writes, steps and is exported as the other language models are.
"""

import keras
from keras import layers, ops

from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.rotary_positions import RotaryPositions
from kerazoo.models.text.language_model import compile_next_token, sample_of, token_input
from kerazoo.models.text.llama import DECAYED, NO_INT8
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW
from kerazoo.weights.keras_hub_decoders import load_gemma


def _row(depth, width, hidden, heads, key_heads, params, **presets):
    tags = {tag: {"from": "keras_hub", "preset": preset} for tag, preset in presets.items()}
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "key_heads": key_heads}
    return sizes | {"params": params, "weights": tags}


# `params`: as transformers and keras-hub publish them.
VARIANTS = {
    "gemma_2b": _row(18, 2048, 16_384, 8, 1, 2_506_172_416, en="gemma_2b_en", instruct_en="gemma_1.1_instruct_2b_en"),
    "gemma_7b": _row(28, 3072, 24_576, 16, 16, 8_537_680_896, en="gemma_7b_en", instruct_en="gemma_1.1_instruct_7b_en"),
}
SMOKE = {
    "vocabulary_size": 50,
    "context": 16,
    "length": 12,
    "depth": 2,
    "heads": 4,
    "key_heads": 2,
    "head_size": 6,
    "width": 16,
    "hidden": 32,
}
UNSUPPORTED = NO_INT8 | {
    "parameters": "10 and 34 GB to build; tests/parity/test_decoder_parity.py counts from the sizes",
}


@register(
    domain="text",
    task="language_modelling",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=UNSUPPORTED,
)
def gemma(
    *,
    depth,
    width,
    hidden,
    heads,
    key_heads,
    head_size=256,
    vocabulary_size=256_000,
    context=8192,
    length=None,
    weights=None,
    learning_rate=3e-4,
    weight_decay=0.1,
    name="gemma",
):
    """Gemma language model, compiled with AdamW and cross-entropy on the next token.

    Args:
        depth: blocks, each attention and a perceptron with a gate.
        width: of a token's vector.
        hidden: of the perceptron.
        heads: of each block's queries.
        key_heads: of its keys and values, each for as many heads of the queries.
        head_size: channels of each head, an even number; together they need not be `width`.
        vocabulary_size: token ids are below it; the output's matrix is the embedding's.
        context: positions there are.
        length: tokens of a text, which TFLite needs to know; None takes any up to `context`.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers.
        learning_rate: a rate or a schedule.
        weight_decay: of matrices and embeddings; norms are left alone.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a length above `context`, an odd `head_size`, key heads that do
            not divide the heads, or a preset that does not fit.
        ImportError: a preset without keras-hub.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("gemma_2b", vocabulary_size=100, depth=1, width=64, hidden=128).output_shape
    (None, None, 100)
    """
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "key_heads": key_heads}
    tokens = token_input(length, vocabulary_size=vocabulary_size, context=context, head_size=head_size, **sizes)
    if head_size % 2 or heads % key_heads or (length or 0) > context:
        raise ValueError(
            "`head_size` must be even, `heads` a multiple of `key_heads`, and `length` at most `context`. "
            f"Received: {head_size!r}, {heads!r}, {key_heads!r}, {length!r}, {context!r}."
        )

    def norm(x, name):
        return layers.RMSNormalization(epsilon=1e-6, name=name)(x)

    def normal():
        return keras.initializers.RandomNormal(stddev=0.02)

    def dense(x, units, name):
        return layers.Dense(units, use_bias=False, kernel_initializer=normal(), name=name)(x)

    embedding = layers.ReversibleEmbedding(vocabulary_size, width, embeddings_initializer=normal(), name="embedding")
    x = embedding(tokens) * width**0.5
    for block in (f"block{index}" for index in range(1, depth + 1)):
        y = norm(x, f"{block}_norm1")
        queries, keys, values = (
            dense(y, count * head_size, f"{block}_{part}")
            for part, count in (("query", heads), ("key", key_heads), ("value", key_heads))
        )
        queries = RotaryPositions(heads, context, name=f"{block}_query_positions")(queries)
        keys = RotaryPositions(key_heads, context, name=f"{block}_key_positions")(keys)
        y = CausalAttention(heads, key_heads, name=f"{block}_attention")(queries, keys, values)
        x = layers.Add(name=f"{block}_attention_add")([x, dense(y, width, f"{block}_projection")])
        y = norm(x, f"{block}_norm2")
        y = ops.gelu(dense(y, hidden, f"{block}_gate"), approximate=True) * dense(y, hidden, f"{block}_up")
        x = layers.Add(name=f"{block}_mlp_add")([x, dense(y, width, f"{block}_down")])
    logits = embedding(norm(x, "norm"), reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)  # Float32 under any policy.
    model = keras.Model(tokens, logits, name=name)
    if weights:
        load_gemma(model, weights)
    optimizer = SelectiveAdamW(
        learning_rate, weight_decay=weight_decay, decayed=DECAYED, beta_2=0.95, global_clipnorm=1.0
    )
    return compile_next_token(model, optimizer)
