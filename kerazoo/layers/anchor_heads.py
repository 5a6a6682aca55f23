"""What a detector with anchors answers: for each anchor, how its box differs from it, and classes."""

import math

import keras
import numpy as np
from keras import ops

from kerazoo.layers.boxes import clipped, to_centres, to_corners

LARGEST = math.log(1000 / 16)  # A side grows by no more than this, lest its exponential overflows.


@keras.saving.register_keras_serializable(package="kerazoo")
class AnchorHeads(keras.layers.Layer):
    """Joins the maps of all sizes into one list of anchors, and reads boxes out of it (Ren et al., 2015,
    https://arxiv.org/abs/1506.01497).

    Args:
        image_shape: (H, W) in pixels.
        grids: (rows, columns) of each size of maps.
        steps: pixels from row to row and from column to column, of each.
        sizes: (width, height) in pixels of each anchor of a place, of each.
        offset: where in a cell its anchors have their middle: 0.5 in the middle, 0 in the corner.
        weights: by which differences of x, y, width and height are multiplied.
        background: whether the first of the classes is none at all, and one of all classes holds; else each
            class holds or not by itself.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: {"boxes": one (B, rows, columns, 4 * anchors) for each size, "classes": likewise, (..., classes * anchors)}
        -> {"boxes": (B, N, 4), "classes": (B, N, classes)}, float32.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.anchor_heads import AnchorHeads
    >>> heads = AnchorHeads((8, 16), grids=[(1, 2)], steps=[(8, 8)], sizes=[[(4, 4), (2, 8)]], offset=0.5)
    >>> heads.geometry()["anchors"].tolist()
    [[2.0, 2.0, 6.0, 6.0], [3.0, 0.0, 5.0, 8.0], [10.0, 2.0, 14.0, 6.0], [11.0, 0.0, 13.0, 8.0]]
    """

    def __init__(
        self, image_shape, grids, steps, sizes, offset=0.0, weights=(1.0, 1.0, 1.0, 1.0), background=False, **options
    ):
        super().__init__(**options)
        self.image_shape, self.grids, self.steps = tuple(image_shape), _tuples(grids), _tuples(steps)
        self.sizes, self.offset = tuple(_tuples(level) for level in sizes), offset
        # Layers own the name `weights`.
        self.coding_weights, self.background = tuple(weights), background

    def call(self, inputs):
        counts = [len(sizes) for sizes in self.sizes]
        return {
            name: ops.concatenate(
                [
                    ops.cast(ops.reshape(x, (-1, x.shape[1] * x.shape[2] * count, x.shape[3] // count)), "float32")
                    for x, count in zip(maps, counts)
                ],
                axis=1,
            )
            for name, maps in inputs.items()
        }

    def geometry(self) -> dict:
        """{"anchors": (N, 4), boxes in pixels, "weights": (4,)}, float32: what a loss has to know."""
        anchors = []
        for grid, step, sizes in zip(self.grids, self.steps, self.sizes):
            y, x = ((np.arange(count) + self.offset) * pixels for count, pixels in zip(grid, step))
            middles = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 1, 2)
            halves = np.array(sizes, "float64") / 2
            anchors.append(np.concatenate([middles - halves, middles + halves], axis=-1).reshape(-1, 4))
        weights = np.array(self.coding_weights, "float32")
        return {"anchors": np.concatenate(anchors).astype("float32"), "weights": weights}

    def decode(self, raw):
        """What `call` answers -> boxes in pixels, (B, N, 4), and scores, (B, N, classes without the background)."""
        boxes = clipped(decoded(raw["boxes"], **self.geometry()), self.image_shape)
        return boxes, ops.softmax(raw["classes"])[..., 1:] if self.background else ops.sigmoid(raw["classes"])

    def get_config(self):
        return super().get_config() | {
            "image_shape": self.image_shape,
            "grids": self.grids,
            "steps": self.steps,
            "sizes": self.sizes,
            "offset": self.offset,
            "weights": self.coding_weights,
            "background": self.background,
        }


def encoded(boxes, anchors, weights):
    """How boxes differ from anchors, (..., N, 4) and (N, 4) -> (..., N, 4): middles in sides of the anchor, sides in
    logarithms."""
    boxes, anchors = to_centres(boxes), to_centres(anchors)
    apart = (boxes[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    return ops.concatenate([apart, ops.log(boxes[..., 2:] / anchors[..., 2:])], axis=-1) * weights


def decoded(differences, anchors, weights):
    """The boxes that differ so from anchors, (..., N, 4) and (N, 4) -> (..., N, 4)."""
    differences, anchors = differences / weights, to_centres(anchors)
    middles = differences[..., :2] * anchors[..., 2:] + anchors[..., :2]
    sides = ops.exp(ops.minimum(differences[..., 2:], LARGEST)) * anchors[..., 2:]
    return to_corners(ops.concatenate([middles, sides], axis=-1))


def _tuples(pairs):
    return tuple(tuple(pair) for pair in pairs)
