"""Two LSTMs over single characters, char-rnn (Karpathy, 2015, https://github.com/karpathy/char-rnn).

Differs from it: one bias a layer, not two, and Adam in place of RMSprop.
"""

import keras
from keras import layers, ops

from kerazoo.models.text.language_model import compile_next_token, sample_of, token_input
from kerazoo.registry import register

VARIANTS = {"char_lstm": {"params": 239_297}}  # char-rnn prints 240,321: with 1,024 biases more.
SMOKE = {"vocabulary_size": 50, "length": 12, "units": 64}
NO_INT8 = {"tflite_int8": "TFLite's converter crashes on 8-bit LSTMs; 8-bit weights (tflite_dynamic) do"}


@register(
    domain="text",
    task="language_modelling",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=NO_INT8,
)
def char_lstm(
    *, vocabulary_size=65, units=128, depth=2, length=None, dropout=0.0, learning_rate=2e-3, name="char_lstm"
):
    """LSTM language model over characters, compiled with Adam and cross-entropy on the next character.

    Args:
        vocabulary_size: character ids are below it.
        units: of each LSTM.
        depth: LSTMs, one over the other.
        length: characters of a text, which TFLite needs to know; None takes any.
        dropout: of each LSTM's answers.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("char_lstm", vocabulary_size=96, units=256).output_shape
    (None, None, 96)
    """
    tokens = token_input(length, vocabulary_size=vocabulary_size, units=units, depth=depth)
    x = ops.one_hot(tokens, vocabulary_size)
    for index in range(1, depth + 1):
        x, *_ = layers.LSTM(units, return_sequences=True, return_state=True, name=f"lstm{index}")(x)
        x = layers.Dropout(dropout, name=f"lstm{index}_dropout")(x)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    optimizer = keras.optimizers.Adam(learning_rate, clipvalue=5.0)
    return compile_next_token(keras.Model(tokens, logits, name=name), optimizer)
