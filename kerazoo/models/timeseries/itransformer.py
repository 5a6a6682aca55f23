"""iTransformer (Liu et al., 2023, https://arxiv.org/abs/2310.06625): every channel's whole past is one token.

As in the authors' code: attention among channels, norms after the blocks' additions and once at the end.
"""

import keras
from keras import layers

from kerazoo.layers.gelu import Gelu
from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

VARIANTS = {"itransformer": {"params": 6_404_704}}  # As NeuralForecast 3.3 counts them at the defaults below.
SMOKE = {"lookback": 24, "horizon": 8, "channels": 3, "width": 16, "heads": 2, "hidden": 32}


def _encoder_block(x, *, heads, hidden, dropout, name):
    """(B, C, width) -> the same."""
    width = x.shape[-1]
    attended = layers.MultiHeadAttention(
        heads, width // heads, dropout=dropout, kernel_initializer=TORCH_UNIFORM, name=f"{name}_attention"
    )(x, x)
    attended = layers.Dropout(dropout, name=f"{name}_attention_dropout")(attended)
    x = layers.Add(name=f"{name}_attention_add")([x, attended])
    x = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_attention_norm")(x)
    inner = Gelu(name=f"{name}_gelu")(layers.Dense(hidden, kernel_initializer=TORCH_UNIFORM, name=f"{name}_inner")(x))
    inner = layers.Dropout(dropout, name=f"{name}_inner_dropout")(inner)
    outer = layers.Dense(width, kernel_initializer=TORCH_UNIFORM, name=f"{name}_outer")(inner)
    x = layers.Add(name=f"{name}_add")([x, layers.Dropout(dropout, name=f"{name}_outer_dropout")(outer)])
    return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)


@register(
    domain="timeseries",
    task="forecasting",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(lookback=24, horizon=8, channels=3),
)
def itransformer(
    *,
    width=512,
    heads=8,
    hidden=2048,
    depth=2,
    lookback=96,
    horizon=96,
    channels=7,
    dropout=0.1,
    learning_rate=1e-4,
    name="itransformer",
):
    """Inverted transformer, compiled with Adam and the mean squared error.

    Args:
        width: size of a token; the authors take 256 for ETTh1.
        heads: attention heads; they divide the width.
        hidden: units of the layer inside each block; 256 for ETTh1.
        depth: encoder blocks.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window, which attend to each other.
        dropout: of tokens, attention and blocks.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: a size that is no positive integer, or heads that do not divide the width.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("itransformer", width=64, hidden=64, horizon=24, channels=2).output_shape
    (None, 24, 2)
    """
    check_sizes(width=width, heads=heads, hidden=hidden, depth=depth, lookback=lookback, horizon=horizon)
    check_sizes(channels=channels)
    if width % heads:
        raise ValueError(f"`heads` must divide `width`. Received: {heads} and {width}.")
    past = past_input(lookback, channels)
    normalization = ReversibleNormalization(name="reversible_normalization")
    x, mean, deviation = normalization(past)
    x = layers.Permute((2, 1), name="by_channel")(x)
    x = layers.Dense(width, kernel_initializer=TORCH_UNIFORM, name="embedding")(x)
    x = layers.Dropout(dropout, name="embedding_dropout")(x)
    for index in range(1, depth + 1):
        x = _encoder_block(x, heads=heads, hidden=hidden, dropout=dropout, name=f"block{index}")
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    x = layers.Dense(horizon, kernel_initializer=TORCH_UNIFORM, dtype="float32", name="head")(x)
    x = layers.Permute((2, 1), dtype="float32", name="by_time")(x)
    x = normalization(x, statistics=(mean, deviation))
    forecast = layers.Identity(dtype="float32", name="forecast")(x)
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)
