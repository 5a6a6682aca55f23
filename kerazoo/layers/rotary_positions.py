"""Queries and keys turned by their position, so that attention knows how far apart they stand."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class RotaryPositions(keras.layers.Layer):
    """Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864), the halves of a head as pairs.

    Channel i and channel i + D/2 of each head are turned together, as in Llama; the paper turns neighbours. `step`
    does so from a position in the middle on.

    Args:
        heads: they share the channels evenly, an even number for each.
        positions: there are, at most.
        base: the wave lengths grow from 2 pi to nearly 2 pi times this.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, heads * D) -> the same.

    Raises:
        ValueError: channels that the heads do not share so, or a sequence of more than `positions`.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.rotary_positions import RotaryPositions
    >>> x = numpy.array([[[1.0, 0.0], [1.0, 0.0]]], "float32")
    >>> RotaryPositions(1, positions=4)(x).numpy()[0, 1].round(4).tolist()
    [0.5403000116348267, 0.8414999842643738]
    """

    def __init__(self, heads, positions, base=10_000.0, **options):
        super().__init__(**options)
        self.heads, self.positions, self.base = heads, positions, base

    def build(self, input_shape):
        if input_shape[-1] % (2 * self.heads):
            raise ValueError(f"Each head needs an even number of channels. Received: {input_shape[-1]}, {self.heads}.")
        self.size = input_shape[-1] // self.heads
        rate = float(self.base) ** (-np.arange(0, self.size, 2) / self.size)
        angle = np.arange(self.positions)[:, None] * rate
        self.cosines, self.sines = (wave(angle).astype("float32") for wave in (np.cos, np.sin))

    def call(self, x):
        if x.shape[1] is not None and x.shape[1] > self.positions:
            raise ValueError(f"There are {self.positions} positions. Received: tokens of shape {tuple(x.shape)}.")
        return self.step(x, state=[], position=0)[0]

    def initial_state(self, batch, length):
        """Nothing: a position is all that a step needs to know."""
        return []

    def step(self, x, *, state, position):
        """`x` that stands at `position` and after it."""
        time, half = ops.shape(x)[1], self.size // 2
        cosines, sines = (
            ops.expand_dims(ops.slice(ops.convert_to_tensor(wave), (position, 0), (time, half)), 1)
            for wave in (self.cosines, self.sines)
        )
        # In float32: a bfloat16 has not the digits to tell late positions apart.
        pairs = ops.reshape(ops.cast(x, "float32"), (-1, time, self.heads, 2, half))
        first, second = pairs[:, :, :, 0], pairs[:, :, :, 1]
        turned = ops.stack([first * cosines - second * sines, second * cosines + first * sines], axis=3)
        return ops.cast(ops.reshape(turned, (-1, time, self.heads * self.size)), x.dtype), state

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"heads": self.heads, "positions": self.positions, "base": self.base}
