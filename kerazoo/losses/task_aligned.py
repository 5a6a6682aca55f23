"""The loss of a detector whose classes and boxes are to agree on which points answer."""

import keras
from keras import ops

from kerazoo.layers.grid_heads import boxes_of
from kerazoo.losses.ciou import complete_iou
from kerazoo.losses.distribution_focal import DistributionFocal
from kerazoo.losses.focal import sigmoid_entropy
from kerazoo.losses.matching import padded
from kerazoo.losses.task_alignment import align


@keras.saving.register_keras_serializable(package="kerazoo")
class TaskAligned(keras.losses.Loss):
    """Loss of `GridHeads`: binary cross-entropy of classes, complete IoU and distribution focal loss of boxes.

    Points are given to objects by `kerazoo.losses.task_alignment.align` (Feng et al., 2021,
    https://arxiv.org/abs/2108.07755). All three are divided by the sum of the scores to reach in the batch, so that
    it does not matter how many objects there are.

    Args:
        box: weight of complete IoU.
        classes: weight of the cross-entropy.
        distribution: weight of the distribution focal loss.
        alpha, beta: of the alignment: weights of score and overlap.
        most: points an object has.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: {"boxes": (B, M, 4) in pixels, "classes": (B, M), -1 where there is none} and the heads' answer with their
        geometry, {"boxes": (B, N, 4 * bins), "classes": (B, N, C), "points": (N, 2), "strides": (N,)} -> (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.grid_heads import GridHeads
    >>> from kerazoo.losses.task_aligned import TaskAligned
    >>> raw = {"boxes": numpy.zeros((1, 1, 12), "float32"), "classes": numpy.zeros((1, 1, 1), "float32")}
    >>> truth = {"boxes": numpy.array([[[-4.0, -4.0, 12.0, 12.0]]]), "classes": numpy.array([[0]])}
    >>> float(TaskAligned(box=1.0, classes=0.0, distribution=0.0)(truth, raw | GridHeads((8, 8), (8,)).geometry()))
    0.0
    """

    divides_by_batch = True  # Under several replicas each divides by the objects of its own share of the batch.

    def __init__(
        self, box=7.5, classes=0.5, distribution=1.5, alpha=0.5, beta=6.0, most=10, name="task_aligned", **options
    ):
        super().__init__(name=name, **options)
        self.box, self.classes, self.distribution = box, classes, distribution
        self.alpha, self.beta, self.most = alpha, beta, most

    def call(self, y_true, y_pred):
        points, strides, logits = y_pred["points"], y_pred["strides"], y_pred["classes"]
        predicted = boxes_of(y_pred["boxes"], points, strides)
        boxes, scores = align(
            *padded(y_true),
            ops.stop_gradient(predicted),
            ops.stop_gradient(ops.sigmoid(logits)),
            points,
            alpha=self.alpha,
            beta=self.beta,
            most=self.most,
        )
        weights = ops.sum(scores, axis=-1)
        # The mean over the batch follows: the examples' losses must sum to the batch's.
        shared = ops.cast(ops.shape(weights)[0], weights.dtype) / ops.maximum(ops.sum(weights), 1.0)
        away = 1.0 - complete_iou(boxes, predicted)
        spread = ops.mean(self._distribution_losses(boxes, y_pred), axis=-1)
        boxes_off = ops.sum((self.box * away + self.distribution * spread) * weights, axis=1)
        return shared * (self.classes * ops.sum(sigmoid_entropy(scores, logits), axis=(1, 2)) + boxes_off)

    def _distribution_losses(self, boxes, y_pred):
        """(B, N, 4): of each distance, in cells, to the sides of a point's box."""
        points, strides, logits = y_pred["points"], y_pred["strides"], y_pred["boxes"]
        distances = ops.concatenate([points - boxes[..., :2], boxes[..., 2:] - points], axis=-1) / strides[:, None]
        logits = ops.reshape(logits, (-1, logits.shape[1], 4, logits.shape[2] // 4))
        return DistributionFocal().call(distances, logits)

    def get_config(self):
        return super().get_config() | {
            "box": self.box,
            "classes": self.classes,
            "distribution": self.distribution,
            "alpha": self.alpha,
            "beta": self.beta,
            "most": self.most,
        }
