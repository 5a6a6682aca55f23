"""A penalty on how far activations move from step to step, for training alone."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class TemporalActivationRegularization(keras.layers.Layer):
    """Adds the mean square of the change from each step to the next to the loss (Merity et al., 2017).

    https://arxiv.org/abs/1708.01009, "TAR". A sequence of one step has no change.

    Args:
        beta: the weight of the penalty.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.temporal_activation_regularization import TemporalActivationRegularization
    >>> layer = TemporalActivationRegularization(0.5)
    >>> _ = layer(numpy.array([[[1.0], [3.0]]]), training=True)
    >>> float(layer.losses[0])
    2.0
    """

    def __init__(self, beta, **options):
        super().__init__(**options)
        self.beta = beta

    def call(self, x, training=False):
        if training and self.beta:
            change = ops.square(ops.cast(x[:, 1:] - x[:, :-1], "float32"))
            self.add_loss(self.beta * ops.sum(change) / ops.cast(ops.maximum(ops.size(change), 1), "float32"))
        return x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"beta": self.beta}
