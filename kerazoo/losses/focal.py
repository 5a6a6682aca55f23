"""The loss that easy examples, however many, do not drown."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SigmoidFocal(keras.losses.Loss):
    """Focal loss of logits that each hold or not by themselves (Lin et al., 2017, https://arxiv.org/abs/1708.02002).

    Keras's own is the mean over classes of clipped probabilities; this one is the sum, exact for logits of any size.

    Args:
        alpha: weight of what holds; what does not has 1 - alpha.
        gamma: how fast the weight falls of what is answered right.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: truth and logits (..., classes) -> (...).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.focal import SigmoidFocal
    >>> round(float(SigmoidFocal()(numpy.array([[1.0]]), numpy.array([[0.0]], "float32"))), 4)
    0.0433
    """

    def __init__(self, alpha=0.25, gamma=2.0, name="sigmoid_focal", **options):
        super().__init__(name=name, **options)
        self.alpha, self.gamma = alpha, gamma

    def call(self, y_true, y_pred):
        return ops.sum(focal(y_true, y_pred, alpha=self.alpha, gamma=self.gamma), axis=-1)

    def get_config(self):
        return super().get_config() | {"alpha": self.alpha, "gamma": self.gamma}


def focal(truth, logits, *, alpha, gamma):
    """The loss of each logit, of the shape of the logits."""
    entropy = sigmoid_entropy(truth, logits)
    wrong = ops.sigmoid(logits) * (1.0 - truth) + ops.sigmoid(-logits) * truth
    return (alpha * truth + (1.0 - alpha) * (1.0 - truth)) * wrong**gamma * entropy


def sigmoid_entropy(truth, logits):
    """The binary cross-entropy of each logit, exact for logits of any size."""
    return ops.relu(logits) - logits * truth + ops.softplus(-ops.abs(logits))
