"""Queries and keys turned by their position, so that attention knows how far apart they stand."""

import math

import keras
import numpy as np
from keras import ops

# Up to LONG positions there is a table of all; beyond, one of SPAN and one of whole spans: each layer has its own, and
# an exported file holds them all.
LONG, SPAN = 2048, 256
STRETCH = {"factor", "low", "high", "positions"}


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
        ValueError: channels that the heads do not share so, a sequence of more than `positions`, or another `stretch`.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.rotary_positions import RotaryPositions
    >>> x = numpy.array([[[1.0, 0.0], [1.0, 0.0]]], "float32")
    >>> RotaryPositions(1, positions=4)(x).numpy()[0, 1].round(4).tolist()
    [0.5403000116348267, 0.8414999842643738]
    """

    def __init__(self, heads, positions, base=10_000.0, stretch=None, **options):
        super().__init__(**options)
        if stretch is not None and not (set(stretch) == STRETCH and 0 < stretch["low"] < stretch["high"]):
            raise ValueError(f"`stretch` must have {sorted(STRETCH)}, 0 < low < high. Received: {stretch}.")
        self.heads, self.positions, self.base = heads, positions, base
        self.stretch = stretch and dict(stretch)

    def build(self, input_shape):
        if input_shape[-1] % (2 * self.heads):
            raise ValueError(f"Each head needs an even number of channels. Received: {input_shape[-1]}, {self.heads}.")
        self.size = input_shape[-1] // self.heads
        rate = float(self.base) ** (-np.arange(0, self.size, 2) / self.size)
        if self.stretch:
            rate = _stretched(rate, **self.stretch)
        span = self.positions if self.positions <= LONG else SPAN
        self.waves = _waves(np.arange(span), rate)
        self.spans = None if span == self.positions else _waves(np.arange(0, self.positions, span), rate)

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
        cosines, sines = (ops.expand_dims(wave, 1) for wave in self._waves_at(position, time))
        # In float32: a bfloat16 has not the digits to tell late positions apart.
        pairs = ops.reshape(ops.cast(x, "float32"), (-1, time, self.heads, 2, half))
        first, second = pairs[:, :, :, 0], pairs[:, :, :, 1]
        turned = ops.stack([first * cosines - second * sines, second * cosines + first * sines], axis=3)
        return ops.cast(ops.reshape(turned, (-1, time, self.heads * self.size)), x.dtype), state

    def _waves_at(self, position, time):
        """Cosines and sines (time, D / 2) of the angles at a position and after it."""
        if self.spans is None:
            return [
                ops.slice(ops.convert_to_tensor(wave), (position, 0), (time, self.size // 2)) for wave in self.waves
            ]
        places = position + ops.arange(time)
        cosine, sine = (ops.take(wave, places % SPAN, axis=0) for wave in self.waves)
        further_cosine, further_sine = (ops.take(wave, places // SPAN, axis=0) for wave in self.spans)
        return cosine * further_cosine - sine * further_sine, sine * further_cosine + cosine * further_sine

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        own = {"heads": self.heads, "positions": self.positions, "base": self.base, "stretch": self.stretch}
        return super().get_config() | own


def _waves(places, rate):
    """Cosines and sines (P, D / 2) float32; the angles are not, which late positions would be told apart too little."""
    angle = places[:, None] * rate
    return np.cos(angle).astype("float32"), np.sin(angle).astype("float32")


def _stretched(rate, *, factor, low, high, positions):
    turns = positions * rate / (2 * math.pi)  # Of each wave in the positions of the first training.
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return rate * (kept + (1 - kept) / factor)
