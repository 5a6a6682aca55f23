"""N-BEATS (Oreshkin et al., 2019, https://arxiv.org/abs/1905.10437) and N-HiTS (Challu et al., 2022,
https://arxiv.org/abs/2201.12886): stacks of perceptrons, each explaining a part of the past and of the future.

As in NeuralForecast, whose counts these are: the forecast starts at the last value, the past goes in backward,
and a block's first linear layer has no activation after it. Every channel is forecast by itself, with the same
weights. The authors' own N-BEATS is 30 such blocks without the last value; `blocks` makes it deeper.
"""

import keras
from keras import layers, ops

from kerazoo.layers.basis_expansion import BasisExpansion
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

MIXED = ("identity", "trend", "seasonality")
# `params`: trainable ones at a lookback of 168 and a horizon of 24, as NeuralForecast 3.3 counts them.
VARIANTS = {
    "nbeats": {"stacks": MIXED, "params": 2_772_258},
    "nbeats_generic": {"stacks": ("identity",) * 3, "params": 2_918_976},
    "nbeats_interpretable": {"stacks": ("trend", "seasonality"), "params": 1_799_266},
}
NHITS_VARIANTS = {"nhits": {"params": 2_817_570}}
SMOKE = {"lookback": 24, "horizon": 8, "channels": 3, "units": 16}
STACKS = ("identity", "trend", "seasonality")
_sample = sample_of(lookback=24, horizon=8, channels=3)


def _theta(x, units, depth, outputs, name):
    """(B, C, T) -> (B, C, outputs): the perceptron of a block."""
    x = layers.Dense(units, kernel_initializer=TORCH_UNIFORM, name=f"{name}_input")(x)
    for index in range(1, depth + 1):
        x = layers.Dense(units, activation="relu", kernel_initializer=TORCH_UNIFORM, name=f"{name}_hidden{index}")(x)
    return layers.Dense(outputs, kernel_initializer=TORCH_UNIFORM, name=f"{name}_theta")(x)


def _expand(theta, bases):
    """(B, C, coefficients of both) -> backcast and forecast; a number in place of a basis: those steps themselves."""
    first = bases[0] if isinstance(bases[0], int) else bases[0].coefficients
    backcast, forecast = theta[..., :first], theta[..., first:]
    return (
        backcast if isinstance(bases[0], int) else bases[0](backcast),
        forecast if isinstance(bases[1], int) else bases[1](forecast),
    )


def _doubly_residual(past, blocks):
    """Runs `blocks`, functions (residual (B, C, T), name) -> (backcast, forecast), over the past."""
    series = layers.Permute((2, 1), name="by_channel")(past)
    forecast = series[..., -1:]
    residual = ops.flip(series, axis=-1)
    for index, block in enumerate(blocks, start=1):
        backcast, part = block(residual, f"block{index}")
        residual = layers.Subtract(name=f"block{index}_residual")([residual, backcast])
        forecast = layers.Add(name=f"block{index}_forecast")([forecast, part])
    return layers.Permute((2, 1), dtype="float32", name="forecast")(forecast)


@register(domain="timeseries", task="forecasting", variants=VARIANTS, smoke=SMOKE, sample=_sample)
def nbeats(
    *,
    stacks,
    blocks=1,
    units=512,
    depth=3,
    degree=2,
    harmonics=2,
    lookback=168,
    horizon=24,
    channels=1,
    learning_rate=1e-3,
    name="nbeats",
):
    """N-BEATS, compiled with Adam and the mean squared error.

    Args:
        stacks: of "identity" (generic), "trend" (polynomials) and "seasonality" (harmonics), in order.
        blocks: blocks of each stack.
        units: of each hidden layer.
        depth: hidden layers with an activation in each block.
        degree: of the trend's polynomials.
        harmonics: the seasonality's frequencies are multiples of one over this, per horizon.
        lookback: time steps of the past.
        horizon: time steps to forecast, at least 2 for a trend or a seasonality.
        channels: series in a window; weights are shared by all.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: an unknown stack, or a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("nbeats_interpretable", lookback=48, horizon=12, channels=2).output_shape
    (None, 12, 2)
    """
    check_sizes(blocks=blocks, units=units, depth=depth, lookback=lookback, horizon=horizon, channels=channels)
    unknown = [stack for stack in stacks if stack not in STACKS]
    if unknown or not stacks:
        raise ValueError(f"`stacks` must be of {STACKS}. Received: {stacks!r}.")
    if horizon < 2 and set(stacks) != {"identity"}:
        raise ValueError(f"`horizon` must be at least 2 for a trend or a seasonality. Received: {horizon}.")

    def bases(stack, name):
        if stack == "identity":
            return lookback, horizon
        if stack == "trend":
            kind, options = "polynomials", {"degree": degree}
            backward = options
        else:
            kind, options = "harmonics", {"horizon": horizon, "harmonics": harmonics}
            backward = options | {"backward": True}
        return (
            BasisExpansion(kind, lookback, backward, name=f"{name}_backcast_basis"),
            BasisExpansion(kind, horizon, options, name=f"{name}_forecast_basis"),
        )

    def block_of(stack):
        def block(residual, name):
            both = bases(stack, name)
            count = sum(basis if isinstance(basis, int) else basis.coefficients for basis in both)
            return _expand(_theta(residual, units, depth, count, name), both)

        return block

    past = past_input(lookback, channels)
    forecast = _doubly_residual(past, [block_of(stack) for stack in stacks for _ in range(blocks)])
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)


@register(domain="timeseries", task="forecasting", variants=NHITS_VARIANTS, smoke=SMOKE, sample=_sample)
def nhits(
    *,
    pools=(2, 2, 1),
    strides=(4, 2, 1),
    blocks=1,
    units=512,
    depth=3,
    lookback=168,
    horizon=24,
    channels=1,
    learning_rate=1e-3,
    name="nhits",
):
    """N-HiTS, compiled with Adam and the mean squared error.

    Args:
        pools: time steps that each stack takes the maximum over before its perceptron.
        strides: time steps from one knot of each stack's forecast to the next; linear in between.
        blocks: blocks of each stack.
        units: of each hidden layer.
        depth: hidden layers with an activation in each block.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window; weights are shared by all.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: not as many `pools` as `strides`, or a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("nhits", lookback=48, horizon=12, channels=2).output_shape
    (None, 12, 2)
    """
    check_sizes(blocks=blocks, units=units, depth=depth, lookback=lookback, horizon=horizon, channels=channels)
    if len(pools) != len(strides) or not pools or min(*pools, *strides) < 1:
        raise ValueError(
            f"`pools` and `strides` must have a positive integer for each stack. Received: {pools!r} and {strides!r}."
        )

    def block_of(pool, stride):
        def block(residual, name):
            x = residual
            if pool > 1:
                short = -lookback % pool
                if short:  # The last maximum is over fewer steps.
                    x = ops.concatenate([x, ops.repeat(x[..., -1:], short, axis=-1)], axis=-1)
                x = ops.max(ops.reshape(x, (-1, channels, (lookback + short) // pool, pool)), axis=-1)
            knots = max(horizon // stride, 1)
            basis = BasisExpansion("interpolation", horizon, {"knots": knots}, name=f"{name}_forecast_basis")
            return _expand(_theta(x, units, depth, lookback + knots, name), (lookback, basis))

        return block

    past = past_input(lookback, channels)
    stacks = [block_of(pool, stride) for pool, stride in zip(pools, strides) for _ in range(blocks)]
    return compile_point(keras.Model(past, _doubly_residual(past, stacks), name=name), learning_rate)
