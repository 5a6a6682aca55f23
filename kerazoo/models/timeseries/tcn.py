"""Temporal convolutional network (Bai et al., 2018, https://arxiv.org/abs/1803.01271) for forecasting.

The paper's blocks: two causal, dilated, weight-normalised convolutions with dropout and a shortcut; the dilation
doubles from block to block until the last step sees the whole past. Kernels start as PyTorch's do: the
authors' own start is undone by their weight normalisation. Added for forecasting: the past is normalised
by its own mean and deviation, and one linear layer on the last step gives all steps ahead.
"""

import keras
from keras import layers

from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.layers.weight_normalized_conv import WeightNormalizedConv1D
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

SMOKE = {"lookback": 24, "horizon": 8, "channels": 3, "filters": 8}


def _block(x, filters, kernel, dilation, dropout, name):
    """(B, T, C) -> (B, T, filters)."""
    y = x
    for index in (1, 2):
        y = WeightNormalizedConv1D(
            filters, kernel, dilation, kernel_initializer=TORCH_UNIFORM, name=f"{name}_conv{index}"
        )(y)
        y = layers.Dropout(dropout, name=f"{name}_dropout{index}")(layers.ReLU(name=f"{name}_relu{index}")(y))
    if x.shape[-1] != filters:
        x = layers.Conv1D(filters, 1, name=f"{name}_shortcut")(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, y]))


@register(domain="timeseries", task="forecasting", smoke=SMOKE, sample=sample_of(lookback=24, horizon=8, channels=3))
def tcn(
    *,
    filters=64,
    kernel=3,
    blocks=None,
    dropout=0.2,
    lookback=168,
    horizon=24,
    channels=7,
    learning_rate=1e-3,
    name="tcn",
):
    """Temporal convolutional network, compiled with Adam and the mean squared error.

    Args:
        filters: of each convolution.
        kernel: time steps of each kernel, at least 2.
        blocks: residual blocks; None takes as many as let the last step see the whole past.
        dropout: after each convolution.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window, read and forecast together.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: a size that is no positive integer, or a kernel of one step.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("tcn", lookback=48, horizon=12, channels=2).output_shape
    (None, 12, 2)
    """
    check_sizes(filters=filters, kernel=kernel, lookback=lookback, horizon=horizon, channels=channels)
    if kernel < 2:
        raise ValueError(f"`kernel` must be at least 2. Received: {kernel}.")
    if blocks is None:
        blocks = 1
        while 1 + 2 * (kernel - 1) * (2**blocks - 1) < lookback:
            blocks += 1
    check_sizes(blocks=blocks)
    past = past_input(lookback, channels)
    normalization = ReversibleNormalization(name="reversible_normalization")
    x, mean, deviation = normalization(past)
    for index in range(blocks):
        x = _block(x, filters, kernel, 2**index, dropout, f"block{index + 1}")
    x = layers.Flatten(name="last")(layers.Cropping1D((lookback - 1, 0), name="last_step")(x))
    x = layers.Dense(horizon * channels, dtype="float32", name="head")(x)
    x = layers.Reshape((horizon, channels), name="by_time")(x)
    x = normalization(x, statistics=(mean, deviation))
    forecast = layers.Identity(dtype="float32", name="forecast")(x)
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)
