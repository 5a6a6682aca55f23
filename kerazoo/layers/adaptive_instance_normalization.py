"""Content with the statistics of a style."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class AdaptiveInstanceNormalization(keras.layers.Layer):
    """Gives each channel of the content the style's mean and deviation (Huang and Belongie, 2017,
    https://arxiv.org/abs/1703.06868).

    The statistics are taken in float32 under any precision.

    Args:
        epsilon: added to the variances.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: [content (B, H, W, C), style (B, H', W', C)] -> (B, H, W, C).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.adaptive_instance_normalization import AdaptiveInstanceNormalization
    >>> content, style = (numpy.array(row, "float32").reshape((1, 1, 2, 1)) for row in ([0.0, 2.0], [5.0, 11.0]))
    >>> AdaptiveInstanceNormalization(epsilon=0.0)([content, style]).numpy().ravel().tolist()
    [5.0, 11.0]
    """

    def __init__(self, epsilon=1e-5, **options):
        super().__init__(**options)
        self.epsilon = epsilon

    def call(self, inputs):
        content, style = (ops.cast(maps, "float32") for maps in inputs)
        (mean, deviation), (style_mean, style_deviation) = (statistics(x, self.epsilon) for x in (content, style))
        return ops.cast((content - mean) / deviation * style_deviation + style_mean, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return super().get_config() | {"epsilon": self.epsilon}


def statistics(maps, epsilon):
    """(mean, deviation) of each channel of each image, (B, 1, 1, C); float32 maps, (B, H, W, C)."""
    mean = ops.mean(maps, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(maps - mean), axis=(1, 2), keepdims=True)
    return mean, ops.sqrt(variance + epsilon)
