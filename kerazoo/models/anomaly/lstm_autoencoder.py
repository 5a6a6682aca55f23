"""LSTM encoder-decoder for anomalies in series (Malhotra et al., 2016, https://arxiv.org/abs/1607.00148).

As in the paper the window is given again backwards, from its last step to its first, and the score is the squared
Mahalanobis distance of a step's absolute errors from those of normal windows, which `calibrate` is given. Unlike in
the paper the decoder is not fed the step before: it is fed the encoder's last output at every step, in training
and after, so that it answers alike in both.
"""

import keras
from keras import layers, ops

from kerazoo.layers.squared_distance import SquaredDistance
from kerazoo.models.anomaly.detector import Detector, compile_detector, sample_windows, window_input
from kerazoo.models.timeseries.forecaster import NO_INT8, check_sizes
from kerazoo.registry import register

SMOKE = {"lookback": 12, "channels": 3, "units": 24}


@keras.saving.register_keras_serializable(package="kerazoo")
class LstmAutoencoder(Detector):
    """A detector whose score weighs the errors of the channels by how they vary together on normal windows."""

    def calibrate(self, x):
        """Takes the mean and covariance of the errors from normal windows that the training has not seen.

        Args:
            x: windows, (N, lookback, channels).
        """
        errors = keras.Model(self.input, self.get_layer("distance").input)
        found = ops.convert_to_numpy(errors.predict(x, verbose=0))
        self.get_layer("distance").set_from(found.reshape(-1, found.shape[-1]))


@register(
    domain="anomaly",
    task="series_anomaly",
    smoke=SMOKE,
    sample=sample_windows(lookback=12, channels=3),
    unsupported=NO_INT8,
)
def lstm_autoencoder(*, units=64, dropout=0.0, lookback=32, channels=1, learning_rate=1e-3, name="lstm_autoencoder"):
    """LSTM autoencoder of windows, compiled with Adam and the mean squared error.

    Args:
        units: of the encoder's LSTM and of the decoder's.
        dropout: of what the encoder hands on.
        lookback: time steps of a window.
        channels: series in a window.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: windows, standardised (B, lookback, channels) -> float32 {"reconstruction": (B, lookback, channels),
        "score": (B, lookback)}.

    Raises:
        ValueError: a size that is no positive integer.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("lstm_autoencoder", units=8, lookback=16, channels=2)
    >>> model.scorer().output_shape
    (None, 16)
    """
    check_sizes(units=units)
    window = window_input(lookback, channels)
    code, *state = layers.LSTM(units, return_state=True, name="encoder")(window)
    x = layers.RepeatVector(lookback, name="context")(layers.Dropout(dropout, name="dropout")(code))
    x = layers.LSTM(units, return_sequences=True, name="decoder")(x, initial_state=state)
    backwards = layers.Dense(channels, dtype="float32", name="head")(x)
    reconstruction = ops.flip(backwards, axis=1)
    score = SquaredDistance(correlated=True, name="distance")(ops.absolute(window - reconstruction))
    model = LstmAutoencoder(window, {"reconstruction": reconstruction, "score": score}, name=name)
    return compile_detector(model, keras.optimizers.Adam(learning_rate))
