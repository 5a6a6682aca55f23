"""Faces in a photograph: MTCNN's three networks after one another (Zhang et al., 2016).

The rules are those of the package mtcnn 1.0.0, so that its weights find the same boxes. Where that departs from the
paper: of boxes that overlap, one goes for any better one, also for one that goes itself.
"""

from dataclasses import dataclass

import numpy as np

import kerazoo

WINDOW, STRIDE = 12, 2  # Of the proposal network, in pixels of its image.
SHRINK = 0.709  # From one size of the photograph to the next: half the area.
OUTSIDE = 127.5  # What a window sees beyond the photograph; zero, for the networks.
MOST = 512  # Windows looked at in one go.


@dataclass(frozen=True)
class DetectedFace:
    """One face.

    Attributes:
        box: (4,), left, top, right, bottom in pixels, within the photograph.
        score: probability that it is a face.
        landmarks: (5, 2), (x, y) of eye and eye, nose, the mouth's corner and corner, the image's left first.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray


class FaceDetector:
    """Finds the faces of a photograph, with five landmarks each.

    Args:
        weights: a tag or three files for `kerazoo.build`'s `weights`: of the proposal, refinement and output network.
        smallest: side of the smallest face, in pixels.
        thresholds: of the three networks' probabilities.

    Raises:
        FileNotFoundError: the weights are not on this machine; the message has the line that installs them.
        ImportError: without lz4, which reads the tag's files.
        ValueError: sizes or thresholds that make no sense.

    Example:

    >>> from kerazoo.faces.detector import FaceDetector
    >>> FaceDetector().detect(photograph)[0].box.round()  # doctest: +SKIP
    array([177.,  65., 272., 185.])
    """

    def __init__(self, weights="mtcnn", *, smallest=20, thresholds=(0.6, 0.7, 0.8)):
        if smallest < WINDOW or len(thresholds) != 3 or not all(0 < value < 1 for value in thresholds):
            raise ValueError(
                f"`smallest` must be at least {WINDOW}, `thresholds` three numbers between 0 and 1. "
                f"Received: {smallest!r} and {thresholds!r}."
            )
        files = [weights] * 3 if isinstance(weights, str) else list(weights)
        names = ("mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet")
        self.smallest, self.thresholds = smallest, thresholds
        self._propose, self._refine, self._output = (
            _compiled(kerazoo.build(name, weights=file)) for name, file in zip(names, files, strict=True)
        )

    def detect(self, image):
        """The faces, surest first.

        Args:
            image: (H, W, 3), RGB pixels in [0, 255].

        Returns:
            A list of `DetectedFace`; empty where there is none.

        Raises:
            ValueError: no RGB image.
        """
        image = np.asarray(image, "float32")
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"`image` must be (H, W, 3). Received: {image.shape}.")
        boxes, scores = self._proposals(image)
        if not len(boxes):
            return []
        found = self._windows(self._refine, image, boxes, 24)
        boxes, scores = _adjusted(boxes, found["box"]), found["face"]
        kept = np.flatnonzero(scores > self.thresholds[1])
        kept = kept[_apart(boxes[kept], scores[kept], 0.7)]
        if not len(kept):
            return []
        boxes = _square(boxes[kept])
        found = self._windows(self._output, image, boxes, 48)
        sizes = boxes[:, 2:] - boxes[:, :2] + 1
        landmarks = found["landmarks"].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = landmarks * sizes[:, None] + boxes[:, None, :2] - 1
        boxes, scores = _adjusted(boxes, found["box"]), found["face"]
        kept = np.flatnonzero(scores > self.thresholds[2])
        kept = kept[_apart(boxes[kept], scores[kept], 0.7, smaller=True)]
        edge = np.array([image.shape[1], image.shape[0]] * 2) - 1
        return [DetectedFace(np.clip(boxes[i], 0, edge), float(scores[i]), landmarks[i]) for i in kept]

    def _proposals(self, image):
        """Square windows that may hold a face: (n, 4) and (n,)."""
        import tensorflow as tf

        all_boxes, all_scores = [np.zeros((0, 4))], [np.zeros(0, "float32")]
        scale = WINDOW / self.smallest
        while min(image.shape[:2]) * scale >= WINDOW:
            size = [int(side * scale) for side in image.shape[:2]]
            found = self._propose(tf.image.resize(image[None], size, method="area"))
            rows, columns = np.nonzero(found["face"][0] > self.thresholds[0])
            scores, offsets = found["face"][0, rows, columns], found["box"][0, rows, columns]
            # A window begins at pixel one, as the networks' authors count.
            corners = np.stack([columns, rows, columns, rows], axis=1) * STRIDE + [1, 1, WINDOW, WINDOW]
            boxes = (corners + offsets * (WINDOW - 1)) / scale
            kept = _apart(boxes, scores, 0.5)
            all_boxes.append(boxes[kept])
            all_scores.append(scores[kept])
            scale *= SHRINK
        boxes, scores = np.concatenate(all_boxes), np.concatenate(all_scores)
        kept = _apart(boxes, scores, 0.7)
        return _square(boxes[kept]), scores[kept]

    def _windows(self, network, image, boxes, side):
        """What a network answers to windows of the photograph, resized to its side."""
        import tensorflow as tf

        height, width = image.shape[:2]
        places = (boxes[:, [1, 0, 3, 2]] / [height, width, height, width]).astype("float32")
        parts = []
        for start in range(0, len(places), MOST):
            part = places[start : start + MOST]
            first = np.zeros(len(part), "int32")
            windows = tf.image.crop_and_resize(image[None], part, first, (side, side), extrapolation_value=OUTSIDE)
            parts.append(network(windows))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _compiled(model):
    """The model's inference as one function, compiled for any size."""
    import tensorflow as tf

    specification = tf.TensorSpec([None, *model.input_shape[1:]], "float32")
    run = tf.function(lambda x: model(x, training=False), input_signature=[specification])
    return lambda images: {name: value.numpy() for name, value in run(images).items()}


def _adjusted(boxes, offsets):
    """Boxes with their four sides moved, in parts of the box: (n, 4)."""
    width, height = (boxes[:, 2:] - boxes[:, :2] + 1).T
    return boxes + offsets * np.stack([width, height, width, height], axis=1)


def _square(boxes):
    """The least squares around the boxes' middles that are as wide and as high: (n, 4)."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    side = sizes.max(axis=1, keepdims=True, initial=0)
    start = boxes[:, :2] + sizes / 2 - side / 2
    return np.concatenate([start, start + side], axis=1)


def _apart(boxes, scores, limit, *, smaller=False):
    """Positions of the boxes that no better one overlaps by more than `limit`, surest first.

    Args:
        boxes: (n, 4).
        scores: (n,).
        limit: of the overlap in parts of the union, or of the smaller box.
        smaller: which of the two.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept = []
    for place, box in enumerate(boxes):  # Row by row: all pairs at once would take memory by the square.
        start, end = np.maximum(boxes[:place, :2], box[:2]), np.minimum(boxes[:place, 2:], box[2:])
        shared = np.prod(np.maximum(end - start, 0), axis=1)
        whole = np.minimum(areas[:place], areas[place]) if smaller else areas[:place] + areas[place] - shared
        if not (shared > limit * whole).any():
            kept.append(order[place])
    return np.array(kept, int)
