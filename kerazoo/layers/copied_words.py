"""Words that are said from a vocabulary or copied from a source, as one distribution."""

import math

import keras
from keras import ops

LEAST = 1e-12  # Below this no probability counts: its logarithm stays finite.


@keras.saving.register_keras_serializable(package="kerazoo")
class CopiedWords(keras.layers.Layer):
    """The pointer-generator's distribution (See et al., 2017, https://arxiv.org/abs/1704.04368), equation 9 there.

    A word's probability is that of the vocabulary, as far as words are generated, and as far as they are copied the
    attention to all places of the source where it stands. Words outside the vocabulary have ids of their own, numbered
    anew for each source, which can only be copied.

    Args:
        extra: ids of such words.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: logits of the vocabulary (B, T, V), the logit of the share that is generated (B, T, 1), attention
        (B, T, S), the source's ids (B, S), below V + extra and 0 where there is none -> logarithms of the
        probabilities (B, T, V + extra), float32.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.copied_words import CopiedWords
    >>> shares, source = numpy.array([[[0.25, 0.75]]]), numpy.array([[0, 2]])
    >>> chances = CopiedWords(1)(numpy.zeros((1, 1, 2)), numpy.zeros((1, 1, 1)), shares, source)
    >>> numpy.exp(chances.numpy())[0, 0].round(3).tolist()
    [0.375, 0.25, 0.375]
    """

    def __init__(self, extra, **options):
        super().__init__(**({"dtype": "float32"} | options))
        self.extra = extra

    def call(self, logits, generate, shares, source):
        generate, shares = ops.cast(generate, "float32"), ops.cast(shares, "float32")
        # Both shares by one softmax: where a sigmoid is nearly 0 or 1, other engines round it to that.
        parts = ops.softmax(ops.concatenate([generate, ops.zeros_like(generate)], axis=-1), axis=-1)
        said = parts[..., :1] * ops.softmax(ops.cast(logits, "float32"), axis=-1)
        batch, time, size = ops.shape(shares)[0], ops.shape(shares)[1], logits.shape[-1] + self.extra
        # A word that stands in several places gets their sum at its first one, and the others nothing: the formats
        # that models are exported to do not agree on what becomes of two values for one id.
        source = ops.cast(source, "int32")
        same = ops.equal(source[:, :, None], source[:, None, :])
        before = ops.arange(ops.shape(source)[1])
        first = ops.logical_not(ops.any(ops.logical_and(same, before[:, None] > before), axis=-1))
        copied = ops.matmul(parts[..., 1:] * shares, ops.cast(same, "float32")) * ops.cast(first, "float32")[:, None]
        rows = ops.cast(ops.broadcast_to(ops.arange(batch)[:, None], ops.shape(source)), "int32")
        places = ops.stack([rows, ops.where(first, source, 0)], axis=-1)
        copied = ops.scatter(places, ops.transpose(copied, (0, 2, 1)), (batch, size, time))
        chances = ops.transpose(copied, (0, 2, 1)) + ops.pad(said, [(0, 0), (0, 0), (0, self.extra)])
        # Said twice, as in a file of 16-bit numbers the constant has become 0.
        logarithms = ops.maximum(ops.log(ops.maximum(chances, LEAST)), math.log(LEAST))
        return ops.where(chances > LEAST, logarithms, math.log(LEAST))

    def compute_output_spec(self, logits, generate, shares, source):
        return keras.KerasTensor((*logits.shape[:2], logits.shape[2] + self.extra), "float32")

    def get_config(self):
        return super().get_config() | {"extra": self.extra}
