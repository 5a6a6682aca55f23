"""The loss whose minimum is a quantile."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class Pinball(keras.losses.Loss):
    """Mean pinball (quantile) loss over several quantiles (Koenker & Bassett, 1978, https://doi.org/10.2307/1913643).

    Twice the mean over all quantiles approaches the continuous ranked probability score.

    Args:
        quantiles: between 0 and 1, ascending: what the last axis of the forecast holds.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: truth (...), forecast (..., quantiles).

    Raises:
        ValueError: quantiles that are not ascending or not between 0 and 1.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.pinball import Pinball
    >>> round(float(Pinball([0.1, 0.9])(numpy.array([[4.0]]), numpy.array([[[2.0, 3.0]]]))), 3)
    0.55
    """

    def __init__(self, quantiles, name="pinball", **options):
        super().__init__(name=name, **options)
        self.quantiles = check_quantiles(quantiles)

    def call(self, y_true, y_pred):
        difference = ops.expand_dims(y_true, -1) - y_pred
        quantiles = ops.cast(self.quantiles, y_pred.dtype)
        return ops.mean(ops.maximum(quantiles * difference, (quantiles - 1.0) * difference), axis=-1)

    def get_config(self):
        return super().get_config() | {"quantiles": self.quantiles}


def check_quantiles(quantiles) -> list:
    """The quantiles as floats.

    Raises:
        ValueError: none, not ascending, or not between 0 and 1.
    """
    checked = [float(quantile) for quantile in quantiles]
    if not checked or checked != sorted(set(checked)) or not 0 < checked[0] <= checked[-1] < 1:
        raise ValueError(f"`quantiles` must be ascending, between 0 and 1. Received: {list(quantiles)}.")
    return checked
