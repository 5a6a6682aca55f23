"""A learned vector for each position of sequences of any length up to a largest one."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class LearnedPositions(keras.layers.Layer):
    """Adds the vector of its position to each token; `step` does so from a position in the middle on.

    Args:
        positions: there are, at most.
        deviation: standard deviation of the normal distribution that the vectors are drawn from.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C) -> the same.

    Raises:
        ValueError: a sequence of more than `positions`.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.learned_positions import LearnedPositions
    >>> tuple(LearnedPositions(16)(numpy.zeros((2, 9, 4), "float32")).shape)
    (2, 9, 4)
    """

    def __init__(self, positions, deviation=0.02, **options):
        super().__init__(**options)
        self.positions, self.deviation = positions, deviation

    def build(self, input_shape):
        self.vectors = self.add_weight(
            name="positions",
            shape=(self.positions, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=self.deviation),
        )

    def call(self, x):
        if x.shape[1] is not None and x.shape[1] > self.positions:
            raise ValueError(f"There are {self.positions} positions. Received: tokens of shape {tuple(x.shape)}.")
        return x + self.vectors[: ops.shape(x)[1]]

    def initial_state(self, batch, length):
        """Nothing: a position is all that a step needs to know."""
        return []

    def step(self, x, *, state, position):
        """`x` that stands at `position` and after it."""
        time, width = ops.shape(x)[1], self.vectors.shape[1]
        return x + ops.slice(ops.cast(self.vectors, x.dtype), (position, 0), (time, width)), state

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"positions": self.positions, "deviation": self.deviation}
