"""Causal self-attention whose heads share their values, so that their weights can be averaged and read."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class InterpretableAttention(keras.layers.Layer):
    """Interpretable multi-head attention (Lim et al., 2019, section 4.4, https://arxiv.org/abs/1912.09363).

    Every step attends to itself and to earlier ones.

    Args:
        heads: attention heads; they divide the channels.
        dropout: of the attention's weights.
        last: answer for so many of the last steps alone, which still attend to all; None for every step.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> (B, T, C), the heads' mean weights (B, T, T); with `last` (B, last, C), (B, last, T).

    Raises:
        ValueError: channels that the heads do not divide.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.interpretable_attention import InterpretableAttention
    >>> x, weights = InterpretableAttention(2)(numpy.zeros((1, 3, 8), "float32"))
    >>> weights.numpy()[0, :2].tolist()
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    """

    def __init__(self, heads, dropout=0.0, last=None, **options):
        super().__init__(**options)
        self.heads, self.last = heads, last
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, input_shape):
        time, channels = input_shape[1:]
        if channels % self.heads:
            raise ValueError(f"`heads` must divide the channels. Received: {self.heads} and {channels}.")
        self.size = channels // self.heads
        dense = {"use_bias": False, "dtype": self.dtype_policy}
        self.projection = keras.layers.Dense((2 * self.heads + 1) * self.size, name="projection", **dense)
        self.projection.build(input_shape)
        self.output_projection = keras.layers.Dense(channels, name="output_projection", **dense)
        self.output_projection.build((*input_shape[:-1], self.size))
        # Large enough to leave nothing after the softmax, small enough for float16.
        self.mask = np.triu(np.full((time, time), -3e4, "float32"), 1)[-(self.last or time) :]

    def call(self, inputs, training=None):
        split = self.heads * self.size
        projected = self.projection(inputs)
        asked = projected if self.last is None else projected[:, -self.last :]
        query, key = (
            ops.transpose(ops.reshape(part, (-1, part.shape[1], self.heads, self.size)), (0, 2, 1, 3))
            for part in (asked[..., :split], projected[..., split : 2 * split])
        )
        value = projected[..., 2 * split :]
        scores = ops.matmul(query * self.size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
        weights = ops.softmax(scores + ops.cast(self.mask, scores.dtype), axis=-1)
        # The mean over heads first: with shared values it comes to the same, and costs one product.
        mean = ops.mean(self.dropout(weights, training=training), axis=1)
        return self.output_projection(ops.matmul(mean, value)), mean

    def compute_output_shape(self, input_shape):
        batch, time, channels = input_shape
        asked = self.last or time
        return (batch, asked, channels), (batch, asked, time)

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "dropout": self.dropout.rate, "last": self.last}
