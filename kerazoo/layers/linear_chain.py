"""Sums and best paths over sequences of tags, each scored by the one before it: the algorithms of a linear-chain CRF.

Everything is said in potentials (B, T, K, K): at each place the score of going from a tag to the next one, that of the
tag itself included. At the first place, which has no tag before it, all rows are alike.
"""

import keras
from keras import ops

LOW = -1e9  # Of what cannot be; its exponential is 0, and sums of a few stay finite.


class _Step(keras.layers.Layer):
    """A recurrent cell over potentials: `kind` is "sum" or "best"; a mask of the layer around it ends a sequence."""

    def __init__(self, tags, kind):
        super().__init__(dtype="float32")
        self.tags, self.kind, self.state_size, self.output_size = tags, kind, tags, tags

    def build(self, shape):
        self.built = True

    def call(self, potentials, states):
        (before,) = states
        scores = before[:, :, None] + ops.reshape(potentials, (-1, self.tags, self.tags))
        if self.kind == "sum":
            after = ops.logsumexp(scores, axis=1)
            return after, [after]
        return _place_of_largest(scores, axis=1), [ops.max(scores, axis=1)]


class _Back(keras.layers.Layer):
    """A recurrent cell that follows pointers from the last tag to the first."""

    def __init__(self):
        super().__init__(dtype="float32")
        self.state_size = self.output_size = 1

    def build(self, shape):
        self.built = True

    def call(self, pointers, states):
        (tag,) = states
        before = ops.take_along_axis(pointers, ops.cast(tag, "int32"), axis=1)
        return tag, [before]


def log_partition(potentials, present):
    """The logarithm of the sum over all sequences of tags of their scores' exponentials.

    Shapes: potentials (B, T, K, K) float32, present (B, T) bool, True up to a sequence's end -> (B,).
    """
    _, last = _forward(potentials, present, "sum")
    return ops.logsumexp(last, axis=-1)


def path_score(potentials, tags, present):
    """The score of given sequences of tags.

    Shapes: potentials (B, T, K, K), tags (B, T) integers, present (B, T) bool -> (B,).
    """
    count = potentials.shape[-1]
    tags = ops.where(present, ops.cast(tags, "int32"), 0)
    before = ops.pad(tags[:, :-1], [(0, 0), (1, 0)])
    flat = ops.reshape(potentials, (ops.shape(potentials)[0], -1, count * count))
    chosen = ops.take_along_axis(flat, (before * count + tags)[..., None], axis=-1)[..., 0]
    return ops.sum(ops.where(present, chosen, 0.0), axis=-1)


def best_path(potentials, present):
    """The sequences of tags with the highest score (Viterbi).

    Shapes: potentials (B, T, K, K), present (B, T) bool -> tags (B, T) int32, -1 where there is nothing; scores (B,).
    """
    pointers, last = _forward(potentials, present, "best")
    final = _place_of_largest(last, axis=1)[:, None]
    back = keras.layers.RNN(_Back(), return_sequences=True, go_backwards=True, dtype="float32")
    tags = ops.flip(back(pointers, initial_state=[final], mask=present)[..., 0], axis=1)
    return ops.where(present, ops.cast(tags, "int32"), -1), ops.max(last, axis=-1)


def _forward(potentials, present, kind):
    """`(outputs (B, T, K), the state after each sequence's end (B, K))`."""
    count = potentials.shape[-1]
    batch = ops.shape(potentials)[0]
    flat = ops.reshape(potentials, (batch, -1, count * count))
    # One tag stands before the first: which one makes no difference there.
    before = ops.broadcast_to(ops.where(ops.arange(count) == 0, 0.0, LOW)[None], (batch, count))
    layer = keras.layers.RNN(_Step(count, kind), return_sequences=True, return_state=True, dtype="float32")
    return layer(flat, initial_state=[before], mask=present)


def _place_of_largest(x, axis):
    """The first place of the largest value, as a float32: what Keras makes of `argmax` is nothing that TFLite knows."""
    count = x.shape[axis]
    places = ops.reshape(ops.arange(count, dtype="float32"), (-1, *[1] * (len(x.shape) - 1 - axis)))
    return ops.min(ops.where(x >= ops.max(x, axis=axis, keepdims=True), places, float(count)), axis=axis)
