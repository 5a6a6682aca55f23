"""The loss that keeps anomalies away from a reference of normal scores."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class Deviation(keras.losses.Loss):
    """Deviation loss (Pang et al., 2019, https://arxiv.org/abs/1911.08623).

    Scores of normal rows are drawn to the mean of a standard normal reference, those of anomalies to at least
    `margin` deviations above it. The paper draws 5,000 reference scores; here their mean and deviation are what
    they tend to, 0 and 1.

    Args:
        margin: deviations that an anomaly must keep away.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B,), 1 for an anomaly and 0 for everything else; scores (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.deviation import Deviation
    >>> float(Deviation()(numpy.array([0.0, 1.0]), numpy.array([0.5, 3.0], "float32")))
    1.25
    """

    def __init__(self, margin=5.0, name="deviation", **options):
        super().__init__(name=name, **options)
        self.margin = margin

    def call(self, y_true, y_pred):
        away = ops.relu(self.margin - y_pred)
        return (1.0 - y_true) * ops.absolute(y_pred) + y_true * away

    def get_config(self):
        return super().get_config() | {"margin": self.margin}
