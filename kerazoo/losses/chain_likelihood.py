"""The negative log-likelihood of sequences of tags under a linear-chain conditional random field."""

import keras
from keras import ops

from kerazoo.layers.linear_chain import log_partition, path_score


@keras.saving.register_keras_serializable(package="kerazoo")
class ChainLikelihood(keras.losses.Loss):
    """How unlikely the true tags of a sequence are among all sequences of tags (Lafferty et al., 2001).

    Args:
        padding: the tag that stands after a sequence's end.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: tags (B, T) integers and potentials (B, T, K, K) float32, as `CRFPotentials` gives them -> (B,), nats of a
        whole sequence.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.chain_likelihood import ChainLikelihood
    >>> tags, potentials = numpy.array([[0, 1, -1]]), numpy.zeros((1, 3, 2, 2), "float32")
    >>> round(float(ChainLikelihood()(tags, potentials)), 4)  # One of four sequences.
    1.3863
    """

    def __init__(self, padding=-1, name="chain_likelihood", **options):
        super().__init__(name=name, **options)
        self.padding = padding

    def call(self, y_true, y_pred):
        tags = ops.cast(y_true, "int32")
        present = ops.not_equal(tags, self.padding)
        return log_partition(y_pred, present) - path_score(y_pred, tags, present)

    def get_config(self):
        return super().get_config() | {"padding": self.padding}
