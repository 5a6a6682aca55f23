"""TSMixer (Chen et al., 2023, https://arxiv.org/abs/2303.06053): perceptrons along time and along channels in turn.

As in the authors' code and NeuralForecast: batch norms over every time step and channel, reversible normalisation
with a learned scale around it all.
"""

import keras
from keras import layers, ops

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

VARIANTS = {"tsmixer": {"params": 72_196}}  # As NeuralForecast 3.3 counts them at the defaults below.
SMOKE = {"lookback": 24, "horizon": 8, "channels": 3, "hidden": 8, "dropout": 0.1}


def _norm(x, name):
    """(B, T, C) -> the same: every time step of every channel by its own mean and deviation over the batch."""
    time, channels = x.shape[1:]
    flat = ops.reshape(x, (-1, time * channels))
    return ops.reshape(BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(flat), (-1, time, channels))


def _mixing_block(x, hidden, dropout, name):
    """(B, T, C) -> the same."""
    time, channels = x.shape[1:]
    y = layers.Permute((2, 1), name=f"{name}_by_channel")(_norm(x, f"{name}_time_norm"))
    y = layers.Dense(time, activation="relu", kernel_initializer=TORCH_UNIFORM, name=f"{name}_time")(y)
    y = layers.Dropout(dropout, name=f"{name}_time_dropout")(layers.Permute((2, 1), name=f"{name}_by_time")(y))
    x = layers.Add(name=f"{name}_time_add")([x, y])
    y = _norm(x, f"{name}_channel_norm")
    y = layers.Dense(hidden, activation="relu", kernel_initializer=TORCH_UNIFORM, name=f"{name}_channel_inner")(y)
    y = layers.Dropout(dropout, name=f"{name}_inner_dropout")(y)
    y = layers.Dense(channels, kernel_initializer=TORCH_UNIFORM, name=f"{name}_channel_outer")(y)
    return layers.Add(name=f"{name}_channel_add")([x, layers.Dropout(dropout, name=f"{name}_outer_dropout")(y)])


@register(
    domain="timeseries",
    task="forecasting",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(lookback=24, horizon=8, channels=3),
)
def tsmixer(
    *,
    blocks=2,
    hidden=64,
    dropout=0.9,
    lookback=168,
    horizon=24,
    channels=7,
    learning_rate=1e-3,
    name="tsmixer",
):
    """TSMixer, compiled with Adam and the mean squared error.

    Args:
        blocks: mixing blocks, each along time and then along channels.
        hidden: units inside the mixing of channels.
        dropout: in the blocks; 0.9 is the authors' for ETTh1.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window, which are mixed.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("tsmixer", lookback=48, horizon=12, channels=2).output_shape
    (None, 12, 2)
    """
    check_sizes(blocks=blocks, hidden=hidden, lookback=lookback, horizon=horizon, channels=channels)
    past = past_input(lookback, channels)
    normalization = ReversibleNormalization(affine=True, name="reversible_normalization")
    x, mean, deviation = normalization(past)
    for index in range(1, blocks + 1):
        x = _mixing_block(x, hidden, dropout, f"block{index}")
    x = layers.Permute((2, 1), name="by_channel")(x)
    x = layers.Dense(horizon, kernel_initializer=TORCH_UNIFORM, dtype="float32", name="head")(x)
    x = layers.Permute((2, 1), dtype="float32", name="by_time")(x)
    x = normalization(x, statistics=(mean, deviation))
    forecast = layers.Identity(dtype="float32", name="forecast")(x)
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)
