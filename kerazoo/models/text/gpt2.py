"""GPT-2 in its published sizes (Radford et al., 2019, https://github.com/openai/gpt-2), with keras-hub's presets.

The graph is that of `gpt_2`, so that it writes, steps and is exported as the other language models are. The largest
size, of 1.6 billion parameters, is left out.
"""

from kerazoo.models.text.gpt import NO_INT8, gpt
from kerazoo.models.text.language_model import sample_of
from kerazoo.registry import register
from kerazoo.weights.keras_hub_decoders import load_gpt2


def _row(depth, heads, width, params, **presets):
    tags = {tag: {"from": "keras_hub", "preset": preset} for tag, preset in presets.items()}
    return {"depth": depth, "heads": heads, "width": width, "params": params, "weights": tags}


# `params`: as transformers and keras-hub publish them.
VARIANTS = {
    "gpt2_base": _row(12, 12, 768, 124_439_808, en="gpt2_base_en", cnn_dailymail="gpt2_base_en_cnn_dailymail"),
    "gpt2_medium": _row(24, 16, 1024, 354_823_168, en="gpt2_medium_en"),
    "gpt2_large": _row(36, 20, 1280, 774_030_080, en="gpt2_large_en"),
}
SMOKE = {"vocabulary_size": 50, "context": 16, "length": 12, "depth": 2, "heads": 2, "width": 16, "dropout": 0.0}


@register(
    domain="text",
    task="language_modelling",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=NO_INT8,
)
def gpt2(
    *,
    depth,
    heads,
    width,
    vocabulary_size=50_257,
    context=1024,
    length=None,
    dropout=0.1,
    weights=None,
    learning_rate=6e-4,
    weight_decay=0.1,
    name="gpt2",
):
    """GPT-2 language model with presets, compiled with AdamW and cross-entropy on the next token.

    Args:
        depth: blocks, each attention and a two-layer perceptron.
        heads: of each block's attention.
        width: of a token's vector; the perceptron is four times as wide.
        vocabulary_size: token ids are below it.
        context: positions there are.
        length: tokens of a text, which TFLite needs to know; None takes any up to `context`.
        dropout: of the embedded tokens, the attention and each block's two answers.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers.
        learning_rate: a rate or a schedule.
        weight_decay: of matrices and embeddings; norms and biases are left alone.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, a length above `context`, a width that the heads do not share
            evenly, or a preset that does not fit.
        ImportError: a preset without keras-hub.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("gpt2_base", vocabulary_size=100, depth=1).output_shape
    (None, None, 100)
    """
    model = gpt(
        depth=depth,
        heads=heads,
        width=width,
        vocabulary_size=vocabulary_size,
        context=context,
        length=length,
        dropout=dropout,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        name=name,
    )
    if weights:
        load_gpt2(model, weights)
    return model
