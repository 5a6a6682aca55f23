"""A forecaster as a detector: what comes, against what was forecast, in deviations of the usual error.

The oldest recipe there is (with LSTMs: Malhotra et al., ESANN 2015), here with any forecaster of kerazoo.
"""

import keras
import numpy as np
from keras import ops


def residual_scorer(forecaster, errors, *, name=None):
    """A `keras.Model` from windows to one score each: how unusual the last row is after the rows before it.

    Args:
        forecaster: a model from (B, lookback, C) to (B, horizon, C), of which the first step counts.
        errors: (N, C) of its first step, what came minus what was forecast, on rows it was not trained on: their
            mean and deviation say what is usual.
        name: the model's name; by default the forecaster's.

    Shapes: windows (B, lookback + 1, C) -> float32 (B,), the root of the mean square of the standardised errors.

    Raises:
        ValueError: a forecaster of other inputs or outputs, or errors of another width.

    Example:

    >>> import kerazoo, numpy
    >>> from kerazoo.models.anomaly.residual import residual_scorer
    >>> forecaster = kerazoo.build("dlinear", lookback=24, horizon=1, channels=2)
    >>> residual_scorer(forecaster, numpy.random.default_rng(0).normal(size=(50, 2))).output_shape
    (None,)
    """
    inputs, answers = forecaster.input, forecaster.output
    if not hasattr(inputs, "shape") or not hasattr(answers, "shape") or len(answers.shape) != 3:
        raise ValueError(
            "A residual needs a forecaster from one past to one forecast, (B, horizon, C). Received: "
            f"{forecaster.name!r} with inputs {inputs} and outputs {answers}."
        )
    _, lookback, channels = inputs.shape
    errors = np.asarray(errors, "float64")
    if answers.shape[-1] != channels or errors.ndim != 2 or errors.shape[1] != channels:
        raise ValueError(
            f"Past, forecast and errors must have the same channels. Received: {channels}, {answers.shape[-1]} and "
            f"errors of shape {errors.shape}."
        )
    window = keras.Input((lookback + 1, channels), name="window", dtype="float32")
    error = window[:, -1] - forecaster(window[:, :-1])[:, 0]
    deviation = np.maximum(errors.std(axis=0), 1e-6)
    scaling = {"offset": (-errors.mean(axis=0) / deviation).tolist(), "name": "standardize", "dtype": "float32"}
    standardised = keras.layers.Rescaling((1 / deviation).tolist(), **scaling)(error)
    score = ops.sqrt(ops.mean(ops.square(standardised), axis=-1))
    return keras.Model(window, score, name=name or forecaster.name)
