"""Deep autoencoder of rows (Hinton & Salakhutdinov, 2006, https://doi.org/10.1126/science.1127647) as a detector.

Trained at once, without the paper's layer-by-layer start; a row's score is its mean squared error.
"""

import keras
from keras import layers, ops

from kerazoo.models.anomaly.detector import Detector, compile_detector, hidden_sizes, row_input, sample_rows
from kerazoo.registry import register

SMOKE = {"numeric": 6, "hidden": (16, 4)}


@register(domain="anomaly", task="row_anomaly", smoke=SMOKE, sample=sample_rows(numeric=6))
def deep_autoencoder(
    *, numeric=8, hidden=(64, 32, 8), dropout=0.0, noise=0.0, learning_rate=1e-3, name="deep_autoencoder"
):
    """Autoencoder of rows, compiled with Adam and the mean squared error.

    Args:
        numeric: columns of numbers.
        hidden: units of the encoder's layers, the last one the code; the decoder has them the other way round.
        dropout: after each hidden layer but the code.
        noise: deviation of the normal noise that is added to rows in training.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: rows, standardised (B, numeric) -> float32 {"reconstruction": (B, numeric), "score": (B,)}.

    Raises:
        ValueError: no columns, or sizes that are no positive integers.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("deep_autoencoder", numeric=5, hidden=(8, 2)).scorer().output_shape
    (None,)
    """
    hidden = hidden_sizes(hidden)
    row = row_input(numeric)
    x = layers.GaussianNoise(noise, name="noise")(row)
    for index, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu" if index < len(hidden) else None, name=f"encoder{index}")(x)
        if index < len(hidden):
            x = layers.Dropout(dropout, name=f"encoder{index}_dropout")(x)
    for index, units in enumerate(reversed(hidden[:-1]), start=1):
        x = layers.Dense(units, activation="relu", name=f"decoder{index}")(x)
        x = layers.Dropout(dropout, name=f"decoder{index}_dropout")(x)
    reconstruction = layers.Dense(numeric, dtype="float32", name="head")(x)
    score = ops.mean(ops.square(row - reconstruction), axis=-1)
    model = Detector(row, {"reconstruction": reconstruction, "score": score}, name=name)
    return compile_detector(model, keras.optimizers.Adam(learning_rate))
