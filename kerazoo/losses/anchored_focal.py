"""RetinaNet's loss."""

import keras
from keras import ops

from kerazoo.layers.anchor_heads import encoded
from kerazoo.losses.focal import focal
from kerazoo.losses.matching import match, padded


@keras.saving.register_keras_serializable(package="kerazoo")
class AnchoredFocal(keras.losses.Loss):
    """Loss of `AnchorHeads`: focal loss of classes, absolute error of boxes (Lin et al., 2017,
    https://arxiv.org/abs/1708.02002), divided by the anchors that have an object, image by image.

    Args:
        alpha, gamma: of the focal loss.
        low, high: overlaps below which an anchor is background, and from which on it has an object.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: {"boxes": (B, M, 4) in pixels, "classes": (B, M), -1 where there is none} and the heads' answer with their
        geometry, {"boxes": (B, N, 4), "classes": (B, N, C), "anchors": (N, 4), "weights": (4,)} -> (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.anchored_focal import AnchoredFocal
    >>> raw = {"boxes": numpy.full((1, 1, 4), 0.5, "float32"), "classes": numpy.full((1, 1, 1), 99, "float32")}
    >>> square = numpy.array([[0.0, 0.0, 8.0, 8.0]], "float32")
    >>> truth = {"boxes": square[None], "classes": numpy.array([[0]])}
    >>> float(AnchoredFocal()(truth, raw | {"anchors": square, "weights": numpy.ones(4, "float32")}))
    2.0
    """

    def __init__(self, alpha=0.25, gamma=2.0, low=0.4, high=0.5, name="anchored_focal", **options):
        super().__init__(name=name, **options)
        self.alpha, self.gamma, self.low, self.high = alpha, gamma, low, high

    def call(self, y_true, y_pred):
        (boxes, classes), anchors = padded(y_true), y_pred["anchors"]
        shares, background = match(boxes, classes, anchors, low=self.low, high=self.high, claim=False)
        belongs = ops.sum(shares, axis=-1)
        # Anchors without an object are compared with themselves, and their difference left out.
        boxes = ops.where(belongs[..., None] > 0, ops.matmul(shares, boxes), anchors)
        away = ops.abs(y_pred["boxes"] - encoded(boxes, anchors, y_pred["weights"]))
        truth = ops.matmul(shares, ops.one_hot(classes, y_pred["classes"].shape[-1], dtype=shares.dtype))
        wrong = ops.sum(focal(truth, y_pred["classes"], alpha=self.alpha, gamma=self.gamma), axis=-1)
        counted = belongs + ops.cast(background, belongs.dtype)
        total = ops.sum(wrong * counted + ops.sum(away, axis=-1) * belongs, axis=1)
        return total / ops.maximum(ops.sum(belongs, axis=1), 1.0)

    def get_config(self):
        return super().get_config() | {"alpha": self.alpha, "gamma": self.gamma, "low": self.low, "high": self.high}
