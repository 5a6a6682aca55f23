"""GPT-2, a Transformer that reads to the left (Radford et al., 2019, https://github.com/openai/gpt-2).

Smaller variants have the sizes and the choices of nanoGPT (https://github.com/karpathy/nanoGPT) for single characters:
no biases, and GELU exact, where GPT-2 approximates it by tanh. The output's matrix is the embedding's.
"""

import keras
from keras import layers, ops

from kerazoo.layers.causal_attention import CausalAttention
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.learned_positions import LearnedPositions
from kerazoo.models.text.language_model import compile_next_token, sample_of, token_input
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

_CHARACTERS = {"vocabulary_size": 65, "bias": False, "gelu": "exact", "learning_rate": 1e-3}
# `params`: nanoGPT counts its own with the positions' left out: 0.80M and 10.65M. GPT-2's is transformers'.
VARIANTS = {
    "gpt_nano": _CHARACTERS | {"depth": 4, "heads": 4, "width": 128, "context": 64, "dropout": 0.0, "params": 804_096},
    "gpt_mini": _CHARACTERS
    | {"depth": 6, "heads": 6, "width": 384, "context": 256, "dropout": 0.2, "params": 10_745_088},
    "gpt_2": {"depth": 12, "heads": 12, "width": 768, "params": 124_439_808},
}
SMOKE = {"vocabulary_size": 50, "context": 16, "length": 12, "depth": 2, "heads": 2, "width": 16, "dropout": 0.0}
GELUS = ("exact", "tanh")
NO_INT8 = {"tflite_int8": "attention's mask takes the whole range of 8 bits; 8-bit weights (tflite_dynamic) do"}
DECAYED = ("kernel", "embeddings", "positions")  # Everything with two axes, as nanoGPT decays it.


@register(
    domain="text",
    task="language_modelling",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=NO_INT8,
)
def gpt(
    *,
    depth,
    heads,
    width,
    vocabulary_size=50_257,
    context=1024,
    length=None,
    bias=True,
    gelu="tanh",
    dropout=0.1,
    learning_rate=6e-4,
    weight_decay=0.1,
    name="gpt",
):
    """GPT-2 language model, compiled with AdamW and cross-entropy on the next token.

    Args:
        depth: blocks, each attention and a two-layer perceptron.
        heads: of each block's attention.
        width: of a token's vector; the perceptron is four times as wide.
        vocabulary_size: token ids are below it.
        context: positions there are.
        length: tokens of a text, which TFLite needs to know; None takes any up to `context`.
        bias: of dense layers and norms.
        gelu: "exact" or "tanh".
        dropout: of the embedded tokens, the attention and each block's two answers.
        learning_rate: a rate or a schedule.
        weight_decay: of matrices and embeddings; norms and biases are left alone.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a length above `context`, a width that the heads do not share
            evenly, or an unknown `gelu`.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("gpt_nano", vocabulary_size=96).output_shape
    (None, None, 96)
    """
    tokens = token_input(
        length, depth=depth, heads=heads, width=width, vocabulary_size=vocabulary_size, context=context
    )
    if width % heads or (length or 0) > context:
        raise ValueError(
            "`width` must be a multiple of `heads`, and `length` at most `context`. "
            f"Received: {width!r}, {heads!r}, {length!r}, {context!r}."
        )
    if gelu not in GELUS:
        raise ValueError(f"`gelu` must be one of {GELUS}. Received: {gelu!r}.")

    def norm(x, name):
        return layers.LayerNormalization(epsilon=1e-5, center=bias, name=name)(x)

    def dense(x, units, name, deviation=0.02):
        initial = keras.initializers.RandomNormal(stddev=deviation)
        return layers.Dense(units, use_bias=bias, kernel_initializer=initial, name=name)(x)

    def drop(x, name):
        return layers.Dropout(dropout, name=name)(x) if dropout else x

    ending = 0.02 / (2 * depth) ** 0.5  # The sum over all blocks then begins as wide as a single one.
    embedding = layers.ReversibleEmbedding(
        vocabulary_size,
        width,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
        name="embedding",
    )
    x = drop(LearnedPositions(context, name="positions")(embedding(tokens)), "embedding_dropout")
    for block in (f"block{index}" for index in range(1, depth + 1)):
        y = dense(norm(x, f"{block}_norm1"), 3 * width, f"{block}_qkv")
        y = CausalAttention(heads, dropout=dropout, name=f"{block}_attention")(*ops.split(y, 3, axis=-1))
        y = dense(y, width, f"{block}_projection", ending)
        x = layers.Add(name=f"{block}_attention_add")([x, drop(y, f"{block}_attention_dropout")])
        y = dense(norm(x, f"{block}_norm2"), 4 * width, f"{block}_mlp1")
        y = ops.gelu(y, approximate=True) if gelu == "tanh" else Gelu(name=f"{block}_gelu")(y)
        y = dense(y, width, f"{block}_mlp2", ending)
        x = layers.Add(name=f"{block}_mlp_add")([x, drop(y, f"{block}_mlp_dropout")])
    logits = embedding(norm(x, "norm"), reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)  # Float32 under any policy.
    optimizer = SelectiveAdamW(
        learning_rate, weight_decay=weight_decay, decayed=DECAYED, beta_2=0.99, global_clipnorm=1.0
    )
    return compile_next_token(keras.Model(tokens, logits, name=name), optimizer)
