"""Self-attention that also says how far it is from attending to its neighbours alone."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class AnomalyAttention(keras.layers.Layer):
    """Anomaly attention (Xu et al., 2022, https://arxiv.org/abs/2110.02642).

    Beside the usual attention ("series association") every head has a bell curve around each step ("prior
    association") whose width is learned. The discrepancy is the sum of the two Kullback-Leibler divergences between
    them, the mean over heads: small where a step attends to its neighbours only, as anomalies do.

    The paper plays a minimax game with it: the prior is drawn to the attention, the attention pushed from the
    prior. Both are in the gradient of the discrepancy: minimising it lessens it by the prior's width and enlarges it
    by the attention.

    Args:
        heads: attention heads; they divide the channels.
        dropout: of the attention's weights.
        epsilon: added inside the logarithms.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> (B, T, C) and the discrepancy, float32 (B, T).

    Raises:
        ValueError: heads that do not divide the channels, or a sequence of unknown length.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.anomaly_attention import AnomalyAttention
    >>> outputs, discrepancy = AnomalyAttention(2)(numpy.zeros((3, 5, 8), "float32"))
    >>> tuple(outputs.shape), tuple(discrepancy.shape)
    ((3, 5, 8), (3, 5))
    """

    def __init__(self, heads, dropout=0.0, epsilon=1e-4, **options):
        super().__init__(**options)
        self.heads, self.epsilon = heads, epsilon
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape):
        _, steps, channels = input_shape
        if steps is None or channels % self.heads:
            raise ValueError(
                f"The number of steps must be known and `heads` divide the channels. Received: heads={self.heads} and "
                f"inputs of shape {input_shape!r}."
            )
        self.size = channels // self.heads
        sizes = {"query": channels, "key": channels, "value": channels, "width": self.heads, "out": channels}
        for part, units in sizes.items():
            dense = keras.layers.Dense(units, dtype=self.dtype_policy, name=part)
            dense.build(input_shape)
            setattr(self, part, dense)
        step = np.arange(steps, dtype="float32")
        self.distance = (step[:, None] - step[None, :]) ** 2

    def call(self, inputs, training=None):
        def by_head(x):
            return ops.transpose(ops.reshape(x, (-1, self.distance.shape[0], self.heads, self.size)), (0, 2, 1, 3))

        query, key, value = by_head(self.query(inputs)), by_head(self.key(inputs)), by_head(self.value(inputs))
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        series = ops.softmax(ops.cast(scores, "float32") / self.size**0.5, axis=-1)
        weights = self.dropout_layer(ops.cast(series, self.compute_dtype), training=training)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        outputs = self.out(ops.reshape(mixed, (-1, self.distance.shape[0], self.heads * self.size)))
        # The authors' width: between 0 and 2 steps, never zero.
        width = ops.cast(ops.transpose(self.width(inputs), (0, 2, 1)), "float32")
        width = ops.power(3.0, ops.sigmoid(5.0 * width) + 1e-5) - 1.0
        # A bell curve over the sum of its row.
        prior = ops.softmax(-self.distance / (2.0 * ops.square(width[..., None])), axis=-1)
        return outputs, self._discrepancy(series, prior, training)

    def _discrepancy(self, series, prior, training):
        def divergences(p, q):
            both = (p - q) * (ops.log(p + self.epsilon) - ops.log(q + self.epsilon))  # One way and the other.
            return ops.mean(ops.sum(both, axis=-1), axis=1)

        if not training:
            return divergences(series, prior)
        by_prior = divergences(ops.stop_gradient(series), prior)
        by_series = divergences(series, ops.stop_gradient(prior))
        return ops.stop_gradient(by_prior) + by_prior - by_series  # The value of the first, the gradients of both.

    def compute_output_spec(self, inputs, training=None):
        return (
            keras.KerasTensor(inputs.shape, self.compute_dtype),
            keras.KerasTensor(inputs.shape[:2], "float32"),
        )

    def get_config(self):
        rate = self.dropout_layer.rate
        return super().get_config() | {"heads": self.heads, "dropout": rate, "epsilon": self.epsilon}
