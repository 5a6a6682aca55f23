"""Llama, a Transformer that reads to the left (Touvron et al., 2023, https://arxiv.org/abs/2302.13971).

Against GPT-2: positions turn queries and keys, norms divide by the root of the mean square alone, the perceptron has a
gate (Shazeer, 2020, https://arxiv.org/abs/2002.05202), keys and values have fewer heads than queries (Ainslie et al.,
2023, https://arxiv.org/abs/2305.13245), nothing has a bias. The variants are Llama 2 and 3 (Grattafiori et al., 2024,
https://arxiv.org/abs/2407.21783), SmolLM2's smaller two (Ben Allal et al., 2025, https://arxiv.org/abs/2502.02737), and
SmolLM3, where positions turn nothing in every fourth block (Yang et al., 2025, https://arxiv.org/abs/2501.18795).
"""

import keras
from keras import layers, ops

from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.rotary_positions import RotaryPositions
from kerazoo.models.text.language_model import compile_next_token, sample_of, token_input
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW
from kerazoo.weights.keras_hub_decoders import load_llama


def _row(depth, width, hidden, heads, key_heads, params, presets, **others):
    tags = {tag: {"from": "keras_hub", "preset": preset} for tag, preset in presets.items()}
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "key_heads": key_heads}
    return sizes | {"params": params, "weights": tags} | others


_SMOLLM2 = {"vocabulary_size": 49_152, "context": 8192, "base": 100_000.0}
_LLAMA2 = {"vocabulary_size": 32_000, "context": 4096, "tied": False}
_LLAMA3 = {"vocabulary_size": 128_256, "context": 8192, "base": 500_000.0, "tied": False}
_LLAMA31 = _LLAMA3 | {"context": 131_072, "stretch": {"factor": 8.0, "low": 1.0, "high": 4.0, "positions": 8192}}
_LLAMA32 = _LLAMA31 | {"tied": True, "stretch": _LLAMA31["stretch"] | {"factor": 32.0}}
_SMOLLM3 = {"vocabulary_size": 128_256, "context": 65_536, "base": 5_000_000.0, "epsilon": 1e-6, "unturned": 4}


def _smollm2(size):
    return {"en": f"hf://HuggingFaceTB/SmolLM2-{size}", "instruct_en": f"hf://HuggingFaceTB/SmolLM2-{size}-Instruct"}


def _llama(size, *, end=""):
    return {"en": f"llama{size}{end}", "instruct_en": f"llama{size.replace('_', '_instruct_')}{end}"}


# `params`: as transformers counts them. A tag that begins with "hf://" keras-hub reads from transformers' files.
SMALL = {
    "smollm2_135m": _row(30, 576, 1536, 9, 3, 134_515_008, _smollm2("135M"), **_SMOLLM2),
    "smollm2_360m": _row(32, 960, 2560, 15, 5, 361_821_120, _smollm2("360M"), **_SMOLLM2),
}
SMALL["smollm2_135m"]["weights"]["instruct_q4"] = {"gguf": "smollm2_135m"}
LARGE = {
    "llama2_7b": _row(
        *(32, 4096, 11_008, 32, 32, 6_738_415_616),
        _llama("2_7b", end="_en") | {"vicuna_en": "vicuna_1.5_7b_en"},
        **_LLAMA2,
    ),
    "llama3_8b": _row(32, 4096, 14_336, 32, 8, 8_030_261_248, _llama("3_8b", end="_en"), **_LLAMA3),
    "llama3_1_8b": _row(32, 4096, 14_336, 32, 8, 8_030_261_248, _llama("3.1_8b"), **_LLAMA31),
    "llama3_2_1b": _row(16, 2048, 8192, 32, 8, 1_235_814_400, _llama("3.2_1b"), **_LLAMA32),
    "llama3_2_3b": _row(28, 3072, 8192, 24, 8, 3_212_749_824, _llama("3.2_3b"), **_LLAMA32),
    "smollm3_3b": _row(36, 2048, 11_008, 16, 4, 3_075_098_624, {"en": "smollm3_3b_en"}, **_SMOLLM3)
    | {"smoke": {"depth": 4}},
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
TOO_LARGE = {"parameters": "5 to 32 GB to build; tests/parity/test_decoder_parity.py counts from the sizes"}
DECAYED = ("kernel", "embeddings")  # Everything with two axes.


@register(
    domain="text",
    task="language_modelling",
    variants=LARGE,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=NO_INT8 | TOO_LARGE,
)
@register(
    domain="text",
    task="language_modelling",
    variants=SMALL,
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
    stretch=None,
    unturned=None,
    epsilon=1e-5,
    tied=True,
    weights=None,
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
        stretch: None, or how long waves are made longer, as `RotaryPositions` takes it.
        unturned: None, or 4 for blocks 4, 8, 12, ... in which positions turn nothing.
        epsilon: of the norms.
        tied: whether the output's matrix is the embedding's.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache.
        learning_rate: a rate or a schedule.
        weight_decay: of matrices and embeddings; norms are left alone.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a length above `context`, or heads that do not share a token's
            vector evenly, an even part for each; another `stretch`; or a preset that does not fit.
        ImportError: a preset without keras-hub.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("smollm2_135m", depth=1, vocabulary_size=100).output_shape
    (None, None, 100)
    """
    key_heads = key_heads or heads
    sizes = {"depth": depth, "width": width, "hidden": hidden, "heads": heads, "key_heads": key_heads}
    tokens = token_input(length, vocabulary_size=vocabulary_size, context=context, unturned=unturned or 1, **sizes)
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
    for index in range(1, depth + 1):
        block = f"block{index}"
        y = norm(x, f"{block}_norm1")
        queries, keys = dense(y, width, f"{block}_query"), dense(y, keys_width, f"{block}_key")
        if not unturned or index % unturned:
            queries = RotaryPositions(heads, context, base, stretch, name=f"{block}_query_positions")(queries)
            keys = RotaryPositions(key_heads, context, base, stretch, name=f"{block}_key_positions")(keys)
        attention = CausalAttention(heads, key_heads, name=f"{block}_attention")
        y = attention(queries, keys, dense(y, keys_width, f"{block}_value"))
        x = layers.Add(name=f"{block}_attention_add")([x, dense(y, width, f"{block}_projection")])
        y = norm(x, f"{block}_norm2")
        y = ops.silu(dense(y, hidden, f"{block}_gate")) * dense(y, hidden, f"{block}_up")
        x = layers.Add(name=f"{block}_mlp_add")([x, dense(y, width, f"{block}_down")])
    logits = embedding(norm(x, "norm"), reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)  # Float32 under any policy.
    model = keras.Model(tokens, logits, name=name)
    if weights:
        load_llama(model, weights)
    optimizer = SelectiveAdamW(
        learning_rate, weight_decay=weight_decay, decayed=DECAYED, beta_2=0.95, global_clipnorm=1.0
    )
    return compile_next_token(model, optimizer)
