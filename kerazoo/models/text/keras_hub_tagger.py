"""Taggers of tokens on keras-hub's encoders.

As BERT has it (Devlin et al., 2019, https://aclanthology.org/N19-1423); the papers of the other families are in
keras_hub_encoders.py.
"""

import keras
import numpy as np

from kerazoo.models.text import keras_hub_encoders as hub
from kerazoo.models.text.keras_hub_sizes import FAMILIES, variants
from kerazoo.models.text.transformer_encoder import NO_INT8
from kerazoo.registry import register

IGNORED = -1  # The tag of what is judged by nothing: padding, and all pieces of a word but its first.


def _sample(rng, batch):
    """Random (tokens, tags) that fit the smoke models."""
    tokens, there = hub.words(rng, batch)
    return tokens, np.where(there, rng.integers(0, 4, tokens.shape), IGNORED)


def keras_hub_tagger(
    *,
    family,
    depth,
    width,
    heads,
    hidden,
    vocabulary_size,
    embedding_size=None,
    separator=102,
    context=512,
    length=None,
    dropout=0.1,
    head_dropout=None,
    num_classes=9,
    weights=None,
    learning_rate=2e-5,
    name="keras_hub_tagger",
):
    """Tagger of each token, compiled with Adam and cross-entropy on integer labels, of which -1 counts for nothing.

    Args:
        family: "bert", "distil_bert", "roberta", "albert", "electra", "deberta_v3" or "minilm".
        depth: layers.
        width: of a token's vector in the layers.
        heads: of each layer's attention.
        hidden: between the two matrices of each layer.
        vocabulary_size: ids are below it. 0 is padding, in RoBERTa 1.
        embedding_size: of a token's vector before the layers, where ALBERT and ELECTRA have a smaller one.
        separator: the id that ends the first of two texts; RoBERTa, DistilBERT and DeBERTa do not need it.
        context: positions there are.
        length: tokens of a text, which TFLite needs to know; None takes any up to `context`.
        dropout: of the encoder, in training.
        head_dropout: of the head; None is the family's.
        num_classes: tags to tell apart.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers. The head starts fresh, which is said.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, T) int32 -> float32 logits, (B, T, num_classes).

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: an unknown family, sizes that do not go together, or a preset that does not fit.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bert_tiny_tagger", vocabulary_size=1000, num_classes=5).output_shape
    (None, None, 5)
    """
    tokens, _, x, _ = hub.encoder(
        family=family,
        depth=depth,
        width=width,
        heads=heads,
        hidden=hidden,
        vocabulary_size=vocabulary_size,
        embedding_size=embedding_size,
        separator=separator,
        context=context,
        length=length,
        dropout=dropout,
        num_classes=num_classes,
    )
    rate = FAMILIES[family]["dropout"] if head_dropout is None else head_dropout
    x = hub.logits(hub.drop(x, rate, "head_dropout"), num_classes)
    return hub.finished(
        keras.Model(tokens, x, name=name),
        weights,
        family,
        learning_rate=learning_rate,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=IGNORED),
    )


register(
    domain="text",
    task="token_classification",
    variants=variants("_tagger", 9, pooled=False),
    smoke=hub.SMOKE | {"num_classes": 4},
    sample=_sample,
    unsupported=NO_INT8,
)(keras_hub_tagger)
