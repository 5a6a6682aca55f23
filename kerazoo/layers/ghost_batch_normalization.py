"""Batch normalisation over parts of a batch."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class GhostBatchNormalization(keras.layers.BatchNormalization):
    """In training every part of the batch by its own statistics (Hoffer et al., 2017, https://arxiv.org/abs/1705.08741).

    The batch is cut into as few parts of at most `virtual_batch_size` rows as will do, all of one size but for the
    last; the moving statistics take one step for each, the moving variance after the unbiased one, as in PyTorch.
    Inference, configuration and weights are Keras's.

    Args:
        virtual_batch_size: rows of a part, at most.
        **options: of Keras's `BatchNormalization`; the axis is the last.

    Shapes: (B, features) -> the same.

    Raises:
        ValueError: a size below 1.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.ghost_batch_normalization import GhostBatchNormalization
    >>> rows = numpy.array([[1.0], [3.0], [10.0], [50.0]], "float32")
    >>> [round(float(value)) for value in GhostBatchNormalization(2)(rows, training=True)[:, 0]]
    [-1, 1, -1, 1]
    """

    def __init__(self, virtual_batch_size=128, **options):
        if not isinstance(virtual_batch_size, int) or virtual_batch_size < 1:
            raise ValueError(f"`virtual_batch_size` must be a positive integer. Received: {virtual_batch_size!r}.")
        super().__init__(**options)
        self.virtual_batch_size = virtual_batch_size

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        rows, features = ops.shape(inputs)[0], inputs.shape[-1]
        size = _divide_up(rows, _divide_up(rows, self.virtual_batch_size))
        parts = _divide_up(rows, size)
        x = ops.cast(inputs, "float32")  # Means of half-precision numbers lose what the norm is about.
        x = ops.reshape(ops.concatenate([x, ops.zeros((parts * size - rows, features))]), (parts, size, features))
        present = ops.cast(ops.reshape(ops.arange(parts * size) < rows, (parts, size, 1)), "float32")
        count = ops.sum(present, axis=1, keepdims=True)
        mean = ops.sum(x, axis=1, keepdims=True) / count  # What was put beside the rows is 0.
        variance = ops.sum(ops.square(x - mean) * present, axis=1, keepdims=True) / count
        self._follow(mean[:, 0], (variance * count / ops.maximum(count - 1, 1))[:, 0], parts)
        x = (x - mean) * ops.rsqrt(variance + self.epsilon)
        x = ops.reshape(x, (parts * size, features))[:rows]
        if self.scale:
            x = x * self.gamma
        if self.center:
            x = x + self.beta
        return ops.cast(x, self.compute_dtype)

    def _follow(self, means, variances, parts):
        """Moves the statistics as many steps as there are parts, the last part's last."""
        steps = ops.cast(parts, "float32")
        later = ops.power(self.momentum, steps - 1 - ops.arange(parts, dtype="float32"))[:, None]
        for moving, values in ((self.moving_mean, means), (self.moving_variance, variances)):
            taken = (1 - self.momentum) * ops.sum(later * values, axis=0)
            moving.assign(moving * ops.power(self.momentum, steps) + taken)

    def get_config(self):
        return super().get_config() | {"virtual_batch_size": self.virtual_batch_size}


def _divide_up(count, size):
    return (count + size - 1) // size
