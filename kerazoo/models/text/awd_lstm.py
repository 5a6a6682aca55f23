"""AWD-LSTM, LSTMs that are regularised in many ways (Merity et al., 2017, https://arxiv.org/abs/1708.02182).

Recurrent weights, whole words and channels are dropped, each by one draw for a whole batch or text; large and jumpy
states cost (Merity et al., 2017, https://arxiv.org/abs/1708.01009). The defaults are the paper's for the Penn Treebank.
Its averaged descent (NT-ASGD) is `kerazoo.training.triggered_average.TriggeredAverage` around the model.

Differs from the paper: one bias an LSTM, not two; every window of a text begins with an empty state, and all of them
have one length, where the paper hands the state on and draws lengths.
"""

import keras
from keras import layers

from kerazoo.layers.activation_regularization import ActivationRegularization
from kerazoo.layers.output_bias import OutputBias
from kerazoo.layers.temporal_activation_regularization import TemporalActivationRegularization
from kerazoo.layers.weight_dropped_lstm import WeightDroppedLSTM
from kerazoo.layers.word_dropout import WordDropout
from kerazoo.models.text.language_model import compile_next_token, sample_of, token_input
from kerazoo.registry import register

VARIANTS = {"awd_lstm": {"params": 24_210_800}}  # The paper's code prints 24,221,600: with 10,800 biases more.
SMOKE = {
    "vocabulary_size": 50,
    "length": 12,
    "units": 64,
    "embedding_size": 128,
    "depth": 2,
    "weight_drop": 0.1,
    "word_dropout": 0.05,
    "embedding_dropout": 0.05,
    "hidden_dropout": 0.05,
    "output_dropout": 0.05,
    "alpha": 0.1,
    "beta": 0.1,
}
NO_INT8 = {"tflite_int8": "TFLite's converter crashes on 8-bit LSTMs; 8-bit weights (tflite_dynamic) do"}


@register(
    domain="text",
    task="language_modelling",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50),
    unsupported=NO_INT8,
)
def awd_lstm(
    *,
    vocabulary_size=10_000,
    units=1150,
    embedding_size=400,
    depth=3,
    length=None,
    weight_drop=0.5,
    word_dropout=0.1,
    embedding_dropout=0.4,
    hidden_dropout=0.3,
    output_dropout=0.4,
    alpha=2.0,
    beta=1.0,
    learning_rate=30.0,
    weight_decay=1.2e-6,
    name="awd_lstm",
):
    """AWD-LSTM language model, compiled with descent and cross-entropy on the next token.

    Args:
        vocabulary_size: token ids are below it.
        units: of each LSTM but the last, which has `embedding_size`.
        embedding_size: of a token's vector; the output's matrix is the embedding's.
        depth: LSTMs, one over the other.
        length: tokens of a text, which TFLite needs to know; None takes any.
        weight_drop: the chance of each recurrent weight to be dropped, for a batch.
        word_dropout: the chance of each id to be dropped, for a batch.
        embedding_dropout: of the channels of tokens' vectors, for a text.
        hidden_dropout: of the channels between two LSTMs, for a text.
        output_dropout: of the channels after the last LSTM, for a text.
        alpha: weight of the mean square of the last LSTM's answers, after their dropout.
        beta: weight of the mean square of their changes from step to step, before it.
        learning_rate: a rate or a schedule; 30 is the paper's, with gradients cut to a length of 0.25.
        weight_decay: each step takes `learning_rate * weight_decay` of every weight away.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits of the token after each, (B, length, vocabulary_size).

    Raises:
        ValueError: a size that is no positive integer, or a chance outside [0, 1).

    Example:

    >>> import kerazoo
    >>> kerazoo.build("awd_lstm", vocabulary_size=96, units=256, embedding_size=64).output_shape
    (None, None, 96)
    """
    sizes = {"units": units, "embedding_size": embedding_size, "depth": depth}
    tokens = token_input(length, vocabulary_size=vocabulary_size, **sizes)

    def locked(x, rate, name):
        """Dropout of channels, the same ones at all steps of a text."""
        return layers.SpatialDropout1D(rate, name=name)(x)

    def even(reach):
        return keras.initializers.RandomUniform(-reach, reach)

    embedding = layers.ReversibleEmbedding(
        vocabulary_size, embedding_size, embeddings_initializer=even(0.1), name="embedding"
    )
    x = WordDropout(vocabulary_size, word_dropout, name="word_dropout")(embedding(tokens), tokens)
    x = locked(x, embedding_dropout, "embedding_dropout")
    for index in range(1, depth + 1):
        if index > 1:
            x = locked(x, hidden_dropout, f"lstm{index - 1}_dropout")
        size = embedding_size if index == depth else units
        x, *_ = WeightDroppedLSTM(
            size,
            weight_drop=weight_drop,
            return_sequences=True,
            return_state=True,
            unit_forget_bias=False,
            kernel_initializer=even(size**-0.5),
            recurrent_initializer=even(size**-0.5),
            bias_initializer=even(size**-0.5),
            name=f"lstm{index}",
        )(x)
    x = TemporalActivationRegularization(beta, name="temporal_regularization")(x)
    x = locked(x, output_dropout, "output_dropout")
    x = ActivationRegularization(alpha, name="regularization")(x)
    logits = OutputBias(dtype="float32", name="logits")(embedding(x, reverse=True))  # Float32 under any policy.
    optimizer = keras.optimizers.SGD(learning_rate, weight_decay=weight_decay, global_clipnorm=0.25)
    return compile_next_token(keras.Model(tokens, logits, name=name), optimizer)
