"""Negative log-likelihood of labels by probabilities that are given as logarithms, padding left out."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class LabelLikelihood(keras.losses.Loss):
    """Minus the logarithm of each label's probability; the mean is over the labels that are not padding.

    What cross-entropy is on logits, where a model answers with logarithms of probabilities: they need no
    normalising, which takes most of the time where there are many classes.

    Args:
        padding: the label that is left out.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: truth (B, T) and logarithms (B, T, V) -> (B, T).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.label_likelihood import LabelLikelihood
    >>> round(float(LabelLikelihood()(numpy.array([[1, 0]]), numpy.log([[[0.5, 0.25], [0.9, 0.1]]]))), 4)
    1.3863
    """

    def __init__(self, padding=0, name="label_likelihood", **options):
        super().__init__(name=name, **options)
        self.padding = padding

    def call(self, y_true, y_pred):
        there = ops.cast(ops.not_equal(y_true, self.padding), y_pred.dtype)
        chosen = ops.take_along_axis(y_pred, ops.cast(y_true, "int32")[..., None], axis=-1)
        return -ops.squeeze(chosen, -1) * there / ops.maximum(ops.mean(there), 1e-6)

    def get_config(self):
        return super().get_config() | {"padding": self.padding}
