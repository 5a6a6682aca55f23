"""A penalty on how large activations are, for training alone."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ActivationRegularization(keras.layers.Layer):
    """Adds the mean square of what passes through to the loss (Merity et al., 2017).

    https://arxiv.org/abs/1708.01009, "AR". Keras's ActivityRegularization adds a sum, and adds it in evaluation too.

    Args:
        alpha: the weight of the penalty.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: anything -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.activation_regularization import ActivationRegularization
    >>> layer = ActivationRegularization(2.0)
    >>> _ = layer(numpy.array([[1.0, 3.0]]), training=True)
    >>> float(layer.losses[0])
    10.0
    """

    def __init__(self, alpha, **options):
        super().__init__(**options)
        self.alpha = alpha

    def call(self, x, training=False):
        if training and self.alpha:
            self.add_loss(self.alpha * ops.mean(ops.square(ops.cast(x, "float32"))))
        return x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"alpha": self.alpha}
