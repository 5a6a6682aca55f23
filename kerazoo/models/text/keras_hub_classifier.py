"""Classifiers of texts on keras-hub's encoders.

As BERT has it (Devlin et al., 2019, https://aclanthology.org/N19-1423); the papers of the other families are in
keras_hub_encoders.py.
"""

import keras

from kerazoo.models.text import keras_hub_encoders as hub
from kerazoo.models.text.keras_hub_sizes import FAMILIES, variants
from kerazoo.models.text.transformer_encoder import NO_INT8
from kerazoo.registry import register


def _sample(rng, batch):
    """Random (tokens, classes) that fit the smoke models."""
    return hub.words(rng, batch)[0], rng.integers(0, 4, batch)


def keras_hub_text_classifier(
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
    num_classes=2,
    weights=None,
    learning_rate=2e-5,
    name="keras_hub_text_classifier",
):
    """Classifier of texts or of pairs of texts, compiled with Adam and cross-entropy on integer labels.

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
        num_classes: size of the output's last axis.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers. What of the head is not in it starts fresh, which is said.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, T) int32, the first one the classes' -> float32 logits, (B, num_classes).

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: an unknown family, sizes that do not go together, or a preset that does not fit.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bert_tiny", vocabulary_size=1000, num_classes=3).output_shape
    (None, 3)
    """
    tokens, there, x, pooled = hub.encoder(
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
    x = hub.logits(hub.text_vector(x, there, pooled, family, rate), num_classes)
    return hub.finished(
        keras.Model(tokens, x, name=name),
        weights,
        family,
        learning_rate=learning_rate,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


register(
    domain="text",
    task="text_classification",
    variants=variants("", 2, pooled=True),
    smoke=hub.SMOKE | {"num_classes": 4},
    sample=_sample,
    unsupported=NO_INT8,
)(keras_hub_text_classifier)
