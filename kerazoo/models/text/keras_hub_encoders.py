"""The encoders of keras-hub behind kerazoo's contract (https://keras.io/keras_hub/): what their three heads share.

BERT (Devlin et al., 2019, https://aclanthology.org/N19-1423) with its miniatures (Turc et al., 2019,
https://arxiv.org/abs/1908.08962), DistilBERT (Sanh et al., 2019, https://arxiv.org/abs/1910.01108), RoBERTa (Liu et
al., 2019, https://arxiv.org/abs/1907.11692), ALBERT (Lan et al., 2020, https://arxiv.org/abs/1909.11942), ELECTRA
(Clark et al., 2020, https://arxiv.org/abs/2003.10555), DeBERTa-V3 (He et al., 2023, https://arxiv.org/abs/2111.09543)
and MiniLM (Wang et al., 2020, https://arxiv.org/abs/2002.10957).

Differs from keras-hub: ids of tokens are all that a model takes; what is padding, and which of two texts a token is
of, is read from them. Differs from transformers: BERT, ALBERT and ELECTRA approximate GELU by tanh, as Google's own
code does; RoBERTa has neither the two positions that are never used nor the one kind of segment, 2,304 numbers of the
base size. keras-hub is needed to build a model (the extra `kerazoo[text]`) and to load a `.keras` file, not to run an
exported one.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.extras import need
from kerazoo.layers.masked_mean_pooling import MaskedMeanPooling
from kerazoo.layers.relative_vectors import RelativeVectors
from kerazoo.models.rebuild import fresh
from kerazoo.models.text.classifier import token_input
from kerazoo.models.text.keras_hub_sizes import FAMILIES
from kerazoo.registry import unknown_choice
from kerazoo.weights.keras_hub_encoders import load_encoder

FIRST = 5  # Ids below are padding, separators and the like.
LENGTH, VOCABULARY = 12, 50
SMOKE = {
    "depth": 2,
    "width": 16,
    "heads": 2,
    "hidden": 32,
    "vocabulary_size": VOCABULARY,
    "context": 16,
    "length": LENGTH,
    "separator": 3,
    "dropout": 0.0,
    "head_dropout": 0.0,
}


def words(rng, batch):
    """Random ids of several lengths, and where they are: (batch, LENGTH) each; half a batch has half the tokens."""
    there = np.arange(LENGTH) < (LENGTH - np.arange(batch) % 4)[:, None]
    return np.where(there, rng.integers(FIRST, VOCABULARY, (batch, LENGTH)), 0).astype("int32"), there


def encoder(
    *,
    family,
    depth,
    width,
    heads,
    hidden,
    vocabulary_size,
    embedding_size,
    separator,
    context,
    length,
    dropout,
    num_classes=2,
):
    """A keras-hub encoder as a flat graph of copies of its layers, under their names.

    Args:
        **others: as the builders have them.

    Returns:
        `(tokens, there, sequence, pooled)`: the input (B, length) int32; bool (B, length), where there is a token;
        each token's vector (B, length, width); the text's vector as a family has one, else None.

    Raises:
        ImportError: keras-hub is not installed.
        ValueError: an unknown family, a size that is no positive integer, heads that do not share a token's vector
            evenly, or a length above `context`.
    """
    if family not in FAMILIES:
        raise ValueError(unknown_choice("family", family, FAMILIES))
    facts = FAMILIES[family]
    sizes = {"depth": depth, "width": width, "heads": heads, "hidden": hidden, "context": context}
    tokens = token_input(length, vocabulary_size, num_classes, **sizes)
    if width % heads or (length or 0) > context:
        raise ValueError(
            f"`width` must be a multiple of `heads`, and `length` at most `context`. "
            f"Received: {width!r}, {heads!r}, {length!r}, {context!r}."
        )
    need("keras_hub", extra="text")
    import keras_hub

    options = {"vocab_size" if family == "electra" else "vocabulary_size": vocabulary_size}
    options |= {} if embedding_size is None else {"embedding_dim": embedding_size}
    core = getattr(keras_hub.models, facts["backbone"])(
        num_layers=1,  # The others are copies of it.
        num_heads=heads,
        hidden_dim=width,
        intermediate_dim=hidden,
        dropout=dropout,
        max_sequence_length=context,
        **options,
    )
    there = ops.not_equal(tokens, facts["padding"])
    seen = {"padding_mask": ops.cast(there, "int32")}
    second = second_of_two(tokens, there, separator) if facts["segments"] else None
    x = _embedded(core, tokens, second)
    if family == "deberta_v3":  # A layer of ours for the relative positions: keras-hub's cannot be loaded again.
        seen["rel_embeddings"] = RelativeVectors(core.bucket_size, width, name="rel_embedding")(x)
    for layer in _layers(core, family, depth, {"activation": facts["activation"]} if "activation" in facts else {}):
        x = layer(x, **seen)
    pooled = fresh(core.pooled_dense)(x[:, 0]) if facts["pooling"] is None else None
    return tokens, there, x, pooled


def _embedded(core, tokens, second):
    """Ids (B, T), and which of two texts each is of or None -> vectors (B, T, C), by copies of a backbone's layers."""
    if hasattr(core, "embeddings"):  # With the positions in it.
        x = fresh(core.embeddings)(tokens)
    else:
        x = fresh(core.token_embedding)(tokens)
    if second is not None:
        positions, segments = fresh(core.position_embedding)(x), fresh(core.segment_embedding)(second)
        x = fresh(core.embeddings_add)([x, positions, segments])
    x = fresh(core.embeddings_dropout)(fresh(core.embeddings_layer_norm)(x))
    return fresh(core.embeddings_projection)(x) if hasattr(core, "embeddings_projection") else x


