"""Finders of an answer in a text on keras-hub's encoders.

As BERT has it (Devlin et al., 2019, https://aclanthology.org/N19-1423); the papers of the other families are in
keras_hub_encoders.py.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.losses.span_entropy import SpanEntropy
from kerazoo.models.text import keras_hub_encoders as hub
from kerazoo.models.text.keras_hub_sizes import variants
from kerazoo.models.text.transformer_encoder import NO_INT8
from kerazoo.registry import register

NOWHERE = -1e4  # The logit of padding; float16 has it too.


def _sample(rng, batch):
    """Random (tokens, first and last token of an answer) that fit the smoke models.

    Without padding: beside its logits of -10,000 no difference between others would be seen.
    """
    tokens = rng.integers(hub.FIRST, hub.VOCABULARY, (batch, hub.LENGTH)).astype("int32")
    return tokens, np.sort(rng.integers(0, hub.LENGTH, (batch, 2)), axis=1)


def keras_hub_span(
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
    weights=None,
    learning_rate=3e-5,
    name="keras_hub_span",
):
    """Finds where the answer to a question begins and ends, compiled with Adam and cross-entropy over the tokens.

    The question comes first, then the separator, then the text (Devlin et al., 2019). A question that the text does
    not answer has its answer at the first token.

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
        length: tokens of both texts, which TFLite needs to know; None takes any up to `context`.
        dropout: of the encoder, in training.
        weights: None, or a keras-hub preset by name or folder, downloaded once into kagglehub's cache; or a folder of
            transformers. The head starts fresh, which is said.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, T) int32 -> float32 logits of an answer's first and last token, (B, T, 2), -10,000 at padding.
        Labels are positions, (B, 2).

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: an unknown family, sizes that do not go together, or a preset that does not fit.
        ConnectionError: the preset is neither in the cache nor can it be downloaded.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("bert_tiny_span", vocabulary_size=1000).output_shape
    (None, None, 2)
    """
    tokens, there, x, _ = hub.encoder(
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
        num_classes=2,
    )
    x = ops.where(there[..., None], hub.logits(x, 2), NOWHERE)
    x = layers.Identity(dtype="float32", name="span_logits")(x)
    return hub.finished(
        keras.Model(tokens, x, name=name), weights, family, learning_rate=learning_rate, loss=SpanEntropy()
    )


register(
    domain="text",
    task="question_answering",
    variants=variants("_span", 2, pooled=False),
    smoke={key: value for key, value in hub.SMOKE.items() if key != "head_dropout"},
    sample=_sample,
    unsupported=NO_INT8,
)(keras_hub_span)
