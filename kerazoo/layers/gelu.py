"""The exact Gaussian error linear unit in the form that every exporter understands."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class Gelu(keras.layers.Layer):
    """`x * P(N(0, 1) <= x)`, exactly, not by tanh (Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415).

    Equal to `keras.activations.gelu(x, approximate=False)`, which TensorFlow computes with an operation
    (Erfc) that ONNX does not have. Written in this very order, TFLite fuses it into its own GELU.

    Shapes: any -> the same.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.gelu import Gelu
    >>> round(float(Gelu()(numpy.array([1.0], "float32"))[0]), 4)
    0.8413
    """

    def call(self, inputs):
        return 0.5 * inputs * (1.0 + keras.ops.erf(inputs * 0.5**0.5))

    def compute_output_shape(self, input_shape):
        return input_shape
