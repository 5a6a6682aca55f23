"""Non-maximum suppression inside the graph: sizes are fixed, so that every export can hold it."""

import keras
from keras import ops

from kerazoo.layers.boxes import areas, intersections


@keras.saving.register_keras_serializable(package="kerazoo")
class NonMaximumSuppression(keras.layers.Layer):
    """Of boxes of one class that overlap keeps the one with the highest score, and so on down the scores.

    The same boxes as the greedy loop over sorted boxes gives. Instead of box by box, all are decided at once, again
    and again, until nothing changes: as often as the longest chain of boxes that depend on each other, a few times.

    Args:
        score_threshold: boxes of a class that score no more are none.
        iou_threshold: a box goes if its intersection over union with a better one of its class is larger.
        max_detections: boxes in the answer.
        candidates: the boxes, over all classes, with the highest scores, that are looked at; the work grows with
            its square.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: boxes (B, N, 4), [left, top, right, bottom], and scores (B, N, classes), in [0, 1]
        -> {"boxes": (B, max_detections, 4), "scores": (B, max_detections), "classes": (B, max_detections), int32},
        best first; what is left over has boxes and scores of 0 and the class -1.

    Raises:
        ValueError: a threshold outside [0, 1], or a size that is no positive integer.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.non_maximum_suppression import NonMaximumSuppression
    >>> boxes = numpy.array([[[0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 30, 10]]], "float32")
    >>> scores = numpy.array([[[0.9], [0.8], [0.7]]], "float32")
    >>> kept = NonMaximumSuppression(max_detections=3)(boxes, scores)
    >>> kept["classes"].numpy().tolist(), kept["boxes"].numpy()[0, :, 0].tolist()
    ([[0, 0, -1]], [0.0, 20.0, 0.0])
    """

    def __init__(self, score_threshold=0.25, iou_threshold=0.5, max_detections=100, candidates=400, **options):
        super().__init__(**options)
        for name, threshold in (("score_threshold", score_threshold), ("iou_threshold", iou_threshold)):
            if not 0 <= threshold <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]. Received: {threshold!r}.")
        for name, size in (("max_detections", max_detections), ("candidates", candidates)):
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"`{name}` must be a positive integer. Received: {size!r}.")
        self.score_threshold, self.iou_threshold = score_threshold, iou_threshold
        self.max_detections, self.candidates = max_detections, candidates

    def call(self, boxes, scores):
        count, classes = scores.shape[1:]
        looked_at = min(self.candidates, count * classes)
        scores, places = ops.top_k(ops.reshape(scores, (-1, count * classes)), looked_at)
        places = ops.cast(places, "int32")
        owners = places // classes
        labels = places - owners * classes
        boxes = ops.take_along_axis(boxes, owners[..., None], axis=1)
        kept = self._kept(boxes, labels, scores > self.score_threshold)
        shown = min(self.max_detections, looked_at)
        scores, places = ops.top_k(ops.where(kept, scores, -1.0), shown)
        boxes = ops.take_along_axis(boxes, places[..., None], axis=1)
        labels = ops.take_along_axis(labels, places, axis=1)
        real, rest = scores >= 0, self.max_detections - shown
        return {
            "boxes": ops.pad(ops.where(real[..., None], boxes, 0.0), ((0, 0), (0, rest), (0, 0))),
            "scores": ops.pad(ops.where(real, scores, 0.0), ((0, 0), (0, rest))),
            "classes": ops.pad(ops.where(real, labels, -1), ((0, 0), (0, rest)), constant_values=-1),
        }

    def _kept(self, boxes, labels, real):
        """Which of the boxes, best first, (B, K, 4), stay, (B, K)."""
        one, other = boxes[:, :, None], boxes[:, None]
        common = intersections(one, other)
        overlap = common > self.iou_threshold * (areas(one) + areas(other) - common)
        size = boxes.shape[1]
        better = ops.arange(size)[:, None] < ops.arange(size)
        rivals = ops.cast(overlap & (labels[:, :, None] == labels[:, None]) & better, "float32")
        real = ops.cast(real, "float32")

        def again(before, now):
            beaten = ops.squeeze(ops.matmul(now[:, None], rivals), axis=1)  # By how many of those still there.
            return now, real * ops.cast(beaten < 0.5, "float32")

        # The first box is decided at once, each further one when those before it are: this ends.
        _, kept = ops.while_loop(
            lambda before, now: ops.any(ops.not_equal(before, now)), again, again(ops.zeros_like(real) - 1.0, real)
        )
        return kept > 0.5

    def get_config(self):
        return super().get_config() | {
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
            "max_detections": self.max_detections,
            "candidates": self.candidates,
        }
