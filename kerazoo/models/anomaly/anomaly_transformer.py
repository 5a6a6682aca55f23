"""Anomaly Transformer (Xu et al., 2022, https://arxiv.org/abs/2110.02642): series against prior association.

As in the authors' code: tokens by a convolution over three steps whose ends meet, norms after attention and after
the two inner layers, and one update of both phases of the minimax game together. The norm inside the
attention, which their code builds and never calls, is left out.
"""

import keras
from keras import layers, ops

from kerazoo.layers.anomaly_attention import AnomalyAttention
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.sinusoidal_positions import SinusoidalPositions
from kerazoo.models.anomaly.detector import (
    Detector,
    compile_detector,
    sample_windows,
    squared_error,
    window_input,
)
from kerazoo.models.timeseries.forecaster import check_sizes
from kerazoo.registry import register

# `params`: trainable parameters at the defaults (25 channels, as of PSM), those that the authors' forward pass uses.
VARIANTS = {"anomaly_transformer": {"params": 4_798_513}}
SMOKE = {"lookback": 12, "channels": 3, "width": 16, "heads": 2, "hidden": 16, "blocks": 2}
TEMPERATURE = 50.0  # The authors', of the discrepancy in the score.


@keras.saving.register_keras_serializable(package="kerazoo")
class AnomalyTransformer(Detector):
    """The detector with its minimax loss.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`.
        discrepancy_weight: of the association discrepancy, beside the reconstruction's error.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, *, discrepancy_weight=3.0, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.discrepancy_weight = discrepancy_weight

    def example_losses(self, x, y, y_pred, training):
        """Twice the reconstruction's error, once for each phase; the discrepancy has a gradient and no value."""
        discrepancy = ops.mean(y_pred["discrepancy"], axis=-1)
        game = discrepancy - ops.stop_gradient(discrepancy)
        return 2.0 * squared_error(x, y_pred["reconstruction"]) + self.discrepancy_weight * game

    def get_config(self):
        return super().get_config() | {"discrepancy_weight": self.discrepancy_weight}


def _block(x, heads, hidden, dropout, name):
    """(B, T, C) -> the same, and the discrepancy (B, T)."""
    width = x.shape[-1]
    y, discrepancy = AnomalyAttention(heads, dropout, name=f"{name}_attention")(x)
    x = layers.Add(name=f"{name}_attention_add")([x, layers.Dropout(dropout, name=f"{name}_attention_out")(y)])
    x = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_attention_norm")(x)
    y = Gelu(name=f"{name}_gelu")(layers.Dense(hidden, name=f"{name}_inner")(x))
    y = layers.Dense(width, name=f"{name}_outer")(layers.Dropout(dropout, name=f"{name}_dropout")(y))
    x = layers.Add(name=f"{name}_add")([x, layers.Dropout(dropout, name=f"{name}_out")(y)])
    return layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x), discrepancy


@register(
    domain="anomaly",
    task="series_anomaly",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_windows(lookback=12, channels=3),
    unsupported={"tflite_int8": "the prior divides by squared widths, which 8-bit integers round to zero"},
)
def anomaly_transformer(
    *,
    blocks=3,
    width=512,
    heads=8,
    hidden=512,
    dropout=0.0,
    discrepancy_weight=3.0,
    lookback=100,
    channels=25,
    learning_rate=1e-4,
    name="anomaly_transformer",
):
    """Transformer with association discrepancy, compiled with Adam and its minimax loss.

    Args:
        blocks: transformer blocks.
        width: size of a step's token.
        heads: attention heads; they divide the width.
        hidden: units inside a block.
        dropout: of tokens, attention and blocks.
        discrepancy_weight: of the association discrepancy in the loss.
        lookback: time steps of a window.
        channels: series in a window.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: windows, standardised (B, lookback, channels) -> float32 {"reconstruction": (B, lookback, channels),
        "discrepancy": (B, lookback), the mean over blocks, "score": (B, lookback)}: a step's error times the
        softmax over the window of how little it differs from its neighbours' prior.

    Raises:
        ValueError: a size that is no positive integer, or heads that do not divide the width.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("anomaly_transformer", width=16, heads=2, lookback=20, channels=2).scorer().output_shape
    (None, 20)
    """
    check_sizes(blocks=blocks, width=width, heads=heads, hidden=hidden)
    if width % heads:
        raise ValueError(f"`heads` must divide `width`. Received: {heads} and {width}.")
    window = window_input(lookback, channels)
    x = ops.concatenate([window[:, -1:], window, window[:, :1]], axis=1)
    start = keras.initializers.HeNormal()
    x = layers.Conv1D(width, 3, use_bias=False, kernel_initializer=start, name="tokens")(x)
    x = layers.Dropout(dropout, name="tokens_dropout")(SinusoidalPositions(name="positions")(x))
    discrepancies = []
    for index in range(1, blocks + 1):
        x, discrepancy = _block(x, heads, hidden, dropout, f"block{index}")
        discrepancies.append(discrepancy)
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    reconstruction = layers.Dense(channels, dtype="float32", name="head")(x)
    total = layers.Add(dtype="float32", name="sum")(discrepancies) if blocks > 1 else discrepancies[0]
    error = ops.mean(ops.square(window - reconstruction), axis=-1)
    outputs = {
        "reconstruction": reconstruction,
        "discrepancy": total / blocks,
        "score": ops.softmax(-TEMPERATURE * total, axis=-1) * error,
    }
    model = AnomalyTransformer(window, outputs, name=name, discrepancy_weight=discrepancy_weight)
    return compile_detector(model, keras.optimizers.Adam(learning_rate))
