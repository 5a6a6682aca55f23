"""A loss that brings together the vectors of what belongs together, among all that is in a batch."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SupervisedContrastive(keras.losses.Loss):
    """How unlikely each row's partners are among the other rows (Khosla et al., 2020, https://arxiv.org/abs/2004.11362).

    With two rows of each label it is the loss of N pairs, by which sentence encoders are trained. A row without a
    partner counts for nothing.

    Args:
        temperature: cosines are divided by it.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B,) integers and vectors of length 1 (B, C) -> (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.supervised_contrastive import SupervisedContrastive
    >>> vectors = numpy.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], "float32")
    >>> round(float(SupervisedContrastive(temperature=1.0)(numpy.array([0, 0, 1, 1]), vectors)), 4)
    0.5514
    """

    def __init__(self, temperature=0.05, name="supervised_contrastive", **options):
        super().__init__(name=name, **options)
        self.temperature = temperature

    def call(self, y_true, y_pred):
        labels = ops.reshape(y_true, (-1,))
        rows = ops.arange(ops.shape(y_pred)[0])
        other = ops.not_equal(rows[:, None], rows[None, :])
        partners = ops.cast(ops.logical_and(ops.equal(labels[:, None], labels[None, :]), other), y_pred.dtype)
        likeness = ops.where(other, ops.matmul(y_pred, ops.transpose(y_pred)) / self.temperature, -1e9)
        surprise = -ops.sum(ops.log_softmax(likeness, axis=-1) * partners, axis=-1)
        return surprise / ops.maximum(ops.sum(partners, axis=-1), 1.0)

    def get_config(self):
        return super().get_config() | {"temperature": self.temperature}
