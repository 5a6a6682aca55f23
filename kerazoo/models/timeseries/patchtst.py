"""PatchTST (Nie et al., 2023, "A Time Series is Worth 64 Words", https://arxiv.org/abs/2211.14730).

Each channel by itself: patches of its past as tokens, a transformer encoder with residual attention and batch
norms, one linear head. As in the authors' code; dropout after the attention's projection is applied once at the
rate of their two in a row. Their count of parameters includes one fixed scale in each attention, which is no
weight here.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.patches import Patches
from kerazoo.layers.position_embedding import PositionEmbedding
from kerazoo.layers.residual_attention import ResidualAttention
from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes, compile_point, past_input, sample_of
from kerazoo.registry import register

# `params`: the authors' counts of 81,731 (their ETTh1) and 921,187 (their Weather) without the three fixed scales.
VARIANTS = {
    "patchtst_small": {"width": 16, "heads": 4, "hidden": 128, "dropout": 0.3, "params": 81_728},
    "patchtst": {"width": 128, "heads": 16, "hidden": 256, "dropout": 0.2, "params": 921_184},
}
SMOKE = {"lookback": 24, "horizon": 8, "channels": 3, "depth": 2, "width": 8, "heads": 2, "hidden": 16, "patch": 8}
SMOKE |= {"stride": 4}


def _encoder_block(x, scores, *, heads, hidden, dropout, name):
    """(B, T, C), scores of the block before or None -> (B, T, C), its own scores."""
    width = x.shape[-1]
    attention = ResidualAttention(heads, kernel_initializer=TORCH_UNIFORM, name=f"{name}_attention")
    attended, scores = attention(x) if scores is None else attention(x, scores)
    # Twice at the same rate in a row, in the authors' code.
    attended = layers.Dropout(1 - (1 - dropout) ** 2, name=f"{name}_attention_dropout")(attended)
    x = layers.Add(name=f"{name}_attention_add")([x, attended])
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_attention_norm")(x)
    inner = layers.Dense(hidden, kernel_initializer=TORCH_UNIFORM, name=f"{name}_inner")(x)
    inner = layers.Dropout(dropout, name=f"{name}_inner_dropout")(Gelu(name=f"{name}_gelu")(inner))
    outer = layers.Dense(width, kernel_initializer=TORCH_UNIFORM, name=f"{name}_outer")(inner)
    x = layers.Add(name=f"{name}_add")([x, layers.Dropout(dropout, name=f"{name}_dropout")(outer)])
    return BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x), scores


@register(
    domain="timeseries",
    task="forecasting",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(lookback=24, horizon=8, channels=3),
)
def patchtst(
    *,
    width,
    heads,
    hidden,
    depth=3,
    lookback=336,
    horizon=96,
    channels=7,
    patch=16,
    stride=8,
    dropout=0.2,
    head_dropout=0.0,
    learning_rate=1e-4,
    name="patchtst",
):
    """Patch transformer, compiled with Adam and the mean squared error.

    Args:
        width: size of a token.
        heads: attention heads; they divide the width.
        hidden: units of the layer inside each block.
        depth: encoder blocks.
        lookback: time steps of the past.
        horizon: time steps to forecast.
        channels: series in a window; weights are shared by all.
        patch: time steps of a patch.
        stride: time steps from one patch to the next.
        dropout: of embedded patches and in the blocks.
        head_dropout: after the head.
        learning_rate: a rate or a schedule; the authors start at 1e-4 with batches of 128.
        name: the model's name.

    Shapes: past (B, lookback, channels) -> float32 forecast, (B, horizon, channels).

    Raises:
        ValueError: a size that is no positive integer, a patch longer than the lookback, or heads that do
            not divide the width.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("patchtst_small", lookback=96, horizon=24, channels=2).output_shape
    (None, 24, 2)
    """
    check_sizes(lookback=lookback, horizon=horizon, channels=channels, depth=depth, patch=patch, stride=stride)
    past = past_input(lookback, channels)
    normalization = ReversibleNormalization(name="reversible_normalization")
    normalised, mean, deviation = normalization(past)
    x = Patches(patch, stride, name="patches")(normalised)
    count = x.shape[2]
    # Channels become examples: (B * channels, patches, width).
    x = layers.Dense(width, kernel_initializer=TORCH_UNIFORM, name="embedding")(x)
    x = keras.ops.reshape(x, (-1, count, width))
    x = layers.Dropout(dropout, name="embedding_dropout")(PositionEmbedding(0.01, name="positions")(x))
    scores = None
    for index in range(1, depth + 1):
        x, scores = _encoder_block(x, scores, heads=heads, hidden=hidden, dropout=dropout, name=f"block{index}")
    x = keras.ops.reshape(x, (-1, channels, count * width))
    x = layers.Dense(horizon, kernel_initializer=TORCH_UNIFORM, dtype="float32", name="head")(x)
    x = layers.Permute((2, 1), dtype="float32", name="by_time")(layers.Dropout(head_dropout, name="head_dropout")(x))
    x = normalization(x, statistics=(mean, deviation))
    forecast = layers.Identity(dtype="float32", name="forecast")(x)
    return compile_point(keras.Model(past, forecast, name=name), learning_rate)
