"""Attention between a passage and a question, in both directions."""

import keras
from keras import ops

AWAY = -1e9  # The score of padding, in float32.


@keras.saving.register_keras_serializable(package="kerazoo")
class AttentionFlow(keras.layers.Layer):
    """What each word of a passage takes from a question (Seo et al., 2016, https://arxiv.org/abs/1611.01603).

    A word h of the passage and a word u of the question are as much alike as a weight times [h; u; h * u] says. From
    passage to question, each h gets the mean of the question's words by that likeness; from question to passage, all
    get the mean of the passage's words by the likeness of each to the word of the question that is most like it.

    Args:
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: passage (B, T, C), question (B, Q, C), where their words are, (B, T) and (B, Q) bool -> (B, T, 4 C): h, the
        mean a of the question, h * a, h * the mean of the passage.

    Raises:
        ValueError: a passage and a question of unequal channels.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.attention_flow import AttentionFlow
    >>> passage, question = numpy.ones((1, 5, 6), "float32"), numpy.ones((1, 3, 6), "float32")
    >>> tuple(AttentionFlow()(passage, question, numpy.ones((1, 5), bool), numpy.ones((1, 3), bool)).shape)
    (1, 5, 24)
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_masking = True

    def build(self, passage_shape, question_shape, passage_there_shape=None, question_there_shape=None):
        width = passage_shape[-1]
        if question_shape[-1] != width:
            raise ValueError(f"Both texts must have as many channels. Received: {width} and {question_shape[-1]}.")
        for part in ("passage", "question", "product"):
            weight = self.add_weight(shape=(width, 1), initializer="glorot_uniform", name=f"{part}_kernel")
            setattr(self, f"{part}_kernel", weight)

    def call(self, passage, question, passage_there, question_there):
        likeness = ops.cast(self.likeness(passage, question), "float32")
        likeness = ops.where(question_there[:, None, :], likeness, AWAY)
        attended = ops.matmul(ops.cast(ops.softmax(likeness, axis=-1), question.dtype), question)
        most = ops.where(passage_there, ops.max(likeness, axis=-1), 2 * AWAY)  # Behind those of an empty question too.
        shares = ops.cast(ops.softmax(most, axis=-1), passage.dtype)
        summary = ops.matmul(shares[:, None, :], passage)
        return ops.concatenate([passage, attended, passage * attended, passage * summary], axis=-1)

    def likeness(self, passage, question):
        """(B, T, Q): how much each word of the passage is like each of the question."""
        # (h * product + question) u: both terms that have the question's word in one product.
        asked = passage * self.product_kernel[:, 0] + self.question_kernel[:, 0]
        return ops.matmul(asked, ops.transpose(question, (0, 2, 1))) + ops.matmul(passage, self.passage_kernel)

    def compute_mask(self, *_):
        return None  # The masks are arguments; Keras's own end here.

    def compute_output_spec(self, passage, question, passage_there, question_there):
        return keras.KerasTensor((*passage.shape[:-1], 4 * passage.shape[-1]), self.compute_dtype)
