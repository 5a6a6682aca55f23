"""Whether a file of a detector with suppression (`kerazoo.decoding.with_boxes`) finds what the model finds.

Which of two nearly equal boxes stays is decided by the last digits of their scores, and an untrained detector has few
others. So a file's boxes are held against all boxes that the model's raw heads give: each must be one of them, and
together they must be what suppression may choose where scores and overlaps are known to the tolerance only. Where no
box scores above the threshold, `kerazoo.exporters.writing` compares a file of what comes before suppression.
"""

import keras
import numpy as np

from kerazoo.exporters import parity
from kerazoo.layers.non_maximum_suppression import NonMaximumSuppression
from kerazoo.layers.original_pixels import OriginalPixels


def suppresses(model):
    """Whether a model's boxes go through kerazoo's suppression."""
    return _layer(model, NonMaximumSuppression) is not None


class Detector:
    """A model whose boxes go through kerazoo's suppression, taken apart.

    Args:
        model: as `kerazoo.decoding.with_boxes` gives it.

    Attributes:
        heads: a `keras.Model` of the same weights from images to all boxes before suppression: {"boxes": (B, N, 4),
            "scores": (B, N, classes)}.
    """

    def __init__(self, model):
        self.suppression, self.original = _layer(model, NonMaximumSuppression), _layer(model, OriginalPixels)
        boxes, scores = self.suppression.input
        image = model.input["image"] if self.original else model.input
        self.heads = keras.Model(image, {"boxes": boxes, "scores": scores}, name=f"{model.name}_heads")

    def inputs(self, inputs):
        """What the heads take of {name: array} for the model."""
        return {name: value for name, value in inputs.items() if name != "sizes" or not self.original}

    def compare(self, received, heads, inputs, kind):
        """A `parity.Parity` of a file's boxes.

        Args:
            received: {"boxes", "scores", "classes"} of the file.
            heads: {"boxes", "scores"} of `self.heads`.
            inputs: {name: array} that the file was given.
            kind: (format, quantization), a key of `parity.TOLERANCES`.
        """
        if any(not np.isfinite(value).all() for value in received.values()):
            return parity.Parity(np.inf, None, "an output is not finite")
        shown = np.asarray(self.original(heads["boxes"], inputs["sizes"])) if self.original else heads["boxes"]
        margins = {
            "boxes": parity.TOLERANCES[kind] * max(np.abs(heads["boxes"]).max(), parity.TINY),
            "shown": parity.TOLERANCES[kind] * max(np.abs(shown).max(), parity.TINY),
            "scores": parity.TOLERANCES[kind] * max(heads["scores"].max(), parity.TINY),
        }
        errors = []
        for image, classes in enumerate(received["classes"]):
            found = [received[name][image][classes >= 0] for name in ("boxes", "scores", "classes")]
            every = heads["boxes"][image], shown[image], heads["scores"][image]
            errors += [error * parity.TOLERANCES[kind] for error in self._errors(found, every, margins)]
        return parity.of_boxes(np.minimum(errors, parity.OTHER_BOX).tolist(), 1.0, kind)

    def _errors(self, found, every, margins):
        """Of each box that was found and each that is missing, in tolerances: infinite for one that must not be so."""
        (places, values, classes), (boxes, shown, scores) = found, every
        low, sure = self._thresholds(values, scores, margins["scores"])
        taken, errors = np.zeros(scores.shape, bool), []
        chosen = np.zeros((0, 4), boxes.dtype)
        for place, value, label in zip(places, values, classes):
            distance = np.maximum(
                np.abs(shown - place).max(axis=-1) / margins["shown"],
                np.abs(scores[:, label] - value) / margins["scores"],
            )
            distance[taken[:, label]] = np.inf
            best = distance.argmin()
            rivals = self._overlapping(boxes[best], chosen, margins["boxes"], surely=True)
            suppressed = (rivals & (classes[: len(chosen)] == label)).any()
            errors.append(np.inf if suppressed or scores[best, label] < low else distance[best])
            taken[best, label] = True
            chosen = np.concatenate([chosen, boxes[best : best + 1]])
        for box, label in np.argwhere(~taken & (scores > sure)):
            better = (classes == label) & (values >= scores[box, label] - margins["scores"])
            if not (better & self._overlapping(boxes[box], chosen, margins["boxes"], surely=False)).any():
                errors.append(np.inf)
        return errors

    def _thresholds(self, values, scores, margin):
        """Scores that a box must have at least to be found, and above which it must be found or suppressed."""
        low = high = self.suppression.score_threshold
        if scores.size > self.suppression.candidates:
            last = np.partition(scores, -self.suppression.candidates, axis=None)[-self.suppression.candidates]
            low, high = max(low, last), max(high, last)
        if len(values) == self.suppression.max_detections:
            high = max(high, values.min())
        return low - margin, high + margin

    def _overlapping(self, box, others, margin, *, surely):
        """Which boxes (N, 4) overlap with one by more than the threshold: surely, or possibly."""
        sides = np.maximum(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0)
        common = sides.prod(axis=-1)
        union = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=-1) - common
        # Every side moves by two margins at most, and an area with it.
        perimeter = (box[2:] - box[:2]).sum() + (others[:, 2:] - others[:, :2]).sum(axis=-1)
        slack = (2 * margin * perimeter + 8 * margin**2) * (-1 if surely else 1)
        return common + slack > self.suppression.iou_threshold * (union - slack)


def _layer(model, kind):
    return next((layer for layer in getattr(model, "layers", ()) if isinstance(layer, kind)), None)
