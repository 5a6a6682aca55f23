"""Vectors of relative positions, normalised, as DeBERTa has them."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class RelativeVectors(keras.layers.Layer):
    """One learned vector for each bucket of distances (He et al., 2021, https://arxiv.org/abs/2006.03654), normalised.

    keras-hub's own cannot be loaded again as a layer by itself: it does not say how its norm is built.

    Args:
        buckets: of distances to either side.
        width: of a vector.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, ...) -> (B, 2 * buckets, width), the same for every row.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.relative_vectors import RelativeVectors
    >>> tuple(RelativeVectors(256, 8)(numpy.zeros((3, 5))).shape)
    (3, 512, 8)
    """

    def __init__(self, buckets, width, **options):
        super().__init__(**options)
        self.buckets, self.width = buckets, width
        self.norm = keras.layers.LayerNormalization(epsilon=1e-7, dtype=self.dtype_policy, name="norm")

    def build(self, input_shape):
        shape = (2 * self.buckets, self.width)
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.vectors = self.add_weight(shape=shape, initializer=initializer, name="vectors")
        self.norm.build((1, *shape))

    def call(self, inputs):
        return ops.repeat(self.norm(ops.expand_dims(self.vectors, 0)), ops.shape(inputs)[0], axis=0)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 2 * self.buckets, self.width)

    def get_config(self):
        return super().get_config() | {"buckets": self.buckets, "width": self.width}
