"""Encoder and decoder of LSTMs (Sutskever et al., 2014, https://arxiv.org/abs/1409.3215) for forecasting.

The decoder is fed the encoder's last output at every step instead of its own forecasts, so that all steps are
forecast at once and errors do not feed on themselves; the past is normalised by its own mean and deviation.
"""

import keras
from keras import layers

from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.models.timeseries.forecaster import NO_INT8, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

SMOKE = {"lookback": 24, "horizon": 8, "channels": 3, "units": 16}


@register(
    domain="timeseries",
    task="forecasting",
    smoke=SMOKE,
    sample=sample_of(lookback=24, horizon=8, channels=3),
    unsupported=NO_INT8,
)
def lstm_seq2seq(
    *,
    units=128,
    depth=1,
    dropout=0.0,
    lookback=168,
    horizon=24,
    channels=7,
    learning_rate=1e-3,
    name="lstm_seq2seq",
):
    """LSTM encoder and decoder, compiled with Adam and the mean squared error.

    Args:
        units: of each LSTM.
        depth: LSTMs in the encoder, and as many in the decoder.
        dropout: between LSTMs.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window, read and forecast together.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("lstm_seq2seq", units=32, lookback=48, horizon=12, channels=2).output_shape
    (None, 12, 2)
    """
    check_sizes(units=units, depth=depth, lookback=lookback, horizon=horizon, channels=channels)
    past = past_input(lookback, channels)
    normalization = ReversibleNormalization(name="reversible_normalization")
    x, mean, deviation = normalization(past)
    states = []
    for index in range(1, depth + 1):
        last = index == depth
        x, *state = layers.LSTM(units, return_sequences=not last, return_state=True, name=f"encoder{index}")(x)
        states.append(state)
        if not last:
            x = layers.Dropout(dropout, name=f"encoder{index}_dropout")(x)
    x = layers.RepeatVector(horizon, name="context")(x)
    for index, state in enumerate(states, start=1):
        x = layers.LSTM(units, return_sequences=True, name=f"decoder{index}")(x, initial_state=state)
        x = layers.Dropout(dropout, name=f"decoder{index}_dropout")(x)
    x = layers.Dense(channels, dtype="float32", name="head")(x)
    x = normalization(x, statistics=(mean, deviation))
    forecast = layers.Identity(dtype="float32", name="forecast")(x)
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)
