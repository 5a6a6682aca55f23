"""LSTMs from one sequence to another with global attention (Luong et al., 2015, https://aclanthology.org/D15-1166).

The attention is the paper's "general" one. Differs from the paper: no input feeding (its Table 1 has both), one set of
ids for both languages, the source in its own order, Adam in place of SGD.
"""

import keras
from keras import layers

from kerazoo.layers.memory_attention import MemoryAttention
from kerazoo.losses.smoothed_entropy import SmoothedEntropy
from kerazoo.models.text.classifier import PADDING, present
from kerazoo.models.text.language_model import token_input
from kerazoo.models.text.transformer import sample_pairs
from kerazoo.models.timeseries.forecaster import NO_INT8
from kerazoo.registry import register, unknown_choice

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU}
SMOKE = {"vocabulary_size": 30, "length": 10, "units": 64, "embedding_size": 32, "depth": 1, "dropout": 0.0}


@register(
    domain="text",
    task="translation",
    variants={"seq2seq_luong": {}},
    smoke=SMOKE,
    sample=sample_pairs,
    unsupported=NO_INT8,
)
def seq2seq_luong(
    *,
    vocabulary_size=8000,
    units=500,
    embedding_size=500,
    depth=2,
    cell="lstm",
    length=None,
    dropout=0.2,
    smoothing=0.0,
    learning_rate=1e-3,
    name="seq2seq_luong",
):
    """Encoder, decoder and attention, compiled with Adam and cross-entropy on the next token.

    Args:
        vocabulary_size: ids of both languages are below it; 0 is padding.
        units: of each recurrent layer; the paper has 1,000.
        embedding_size: of a token's vector.
        depth: recurrent layers of the encoder, and of the decoder; the paper has 4.
        cell: "lstm" or "gru".
        length: tokens of both texts, which TFLite needs to know; None takes any.
        dropout: of what each recurrent layer takes.
        smoothing: of the labels.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: {"source": (B, S) int32, "tokens": (B, T) int32, what of the target is there already} -> float32 logits of
        the token after each, (B, T, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, or an unknown `cell`.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("seq2seq_luong", vocabulary_size=500, units=64, cell="gru").output_shape
    (None, None, 500)
    """
    if cell not in CELLS:
        raise ValueError(unknown_choice("cell", cell, CELLS))
    sizes = {"units": units, "embedding_size": embedding_size, "depth": depth}
    tokens = token_input(length, vocabulary_size=vocabulary_size, **sizes)
    source = keras.Input((length,), name="source", dtype="int32")

    def drop(x, part):
        return layers.Dropout(dropout, name=f"{part}_dropout")(x) if dropout else x

    def recurrent(x, part, **options):
        """The layer's answers to all tokens, and its state after the last."""
        layer = CELLS[cell](units, return_sequences=True, return_state=True, name=part)
        x, *state = layer(drop(x, part), **options)
        return x, state

    there, states = present(source), []
    memory = layers.Embedding(vocabulary_size, embedding_size, name="source_embedding")(source)
    for index in range(1, depth + 1):
        memory, state = recurrent(memory, f"encoder{index}", mask=there)
        states.append(state)
    x = layers.Embedding(vocabulary_size, embedding_size, name="embedding")(tokens)
    for index, state in enumerate(states, start=1):
        x, _ = recurrent(x, f"decoder{index}", initial_state=state)
    queries = layers.Dense(units, use_bias=False, name="queries")(x) * units**0.5  # The paper does not scale scores.
    context = MemoryAttention(1, name="attention")(queries, memory, memory, there)
    x = layers.Concatenate(name="both")([context, x])
    x = drop(layers.Dense(units, use_bias=False, activation="tanh", name="attentional")(x), "attentional")
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    model = keras.Model({"source": source, "tokens": tokens}, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, clipnorm=5.0),
        loss=SmoothedEntropy(smoothing, padding=PADDING),
    )
    return model
