"""A learned factor for each channel of a residual branch."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class LayerScale(keras.layers.Layer):
    """Multiplies each channel by a weight of its own (Touvron et al., 2021, https://arxiv.org/abs/2103.17239).

    Args:
        initial: every weight's first value; small, so that a deep residual network starts near the identity.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (..., channels) -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.layer_scale import LayerScale
    >>> LayerScale(0.5)(numpy.ones((1, 2), "float32")).numpy().tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, initial=1e-6, **options):
        super().__init__(**options)
        self.initial = initial

    def build(self, input_shape):
        self.gamma = self.add_weight(
            name="gamma", shape=(input_shape[-1],), initializer=keras.initializers.Constant(self.initial)
        )

    def call(self, inputs):
        return inputs * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"initial": self.initial}
