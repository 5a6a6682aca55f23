"""Softmax losses that ask for more than the nearest centre: the true one must be nearer by a margin."""

import math

import keras
import numpy as np
from keras import ops


class _Margin(keras.losses.Loss):
    """Cross-entropy of scaled cosines, after `with_margin` has lowered that of the true class."""

    def __init__(self, margin, scale, name, **options):
        super().__init__(name=name, **options)
        if margin < 0 or scale <= 0:
            raise ValueError(f"`margin` must not be negative, `scale` positive. Received: {margin!r} and {scale!r}.")
        self.margin, self.scale = margin, scale

    def call(self, y_true, y_pred):
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        true = ops.cast(ops.one_hot(labels, y_pred.shape[-1]), y_pred.dtype)
        cosines = y_pred + true * (self.with_margin(y_pred) - y_pred)
        return ops.sparse_categorical_crossentropy(labels, self.scale * cosines, from_logits=True)

    def get_config(self):
        return super().get_config() | {"margin": self.margin, "scale": self.scale}


@keras.saving.register_keras_serializable(package="kerazoo")
class ArcFace(_Margin):
    """Additive angular margin (Deng et al., 2018, https://arxiv.org/abs/1801.07698).

    The angle to the true centre counts as larger by `margin`. Where that would pass half a turn the cosine falls on
    in a straight line, as in insightface, so that it never rises again.

    Args:
        margin: radians; the paper's is 0.5.
        scale: of the cosines, before the softmax.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B,), integers; cosines (B, classes).

    Raises:
        ValueError: a negative margin, or a scale that is not positive.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.angular_margin import ArcFace
    >>> cosines = numpy.array([[0.8, 0.1]], "float32")
    >>> [round(float(ArcFace(margin, scale=4.0)(numpy.array([0]), cosines)), 3) for margin in (0.0, 0.5)]
    [0.059, 0.25]
    """

    def __init__(self, margin=0.5, scale=64.0, name="arcface", **options):
        super().__init__(margin, scale, name, **options)

    def with_margin(self, cosines):
        """The cosines of larger angles."""
        # The sine's slope is infinite where the cosine is one.
        cosines = ops.clip(cosines, -1 + 1e-6, 1 - 1e-6)
        moved = cosines * math.cos(self.margin) - ops.sqrt(1 - ops.square(cosines)) * math.sin(self.margin)
        beyond = cosines - np.float32(math.sin(self.margin) * self.margin)
        return ops.where(cosines > -math.cos(self.margin), moved, beyond)


@keras.saving.register_keras_serializable(package="kerazoo")
class CosFace(_Margin):
    """Additive cosine margin (Wang et al., 2018, https://arxiv.org/abs/1801.09414).

    Args:
        margin: taken from the cosine of the true centre; the paper's is 0.35, insightface's 0.4.
        scale: of the cosines, before the softmax.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B,), integers; cosines (B, classes).

    Raises:
        ValueError: a negative margin, or a scale that is not positive.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.angular_margin import CosFace
    >>> cosines = numpy.array([[0.8, 0.1]], "float32")
    >>> round(float(CosFace(0.35, scale=4.0)(numpy.array([0]), cosines)), 3)
    0.22
    """

    def __init__(self, margin=0.35, scale=64.0, name="cosface", **options):
        super().__init__(margin, scale, name, **options)

    def with_margin(self, cosines):
        """The cosines, less the margin."""
        return cosines - self.margin
