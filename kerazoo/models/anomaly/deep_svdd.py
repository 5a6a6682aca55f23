"""Deep SVDD: normal rows drawn into a small sphere (Ruff et al., 2018, https://proceedings.mlr.press/v80/ruff18a.html).

For rows in place of the paper's images: layers without biases and a leaky ReLU, both of which keep the network from
answering every row with the centre. The centre is the mean answer before the training, held at least 0.1 from zero
in every direction, as in the authors' code, which also says how the radius of the soft boundary is moved.
"""

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers.squared_distance import SquaredDistance
from kerazoo.models.anomaly.detector import (
    EpochDetector,
    compile_detector,
    first_rows,
    hidden_sizes,
    row_input,
    sample_rows,
)
from kerazoo.registry import register

# `params`: trainable parameters: none of the layers has a bias.
SMOKE = {"numeric": 6, "hidden": (16, 8)}
BOUNDARIES = ("one_class", "soft")
FROM_ZERO = 0.1


@keras.saving.register_keras_serializable(package="kerazoo")
class DeepSVDD(EpochDetector):
    """The detector with its sphere; `fit` sets the centre from an initial pass where none is set.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`.
        boundary: "one_class" or "soft".
        nu: for "soft", the share of rows that may lie outside.
        warm_up: for "soft", epochs before the radius is moved.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, *, boundary="one_class", nu=0.1, warm_up=10, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.boundary, self.nu, self.warm_up = boundary, nu, warm_up
        if boundary == "soft":
            self.radius = self.add_weight(
                name="radius", shape=(), initializer="zeros", trainable=False, autocast=False, aggregation="mean"
            )

    def prepare(self, x):
        """Sets the centre to the mean answer to `x`, unless it is set already.

        Args:
            x: normal rows, or an iterable of batches of them.
        """
        sphere = self.get_layer("distance")
        if np.any(ops.convert_to_numpy(sphere.centre)):
            return
        answers = ops.convert_to_numpy(self(first_rows(x), training=False)["embedding"])
        centre = answers.mean(axis=0)
        sphere.set_centre(np.where(np.abs(centre) < FROM_ZERO, np.where(centre < 0, -FROM_ZERO, FROM_ZERO), centre))

    def example_losses(self, x, y, y_pred, training):
        distance = y_pred["score"]
        if self.boundary == "one_class":
            return distance
        radius = ops.convert_to_tensor(self.radius)
        losses = ops.square(radius) + ops.relu(distance - ops.square(radius)) / self.nu
        if training:
            found = ops.quantile(ops.sqrt(ops.stop_gradient(distance)), 1.0 - self.nu)
            self.radius.assign(ops.where(self.epoch > self.warm_up, found, radius))
        return losses

    def get_config(self):
        return super().get_config() | {"boundary": self.boundary, "nu": self.nu, "warm_up": self.warm_up}


@register(domain="anomaly", task="row_anomaly", smoke=SMOKE, sample=sample_rows(numeric=6))
def deep_svdd(
    *,
    numeric=8,
    hidden=(64, 32),
    boundary="one_class",
    nu=0.1,
    warm_up=10,
    weight_decay=1e-6,
    learning_rate=1e-3,
    name="deep_svdd",
):
    """Deep support vector data description of rows, compiled with Adam and the distance from a centre.

    Args:
        numeric: columns of numbers.
        hidden: units of the layers, the last one the embedding.
        boundary: "one_class" (all rows are drawn to the centre) or "soft" (those outside the radius alone, which
            follows the rows).
        nu: for "soft", the share of rows that may lie outside.
        warm_up: for "soft", epochs before the radius is moved.
        weight_decay: on all kernels, half its value times their squares is added to the loss.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: rows, standardised (B, numeric) -> float32 {"embedding": (B, hidden[-1]), "score": (B,)}, the squared
        distance from the centre; that of the soft boundary has its radius not subtracted, the order is the same.

    Raises:
        ValueError: no columns, sizes that are no positive integers, an unknown boundary, or `nu` outside (0, 1].

    Example:

    >>> import kerazoo
    >>> kerazoo.build("deep_svdd", numeric=5, hidden=(8, 2)).scorer().output_shape
    (None,)
    """
    hidden = hidden_sizes(hidden)
    if boundary not in BOUNDARIES or not 0 < nu <= 1:
        raise ValueError(
            f"`boundary` must be one of {BOUNDARIES}, `nu` in (0, 1]. Received: {boundary!r} and nu={nu!r}."
        )
    row = row_input(numeric)
    x = row
    for index, units in enumerate(hidden, start=1):
        last = index == len(hidden)
        x = layers.Dense(
            units,
            use_bias=False,
            kernel_regularizer=keras.regularizers.L2(weight_decay / 2) if weight_decay else None,
            dtype="float32" if last else None,
            name="embedding" if last else f"dense{index}",
        )(x)
        if not last:
            x = layers.LeakyReLU(0.01, name=f"leaky{index}")(x)
    outputs = {"embedding": x, "score": SquaredDistance(name="distance")(x)}
    model = DeepSVDD(row, outputs, name=name, boundary=boundary, nu=nu, warm_up=warm_up)
    return compile_detector(model, keras.optimizers.Adam(learning_rate))