def _layers(core, family, depth, changes):
    """The layers one after the other, in ALBERT one again and again; `changes` to their configuration."""
    if family == "albert":
        return [fresh(core.transformer_layers[0][0], **changes)] * depth
    first = core.transformer_layers[0]
    return [fresh(first, name=first.name.replace("0", str(index)), **changes) for index in range(depth)]


def second_of_two(tokens, there, separator):
    """1 for tokens after the first separator, 0 for those before, it itself and padding: (B, T) int32.

    Without a separator there is one text alone.
    """
    if separator is None:
        return ops.zeros_like(tokens)
    ends = ops.cast(ops.equal(tokens, separator), "int32")
    before = ops.cumsum(ends, axis=1) - ends
    return ops.minimum(before, 1) * ops.cast(there, "int32")  # As numbers: of truths TFLite's converter fails.


def text_vector(x, there, pooled, family, rate):
    """(B, T, C), where tokens are, and the encoder's own text vector -> what the classes are read from, (B, C)."""
    activation = FAMILIES[family]["pooling"]
    if activation == "mean":
        pooled = mean(x, there)
    elif activation is not None:
        pooled = x[:, 0]
        if family in ("roberta", "electra"):
            pooled = drop(pooled, rate, "pooled_dropout")
        width = int(x.shape[-1])
        pooled = layers.Dense(width, activation=activation, kernel_initializer=_normal(), name="pooled_dense")(pooled)
    return drop(pooled, rate, "head_dropout")


def mean(x, there):
    """(B, T, C) and where tokens are -> the mean of their vectors, (B, C) float32."""
    return MaskedMeanPooling(dtype="float32", name="mean")(x, there)


def logits(x, outputs):
    """The last layer, float32 under any policy."""
    return layers.Dense(outputs, kernel_initializer=_normal(), dtype="float32", name="logits")(x)


def finished(model, weights, family, **compiled):
    """The model with a preset, if one is given, compiled with Adam."""
    if weights:
        facts = FAMILIES[family]
        load_encoder(model, weights, backbone=facts["backbone"], pooling=facts["pooling"] is None)
    rate = compiled.pop("learning_rate")
    model.compile(optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), **compiled)
    return model


def _normal():
    return keras.initializers.TruncatedNormal(stddev=0.02)


def drop(x, rate, name):
    """Dropout, where there is any."""
    return layers.Dropout(rate, name=name)(x) if rate else x
