"""Deviation network: few labelled anomalies among many rows (Pang et al., 2019, https://arxiv.org/abs/1911.08623).

The authors' deepest network, and their optimizer. Their training takes as many labelled anomalies as other rows
into each batch: `balanced_batches` of this module does.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.losses.deviation import Deviation
from kerazoo.models.anomaly.detector import Detector, compile_detector, hidden_sizes, row_input, sample_rows
from kerazoo.registry import register

SMOKE = {"numeric": 6, "hidden": (16, 8), "weight_decay": 1e-4}


@keras.saving.register_keras_serializable(package="kerazoo")
class DevNet(Detector):
    """The detector with its loss, which takes labels: 1 for a known anomaly, 0 for everything else.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`.
        margin: deviations that an anomaly must keep away.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, *, margin=5.0, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.margin = margin

    def example_losses(self, x, y, y_pred, training):
        if y is None:
            raise ValueError("A deviation network is trained with labels, 0 and 1: `fit(x, y)`. Received: none.")
        return Deviation(self.margin).call(ops.reshape(ops.cast(y, "float32"), (-1,)), y_pred["score"])

    def get_config(self):
        return super().get_config() | {"margin": self.margin}


def balanced_batches(rows, labels, *, batch_size=512, seed=0):
    """Endless (rows, labels) batches, every second row a labelled anomaly, for `fit(steps_per_epoch=)`.

    Args:
        rows: (N, numeric).
        labels: (N,), 1 for a labelled anomaly.
        batch_size: rows in a batch.
        seed: of the draws, with replacement.

    Raises:
        ValueError: no labelled anomaly, or no other row.
    """
    rows, labels = np.asarray(rows, "float32"), np.asarray(labels)
    places = [np.flatnonzero(labels == value) for value in (0, 1)]
    if not all(map(len, places)):
        raise ValueError(f"Both labels must be present. Received: {len(places[1])} anomalies of {len(labels)} rows.")
    rng = np.random.default_rng(seed)
    truth = (np.arange(batch_size) % 2).astype("float32")
    while True:
        chosen = np.where(truth, rng.choice(places[1], batch_size), rng.choice(places[0], batch_size))
        yield rows[chosen], truth


@register(domain="anomaly", task="row_anomaly", smoke=SMOKE, sample=sample_rows(numeric=6, labels=True))
def dev_net(*, numeric=8, hidden=(1000, 250, 20), margin=5.0, weight_decay=0.01, learning_rate=1e-3, name="dev_net"):
    """Deviation network on rows with a few labelled anomalies, compiled with RMSprop and the deviation loss.

    Args:
        numeric: columns of numbers.
        hidden: units of the hidden layers; the authors' smaller network has (20,).
        margin: deviations from the reference that an anomaly must keep away.
        weight_decay: times the kernels' squares, added to the loss.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: rows, standardised (B, numeric) -> float32 {"score": (B,)}, in deviations of the reference; it is trained
        on labels (B,), 1 for an anomaly.

    Raises:
        ValueError: no columns, or sizes that are no positive integers.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("dev_net", numeric=5, hidden=(20,)).scorer().output_shape
    (None,)
    """
    row = row_input(numeric)
    x = row
    for index, units in enumerate(hidden_sizes(hidden), start=1):
        decay = keras.regularizers.L2(weight_decay) if weight_decay else None
        x = layers.Dense(units, activation="relu", kernel_regularizer=decay, name=f"dense{index}")(x)
    x = layers.Dense(1, dtype="float32", name="deviation")(x)
    model = DevNet(row, {"score": layers.Flatten(dtype="float32", name="flat")(x)[:, 0]}, name=name, margin=margin)
    return compile_detector(model, keras.optimizers.RMSprop(learning_rate, clipnorm=1.0))
