"""Cross-entropy of where an answer begins and ends in a text."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SpanEntropy(keras.losses.Loss):
    """The mean of two cross-entropies over a text's tokens (Devlin et al., 2019, https://aclanthology.org/N19-1423).

    A question without an answer has the first token, 0, as its beginning and end.

    Shapes: positions (B, 2) integers, of the answer's first and last token, and logits (B, T, 2) -> (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.span_entropy import SpanEntropy
    >>> round(float(SpanEntropy()(numpy.array([[1, 2]]), numpy.zeros((1, 4, 2), "float32"))), 4)
    1.3863
    """

    def __init__(self, name="span_entropy", **options):
        super().__init__(name=name, **options)

    def call(self, y_true, y_pred):
        logits = ops.transpose(y_pred, (0, 2, 1))
        surprise = ops.sparse_categorical_crossentropy(ops.cast(y_true, "int32"), logits, from_logits=True)
        return ops.mean(surprise, axis=-1)
