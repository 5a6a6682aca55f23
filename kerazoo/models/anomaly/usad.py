"""USAD: two autoencoders with one encoder, the second set against the first (Audibert et al., 2020,
https://doi.org/10.1145/3394486.3403392).

In epoch n the first learns W to give again and to deceive the second, 1/n |W - AE1(W)| + (1 - 1/n) |W - AE2(AE1(W))|,
the second W to give again and to tell the first's answers from W, 1/n |W - AE2(W)| - (1 - 1/n) |W - AE2(AE1(W))|. As in
the paper the squared errors' means stand for the norms, and each loss makes an update of its own on every batch.
Unlike in the authors' code one Adam makes both. Its answers are in [0, 1]: so must its windows be.
"""

import keras
from keras import layers, ops

from kerazoo.models.anomaly.detector import (
    EpochDetector,
    compile_detector,
    sample_windows,
    squared_error,
    window_input,
)
from kerazoo.models.timeseries.forecaster import TORCH_UNIFORM, check_sizes
from kerazoo.registry import register
from kerazoo.training.alternating import AlternatingSteps

# `params`: trainable parameters at the defaults (windows of 12 steps and 51 channels, as of SWaT), by the authors'
# layers.
VARIANTS = {"usad": {"params": 1_256_871}}
SMOKE = {"lookback": 8, "channels": 2, "latent": 16}


@keras.saving.register_keras_serializable(package="kerazoo")
class Usad(AlternatingSteps, EpochDetector):
    """The two autoencoders; `compute_loss`, as shown in training and validation, is the error of both."""

    def example_losses(self, x, y, y_pred, training):
        return squared_error(x, y_pred["reconstruction"]) + squared_error(x, y_pred["second"])

    def phases(self):
        """[(loss, its weights)]: each autoencoder's encoder, which is one and the same, and decoder."""
        of = {
            part: [v for layer in self.layers if layer.name.startswith(part) for v in layer.trainable_variables]
            for part in ("encoder", "decoder1", "decoder2")
        }
        return [("first", of["encoder"] + of["decoder1"]), ("second", of["encoder"] + of["decoder2"])]

    def phase_loss(self, name, x, y_pred, sample_weight):
        own = "reconstruction" if name == "first" else "second"
        sign = 1.0 if name == "first" else -1.0
        share = 1.0 / self.epoch
        losses = share * squared_error(x, y_pred[own]) + sign * (1.0 - share) * squared_error(x, y_pred["again"])
        return self._as_given(ops.zeros_like(losses), losses, sample_weight)


def _stack(sizes, last, name):
    """Layers of these sizes, ReLU between them and `last` at the end."""
    activations = ["relu"] * (len(sizes) - 1) + [last]
    options = {"kernel_initializer": TORCH_UNIFORM}
    found = []
    for index, (size, activation) in enumerate(zip(sizes, activations), start=1):
        dtype = "float32" if activation == "sigmoid" else None  # The answers, under any policy.
        found.append(layers.Dense(size, activation=activation, dtype=dtype, name=f"{name}_{index}", **options))
    return found


def _through(x, stack):
    for layer in stack:
        x = layer(x)
    return x


@register(
    domain="anomaly",
    task="series_anomaly",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_windows(lookback=8, channels=2, unit=True),
)
def usad(*, latent=1200, alpha=0.5, lookback=12, channels=51, learning_rate=1e-3, name="usad"):
    """Two adversarial autoencoders of windows, compiled with Adam and losses of its own.

    Args:
        latent: units of the code; half and a quarter of the window's size lie between the two.
        alpha: share of the first autoencoder's error in the score; the rest is the second's error on what the
            first gave again. A lower share finds more and errs more.
        lookback: time steps of a window.
        channels: series in a window.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: windows in [0, 1], (B, lookback, channels) -> float32 {"reconstruction", "second", "again": (B, lookback,
        channels), AE1(W), AE2(W) and AE2(AE1(W)); "score": (B, lookback)}. The paper's score of a window is the
        mean over its steps.

    Raises:
        ValueError: a size that is no positive integer, fewer than 4 values in a window, or `alpha` outside [0, 1].

    Example:

    >>> import kerazoo
    >>> kerazoo.build("usad", latent=8, lookback=10, channels=2).scorer().output_shape
    (None, 10)
    """
    check_sizes(latent=latent)
    window = window_input(lookback, channels)
    size = lookback * channels
    if size < 4 or not 0 <= alpha <= 1:
        raise ValueError(
            f"A window must have at least 4 values and `alpha` be in [0, 1]. Received: {size} values, alpha={alpha!r}."
        )
    flat = layers.Flatten(name="flat")(window)
    encoder = _stack((size // 2, size // 4, latent), "relu", "encoder")
    decoders = [_stack((size // 4, size // 2, size), "sigmoid", f"decoder{index}") for index in (1, 2)]
    code = _through(flat, encoder)
    first, second = (_through(code, decoder) for decoder in decoders)
    again = _through(_through(first, encoder), decoders[1])
    answers = {"reconstruction": first, "second": second, "again": again}
    answers = {key: layers.Reshape((lookback, channels), dtype="float32", name=key)(x) for key, x in answers.items()}
    errors = [ops.square(window - answers[key]) for key in ("reconstruction", "again")]
    score = ops.mean(alpha * errors[0] + (1.0 - alpha) * errors[1], axis=-1)
    model = Usad(window, answers | {"score": score}, name=name)
    return compile_detector(model, keras.optimizers.Adam(learning_rate))
