"""SSD's loss."""

import keras
from keras import ops

from kerazoo.layers.anchor_heads import encoded
from kerazoo.losses.matching import match, padded


@keras.saving.register_keras_serializable(package="kerazoo")
class MultiBox(keras.losses.Loss):
    """Loss of `AnchorHeads` with a background class: cross-entropy of classes, smooth absolute error of boxes (Liu et
    al., 2015, https://arxiv.org/abs/1512.02325), divided by the anchors of the batch that have an object.

    Of the anchors without an object only those count that are most mistaken, image by image.

    Args:
        ratio: anchors without an object for each one with.
        overlap: from this intersection over union on an anchor has an object.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: {"boxes": (B, M, 4) in pixels, "classes": (B, M), -1 where there is none} and the heads' answer with their
        geometry, {"boxes": (B, N, 4), "classes": (B, N, 1 + C), "anchors": (N, 4), "weights": (4,)} -> (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.multibox import MultiBox
    >>> raw = {"boxes": numpy.ones((1, 1, 4), "float32"), "classes": numpy.zeros((1, 1, 2), "float32")}
    >>> square = numpy.array([[0.0, 0.0, 8.0, 8.0]], "float32")
    >>> truth = {"boxes": square[None], "classes": numpy.array([[0]])}
    >>> round(float(MultiBox()(truth, raw | {"anchors": square, "weights": numpy.ones(4, "float32")})), 4)
    2.6931
    """

    divides_by_batch = True  # Under several replicas each divides by the objects of its own share of the batch.

    def __init__(self, ratio=3, overlap=0.5, name="multibox", **options):
        super().__init__(name=name, **options)
        self.ratio, self.overlap = ratio, overlap

    def call(self, y_true, y_pred):
        (boxes, classes), anchors = padded(y_true), y_pred["anchors"]
        logits = y_pred["classes"]
        shares, _ = match(boxes, classes, anchors, low=self.overlap, high=self.overlap, claim=True)
        belongs = ops.sum(shares, axis=-1)
        # Anchors without an object are compared with themselves, and their difference left out.
        boxes = ops.where(belongs[..., None] > 0, ops.matmul(shares, boxes), anchors)
        away = ops.abs(y_pred["boxes"] - encoded(boxes, anchors, y_pred["weights"]))
        near = ops.minimum(away, 1.0)
        boxes_off = ops.sum(near * (away - near / 2), axis=-1)
        objects = ops.matmul(shares, ops.one_hot(classes, logits.shape[-1] - 1, dtype=shares.dtype))
        truth = ops.concatenate([1.0 - belongs[..., None], objects], axis=-1)
        entropy = -ops.sum(truth * ops.log_softmax(logits), axis=-1)
        count = ops.sum(belongs, axis=1, keepdims=True)
        hardest = ops.top_k(entropy * (1.0 - belongs), entropy.shape[1])[0]
        counted = ops.cast(ops.arange(entropy.shape[1], dtype=count.dtype) < self.ratio * count, count.dtype)
        total = ops.sum((entropy + boxes_off) * belongs, axis=1) + ops.sum(hardest * counted, axis=1)
        # The mean over the batch follows: the examples' losses must sum to the batch's.
        return total * ops.cast(ops.shape(total)[0], total.dtype) / ops.maximum(ops.sum(count), 1.0)

    def get_config(self):
        return super().get_config() | {"ratio": self.ratio, "overlap": self.overlap}
