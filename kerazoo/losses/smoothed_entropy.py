"""Cross-entropy of the next token with smoothed labels, padding left out."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SmoothedEntropy(keras.losses.Loss):
    """Cross-entropy on integer labels of which some weight is spread over all classes (Szegedy et al., 2015).

    https://arxiv.org/abs/1512.00567. The mean is over the tokens that are not padding, however many there are.

    Args:
        smoothing: the weight that is spread evenly.
        padding: the label that is left out.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: truth (B, T) and logits (B, T, V) -> (B, T).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.smoothed_entropy import SmoothedEntropy
    >>> labels, logits = numpy.array([[1, 0]]), numpy.zeros((1, 2, 4), "float32")
    >>> round(float(SmoothedEntropy()(labels, logits)), 4)  # The logarithm of 4.
    1.3863
    """

    def __init__(self, smoothing=0.1, padding=0, name="smoothed_entropy", **options):
        super().__init__(name=name, **options)
        self.smoothing, self.padding = smoothing, padding

    def call(self, y_true, y_pred):
        there = ops.cast(ops.not_equal(y_true, self.padding), y_pred.dtype)
        surprise = ops.logsumexp(y_pred, axis=-1) - ops.squeeze(
            ops.take_along_axis(y_pred, ops.cast(y_true, "int32")[..., None], axis=-1), -1
        )
        if self.smoothing:
            spread = ops.logsumexp(y_pred, axis=-1) - ops.mean(y_pred, axis=-1)
            surprise = (1.0 - self.smoothing) * surprise + self.smoothing * spread
        return surprise * there / ops.maximum(ops.mean(there), 1e-6)

    def get_config(self):
        return super().get_config() | {"smoothing": self.smoothing, "padding": self.padding}
