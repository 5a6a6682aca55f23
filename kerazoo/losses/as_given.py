"""The loss of models that compute their own."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class AsGiven(keras.losses.Loss):
    """Reduces losses that are computed already; under a distribution strategy it scales them, as every Keras loss.

    Shapes: anything; losses (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.as_given import AsGiven
    >>> float(AsGiven()(numpy.zeros(2), numpy.array([1.0, 3.0])))
    2.0
    """

    def call(self, y_true, y_pred):
        return y_pred
