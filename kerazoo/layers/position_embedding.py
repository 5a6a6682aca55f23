"""A learned vector for each position of a sequence of fixed length."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to each position of a sequence whose length is known when it is built.

    Args:
        deviation: standard deviation of the normal distribution that the vectors are drawn from.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, positions, channels) -> the same.

    Raises:
        ValueError: a sequence of unknown length.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.position_embedding import PositionEmbedding
    >>> tuple(PositionEmbedding()(numpy.zeros((2, 9, 4), "float32")).shape)
    (2, 9, 4)
    """

    def __init__(self, deviation=0.02, **options):
        super().__init__(**options)
        self.deviation = deviation

    def build(self, input_shape):
        _, positions, channels = input_shape
        if positions is None:
            raise ValueError(f"The number of positions must be known. Received: inputs of shape {input_shape!r}.")
        self.positions = self.add_weight(
            name="positions",
            shape=(1, positions, channels),
            initializer=keras.initializers.RandomNormal(stddev=self.deviation),
        )

    def call(self, inputs):
        return inputs + self.positions

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"deviation": self.deviation}
