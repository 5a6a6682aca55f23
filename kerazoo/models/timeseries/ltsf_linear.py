"""LTSF-Linear forecasters (Zeng et al., 2022, https://arxiv.org/abs/2205.13504): linear layers along time.

As in the authors' code, weights start uniform up to 1 / sqrt(lookback).
"""

import keras
from keras import layers

from kerazoo.layers.moving_average import MovingAverage
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

# `params`: trainable parameters at the defaults, by the authors' layers.
VARIANTS = {
    "dlinear": {"kind": "decomposition", "params": 64_704},
    "nlinear": {"kind": "last_value", "params": 32_352},
}
SMOKE = {"lookback": 24, "horizon": 8, "channels": 3}
KINDS = ("decomposition", "last_value")


def _along_time(x, horizon, individual, name):
    """(B, C, T) -> (B, C, horizon): a linear layer on each channel, one for all or each its own."""
    if not individual:
        return layers.Dense(horizon, kernel_initializer=TORCH_UNIFORM, bias_initializer="zeros", name=name)(x)
    # The fan-in of an einsum's kernel (C, T, H) is not T, so the limit is given.
    limit = x.shape[-1] ** -0.5
    start = keras.initializers.RandomUniform(-limit, limit)
    return layers.EinsumDense(
        "bct,cth->bch", (x.shape[1], horizon), bias_axes="ch", kernel_initializer=start, name=name
    )(x)


@register(domain="timeseries", task="forecasting", variants=VARIANTS, smoke=SMOKE, sample=sample_of(**SMOKE))
def ltsf_linear(
    *,
    kind,
    lookback=336,
    horizon=96,
    channels=7,
    window=25,
    individual=False,
    learning_rate=5e-3,
    name="ltsf_linear",
):
    """Linear forecaster, compiled with Adam and the mean squared error.

    Args:
        kind: "decomposition" (DLinear: one layer for the moving average, one for what is left) or
            "last_value" (NLinear: the window's last value is subtracted, then added again).
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window.
        window: time steps of the moving average, odd; for "decomposition".
        individual: a linear layer for each channel instead of one for all.
        learning_rate: a rate or a schedule; the authors train ETTh1 at 0.005 with batches of 32.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: an unknown `kind`, or a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("dlinear", lookback=48, horizon=24, channels=2).output_shape
    (None, 24, 2)
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` must be one of {KINDS}. Received: {kind!r}.")
    check_sizes(lookback=lookback, horizon=horizon, channels=channels)
    past = past_input(lookback, channels)
    if kind == "decomposition":
        trend = MovingAverage(window, name="trend")(past)
        rest = layers.Subtract(name="rest")([past, trend])
        parts = [
            _along_time(layers.Permute((2, 1), name=f"{part}_by_channel")(x), horizon, individual, f"{part}_linear")
            for part, x in (("seasonal", rest), ("trend", trend))
        ]
        x = layers.Add(name="sum")(parts)
        forecast = layers.Permute((2, 1), dtype="float32", name="forecast")(x)
    else:
        last = layers.Cropping1D((lookback - 1, 0), name="last")(past)
        x = layers.Permute((2, 1), name="by_channel")(layers.Subtract(name="level")([past, last]))
        x = layers.Permute((2, 1), name="by_time")(_along_time(x, horizon, individual, "linear"))
        forecast = layers.Add(dtype="float32", name="forecast")([x, last])
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)
