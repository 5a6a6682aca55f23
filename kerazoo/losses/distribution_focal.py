"""The loss of a number that is told as a distribution over whole numbers."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class DistributionFocal(keras.losses.Loss):
    """Distribution focal loss (Li et al., 2020, https://arxiv.org/abs/2006.04388).

    The cross-entropy of the two whole numbers beside the truth, each the more the nearer it is.

    Args:
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: truth (...), in [0, bins - 1]; logits (..., bins). Truths beyond the last bin count as it.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.distribution_focal import DistributionFocal
    >>> round(float(DistributionFocal()(numpy.array([1.5]), numpy.zeros((1, 4), "float32"))), 3)
    1.386
    """

    def __init__(self, name="distribution_focal", **options):
        super().__init__(name=name, **options)

    def call(self, y_true, y_pred):
        bins = y_pred.shape[-1]
        truth = ops.clip(y_true, 0.0, bins - 1.0)[..., None]
        shares = ops.relu(1.0 - ops.abs(truth - ops.arange(bins, dtype=y_pred.dtype)))
        return -ops.sum(shares * ops.log_softmax(y_pred), axis=-1)
