"""Waves of many lengths added to a sequence, so that each position can be told from the others."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SinusoidalPositions(keras.layers.Layer):
    """Adds the fixed sines and cosines of the Transformer (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762).

    Sines stand in the even channels, cosines in the odd ones; nothing is learned.

    `step` does so from a position in the middle on.

    Args:
        longest: the wave lengths grow from 2 pi to 2 pi times this.
        positions: there are, at most; None takes the sequence's own number, which must be known then.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, positions, channels) -> the same.

    Raises:
        ValueError: a sequence of unknown length without `positions`, or one of more.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.sinusoidal_positions import SinusoidalPositions
    >>> SinusoidalPositions()(numpy.zeros((1, 3, 2), "float32")).numpy()[0, 1].round(4).tolist()
    [0.8414999842643738, 0.5403000116348267]
    """

    def __init__(self, longest=10_000.0, positions=None, **options):
        super().__init__(**options)
        self.longest, self.positions = longest, positions

    def build(self, input_shape):
        _, length, channels = input_shape
        positions = self.positions or length
        if positions is None or (length or 0) > positions:
            raise ValueError(
                f"The number of positions must be known, and at most {positions}. "
                f"Received: inputs of shape {input_shape!r}."
            )
        rate = self.longest ** (-np.arange(0, channels, 2) / channels)
        angle = np.arange(positions)[:, None] * rate
        waves = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(positions, -1)
        self.waves = waves[:, :channels].astype("float32")

    def call(self, inputs):
        if self.positions is None:
            return inputs + ops.cast(self.waves, inputs.dtype)
        return self.step(inputs, state=[], position=0)[0]

    def initial_state(self, batch, length):
        """Nothing: a position is all that a step needs to know."""
        return []

    def step(self, inputs, *, state, position):
        """`inputs` that stand at `position` and after it."""
        size = (ops.shape(inputs)[1], self.waves.shape[1])
        return inputs + ops.slice(ops.cast(self.waves, inputs.dtype), (position, 0), size), state

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"longest": self.longest, "positions": self.positions}
