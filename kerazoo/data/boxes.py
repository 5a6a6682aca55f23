"""Boxes: their formats, converted here and nowhere else; what lies outside; overlaps; letterboxes.

Inside kerazoo a box is "xyxy": left, top, right, bottom in pixels, from the outer edge of the first pixel to the outer
edge of the last one, so that a box of the whole image is (0, 0, width, height).
"""

from dataclasses import dataclass

import numpy as np

from kerazoo.registry import unknown_choice

# Format -> its four numbers. With "rel_" in front they are shares of the image's width and height.
FORMATS = {
    "xyxy": "left, top, right, bottom (Pascal VOC, kerazoo)",
    "yxyx": "top, left, bottom, right (tf.image, TFLite)",
    "xywh": "left, top, width, height (COCO)",
    "cxcywh": "the centre, width, height (YOLO, as shares)",
}
FORMATS |= {f"rel_{name}": f"{words}, as shares of width and height" for name, words in FORMATS.items()}


def convert(boxes, source, target, *, size=None):
    """Boxes of one format in another.

    Args:
        boxes: (..., 4), a numpy array, or a tensor, which stays one.
        source, target: keys of `FORMATS`.
        size: (height, width) of the image; needed between pixels and shares.

    Returns:
        (..., 4), floats; numpy arrays become float64.

    Raises:
        ValueError: an unknown format, boxes without four numbers, or a `size` that is missing.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.boxes import convert
    >>> convert(np.array([[10, 20, 30, 60]]), "xyxy", "rel_cxcywh", size=(100, 200)).tolist()
    [[0.1, 0.4, 0.1, 0.4]]
    """
    for name in (source, target):
        if name not in FORMATS:
            raise ValueError(unknown_choice("box format", name, FORMATS))
    if boxes.shape[-1] != 4:
        raise ValueError(f"Boxes must have four numbers each, (..., 4). Received: shape {tuple(boxes.shape)}.")
    relative = [name.startswith("rel_") for name in (source, target)]
    if relative[0] != relative[1] and size is None:
        raise ValueError(f"From {source!r} to {target!r} the image's `size` is needed. Received: None.")
    if isinstance(boxes, np.ndarray):
        boxes, stack = boxes.astype("float64"), np.stack
    else:
        from keras import ops

        boxes, stack = ops.convert_to_tensor(boxes), ops.stack
    a, b, c, d = (boxes[..., i] for i in range(4))
    kind, wanted = source.removeprefix("rel_"), target.removeprefix("rel_")
    if kind == "yxyx":
        a, b, c, d = b, a, d, c
    if relative[0] and not relative[1]:
        a, b, c, d = a * size[1], b * size[0], c * size[1], d * size[0]
    if kind == "xywh":
        c, d = a + c, b + d
    elif kind == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if wanted == "xywh":
        c, d = c - a, d - b
    elif wanted == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    if relative[1] and not relative[0]:
        a, b, c, d = a / size[1], b / size[0], c / size[1], d / size[0]
    if wanted == "yxyx":
        a, b, c, d = b, a, d, c
    return stack([a, b, c, d], axis=-1)


def clip(boxes, size):
    """The part of each box inside an image of `size`, (height, width): (..., 4) -> (..., 4), numpy."""
    return np.clip(boxes, 0, np.array([size[1], size[0], size[1], size[0]], boxes.dtype))


def area(boxes):
    """Pixels of each box, none where its corners are the wrong way round: (..., 4) -> (...), numpy."""
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1)


def intersection(first, second):
    """Pixels that each pair has in common: (N, 4) and (M, 4) -> (N, M), numpy."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=-1)


def overlap(first, second):
    """Intersection over union of each pair: (N, 4) and (M, 4) -> (N, M), numpy.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.boxes import overlap
    >>> overlap(np.array([[0.0, 0.0, 2.0, 1.0]]), np.array([[1.0, 0.0, 3.0, 1.0]])).round(3).tolist()
    [[0.333]]
    """
    common = intersection(first, second)
    union = area(first)[:, None] + area(second)[None] - common
    return common / np.maximum(union, 1e-12)


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies on a canvas of another shape: enlarged or reduced as one, centred, bars around.

    Attributes:
        image: (height, width) of the image.
        canvas: (height, width) of the canvas.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.boxes import Letterbox
    >>> place = Letterbox((480, 640), (320, 320))
    >>> place.inner, place.offset
    ((240, 320), (40, 0))
    >>> place.to_canvas(np.array([[0.0, 0.0, 640.0, 480.0]])).tolist()
    [[0.0, 40.0, 320.0, 280.0]]
    """

    image: tuple
    canvas: tuple

    @property
    def inner(self):
        """(height, width) of the image on the canvas."""
        scale = min(self.canvas[0] / self.image[0], self.canvas[1] / self.image[1])
        return tuple(max(round(side * scale), 1) for side in self.image)

    @property
    def offset(self):
        """(top, left) of the image on the canvas."""
        return tuple((outer - side) // 2 for outer, side in zip(self.canvas, self.inner))

    def to_canvas(self, boxes):
        """xyxy boxes in the image's pixels -> in the canvas's, (..., 4), numpy."""
        scale, shift = self._numbers()
        return boxes * scale + shift

    def to_image(self, boxes):
        """xyxy boxes in the canvas's pixels -> in the image's, what lies on the bars cut off, (..., 4), numpy."""
        scale, shift = self._numbers()
        return clip((boxes - shift) / scale, self.image)

    def _numbers(self):
        (height, width), (top, left) = self.inner, self.offset
        scale = np.array([width / self.image[1], height / self.image[0]] * 2, "float32")
        return scale, np.array([left, top] * 2, "float32")
