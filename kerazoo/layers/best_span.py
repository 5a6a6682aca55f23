"""Where an answer begins and ends, from the logits of both."""

import keras
from keras import ops

NOWHERE = -1e4  # The logit of padding.


@keras.saving.register_keras_serializable(package="kerazoo")
class BestSpan(keras.layers.Layer):
    """The span with the largest sum of logits, of those that begin before they end and are not too long.

    The first token is no part of a text: it stands for "there is no answer" and is no span's. Where tokens are pieces
    of words, and some of them not the passage's, it takes the word of each: then places are those of words.

    Args:
        longest: tokens of an answer.
        threshold: answers (0, 0) where the logits of the first token exceed the best span's by more than this. None
            answers always, but for a text without a token.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: logits (B, T, 2) float32, below -5,000 at padding; word (B, T) int32 or None, the number of each token's
        word from 1, 0 for what is not the passage's -> {"span": (B, 2) int32, first and last token of the answer,
        (0, 0) for none; "score": (B,), the logarithm of the best span's probability; "absence": (B,), by how much
        the first token's logits exceed the best span's}.

    Raises:
        ValueError: a `longest` that is no positive integer.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.best_span import BestSpan
    >>> logits = numpy.array([[[0, 0], [1, 9], [5, 2], [2, 4]]], "float32")
    >>> BestSpan(longest=3)(logits)["span"].numpy().tolist()  # (2, 1) would have more, and ends before it begins.
    [[1, 1]]
    """

    def __init__(self, longest=15, threshold=None, **options):
        super().__init__(**options)
        if not isinstance(longest, int) or longest < 1:
            raise ValueError(f"`longest` must be a positive integer. Received: {longest!r}.")
        self.longest, self.threshold = longest, threshold

    def call(self, logits, word=None):
        if word is not None:
            first = ops.arange(ops.shape(word)[1], dtype="int32") == 0
            logits = ops.where(ops.logical_or(word > 0, first)[..., None], logits, NOWHERE)
        starts, ends = logits[..., 0], logits[..., 1]
        none = starts[:, 0] + ends[:, 0]
        length = ops.shape(logits)[1]
        later = ops.pad(ends, [[0, 0], [0, self.longest]], constant_values=2 * NOWHERE)
        sums = ops.stack([starts + later[:, step : step + length] for step in range(self.longest)], axis=-1)
        sums = ops.concatenate([ops.full_like(sums[:, :1], 2 * NOWHERE), sums[:, 1:]], axis=1)
        of_start = ops.max(sums, axis=2)
        best = ops.max(of_start, axis=1)
        # What Keras makes of `argmax`, and a division of integers, are nothing that TFLite knows.
        places, steps = ops.arange(length, dtype="int32"), ops.arange(self.longest, dtype="int32")
        first = ops.min(ops.where(of_start >= best[:, None], places, length), axis=1)
        step = ops.min(ops.where(sums >= of_start[..., None], steps, self.longest), axis=2)
        last = first + ops.max(ops.where(places == first[:, None], step, 0), axis=1)
        span = ops.stack([first, last], axis=-1)
        if word is not None:
            chosen = ops.equal(places, span[..., None])  # (B, 2, T)
            span = ops.sum(ops.where(chosen, word[:, None, :], 0), axis=-1)
        answered = best > NOWHERE / 2
        if self.threshold is not None:
            answered = ops.logical_and(answered, none - best <= self.threshold)
        total = ops.logsumexp(starts, axis=1) + ops.logsumexp(ends, axis=1)
        return {
            "span": ops.where(answered[:, None], span, ops.zeros_like(span)),
            "score": best - total,
            "absence": none - best,
        }

    def compute_output_spec(self, logits, word=None):
        batch = logits.shape[0]
        return {
            "span": keras.KerasTensor((batch, 2), "int32"),
            "score": keras.KerasTensor((batch,), logits.dtype),
            "absence": keras.KerasTensor((batch,), logits.dtype),
        }

    def get_config(self):
        return super().get_config() | {"longest": self.longest, "threshold": self.threshold}
