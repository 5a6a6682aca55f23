"""1x1 convolution with strides that picks the positions first and convolves them then."""

import keras
from keras import ops

# Input channels from which on TensorFlow 2.21's own kernel is right. Below, its gradient writes out of bounds for odd
# batches on a CPU (measured from 1 to 12 channels, with none of 120 runs from 16 on), and ends the process.
SAFE_CHANNELS = 16


@keras.saving.register_keras_serializable(package="kerazoo")
class StridedPointwiseConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a kernel of 1x1 and strides, as a pick of positions and a convolution without strides.

    Args:
        *arguments, **options: of `keras.layers.Conv2D`.

    Shapes: (B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters).

    Raises:
        ValueError: another kernel than 1x1, or channels first.

    Example:

    >>> import numpy as np
    >>> from kerazoo.layers.strided_pointwise_conv import StridedPointwiseConv2D
    >>> StridedPointwiseConv2D(4, 1, strides=2)(np.zeros((3, 5, 5, 2))).shape
    TensorShape([3, 3, 3, 4])
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if self.kernel_size != (1, 1) or self.data_format != "channels_last":
            raise ValueError(
                "The kernel must be 1x1 and the channels last. "
                f"Received: kernel_size={self.kernel_size}, data_format={self.data_format!r}."
            )

    def convolution_op(self, inputs, kernel):
        down, right = self.strides
        return ops.conv(inputs[:, ::down, ::right], kernel, data_format="channels_last")


def replace_unsafe(model):
    """Makes every 1x1 convolution with strides and few input channels of a model a `StridedPointwiseConv2D`.

    The layers stay in their places with their names and weights; only how they compute changes.
    """
    for layer in model._flatten_layers(include_self=False):
        strided = type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and max(layer.strides) > 1
        if strided and layer.data_format == "channels_last" and layer.kernel.shape[2] < SAFE_CHANNELS:
            layer.__class__ = StridedPointwiseConv2D
