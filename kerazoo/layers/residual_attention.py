"""Self-attention whose scores are added to those of the layer before."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ResidualAttention(keras.layers.Layer):
    """Multi-head self-attention with residual scores, RealFormer (He et al., 2020, https://arxiv.org/abs/2012.11747).

    Args:
        heads: attention heads; they divide the channels.
        kernel_initializer: of the four projections.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: x (B, T, C), scores (B, heads, T, T) or None -> (B, T, C), the scores before the softmax.

    Raises:
        ValueError: channels that the heads do not divide.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.residual_attention import ResidualAttention
    >>> x, scores = ResidualAttention(2)(numpy.zeros((1, 5, 8), "float32"))
    >>> tuple(x.shape), tuple(scores.shape)
    ((1, 5, 8), (1, 2, 5, 5))
    """

    def __init__(self, heads, kernel_initializer="glorot_uniform", **options):
        super().__init__(**options)
        self.heads = heads
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, x_shape, scores_shape=None):
        channels = x_shape[-1]
        if channels % self.heads:
            raise ValueError(f"`heads` must divide the channels. Received: {self.heads} and {channels}.")
        for part in ("query", "key", "value", "output"):
            projection = keras.layers.Dense(
                channels,
                kernel_initializer=self.kernel_initializer.clone(),
                dtype=self.dtype_policy,
                name=part,
            )
            projection.build(x_shape)
            setattr(self, f"{part}_projection", projection)

    def call(self, x, scores=None):
        time, channels = x.shape[1:]
        size = channels // self.heads

        def split(projected):
            return ops.transpose(ops.reshape(projected, (-1, time, self.heads, size)), (0, 2, 1, 3))

        query, key, value = (
            split(projection(x)) for projection in (self.query_projection, self.key_projection, self.value_projection)
        )
        own = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        scores = own if scores is None else own + scores
        mixed = ops.matmul(ops.softmax(scores, axis=-1), value)
        mixed = ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, time, channels))
        return self.output_projection(mixed), scores

    def compute_output_shape(self, x_shape, scores_shape=None):
        return x_shape, (x_shape[0], self.heads, x_shape[1], x_shape[1])

    def get_config(self):
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return super().get_config() | {"heads": self.heads, "kernel_initializer": initializer}
