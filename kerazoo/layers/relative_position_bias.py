"""What each head of T5 adds to its scores by how far apart two positions stand."""

import math

import keras
import numpy as np
from keras import ops

NEVER = -3e4  # Low enough for any softmax, and two of it still fit into a float16.


@keras.saving.register_keras_serializable(package="kerazoo")
class RelativePositionBias(keras.layers.Layer):
    """A learned number for each head and each bucket of distances (Raffel et al., 2020, section 2.1).

    https://arxiv.org/abs/1910.10683. Small distances have buckets of their own, larger ones share, the more the
    farther; beyond `farthest` there is one. `step` gives the rows of positions in the middle, for all columns there is
    room for.

    Args:
        heads: of the attention.
        both_ways: later positions have buckets too, half of them; else they are never seen.
        buckets: of distances.
        farthest: distance from which all are one.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: any (B, T, ...) -> float32 (1, heads, T, T).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.relative_position_bias import RelativePositionBias
    >>> tuple(RelativePositionBias(2)(numpy.zeros((3, 5, 8), "float32")).shape)
    (1, 2, 5, 5)
    """

    def __init__(self, heads, both_ways=False, buckets=32, farthest=128, **options):
        super().__init__(**options)
        self.heads, self.both_ways, self.buckets, self.farthest = heads, both_ways, buckets, farthest

    def build(self, input_shape):
        self.biases = self.add_weight(
            name="biases",
            shape=(self.buckets, self.heads),
            initializer=keras.initializers.RandomNormal(stddev=input_shape[-1] ** -0.5),
        )
        self.bucket_of = bucket_table(self.buckets // (1 + self.both_ways), self.farthest)

    def call(self, x):
        length = ops.shape(x)[1]
        return self._rows(ops.arange(length), length)

    def initial_state(self, batch, length):
        """Nothing to remember but how many columns there are: zeros (batch, length)."""
        return [ops.zeros((batch, length), "int32")]

    def step(self, x, *, state, position):
        """The rows of the positions from `position` on."""
        return self._rows(position + ops.arange(ops.shape(x)[1]), ops.shape(state[0])[1]), state

    def _rows(self, places, length):
        ahead = ops.arange(length)[None, :] - places[:, None]
        distance = ops.minimum(ops.abs(ahead), self.farthest)
        bucket = ops.take(ops.convert_to_tensor(self.bucket_of), distance)
        if self.both_ways:
            bucket = bucket + self.buckets // 2 * ops.cast(ahead > 0, "int32")
        bias = ops.transpose(ops.take(ops.cast(self.biases, "float32"), bucket, axis=0), (2, 0, 1))[None]
        return bias if self.both_ways else ops.where(ahead > 0, NEVER, bias)

    def compute_output_spec(self, x):
        return keras.KerasTensor((1, self.heads, x.shape[1], x.shape[1]), "float32")

    def get_config(self):
        return super().get_config() | {
            "heads": self.heads,
            "both_ways": self.both_ways,
            "buckets": self.buckets,
            "farthest": self.farthest,
        }


def bucket_table(buckets, farthest):
    """The bucket of each distance from 0 to `farthest`: (farthest + 1,) int32.

    Half of the buckets hold one distance each, the others ever more; in float32, as others compute it.
    """
    exact = buckets // 2
    distance = np.arange(farthest + 1)
    grown = np.log(np.maximum(distance, 1).astype("float32") / exact) / np.float32(math.log(farthest / exact))
    far = exact + (grown * (buckets - exact)).astype(int)
    return np.where(distance < exact, distance, np.minimum(far, buckets - 1)).astype("int32")
