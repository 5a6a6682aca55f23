"""What an anchor-free detector answers: at each point of its grids, distances to a box's sides, and classes."""

import keras
import numpy as np
from keras import ops

from kerazoo.layers.boxes import clipped


@keras.saving.register_keras_serializable(package="kerazoo")
class GridHeads(keras.layers.Layer):
    """Joins the maps of all sizes into one list of points, and reads boxes out of it (Li et al., 2020,
    https://arxiv.org/abs/2006.04388).

    A point is the middle of a cell. Each of its distances, to the left, top, right and bottom of a box, is a
    distribution over 0, 1, ... cells, whose mean counts.

    Args:
        image_shape: (H, W) in pixels.
        strides: pixels from cell to cell, of each size of maps; they divide H and W.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: {"boxes": one (B, H / stride, W / stride, 4 * bins) for each stride, "classes": likewise, (..., classes)}
        -> {"boxes": (B, points, 4 * bins), "classes": (B, points, classes)}, logits, float32.

    Raises:
        ValueError: sides that are no multiples of a stride.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.grid_heads import GridHeads
    >>> heads = GridHeads((16, 16), strides=(8, 16))
    >>> heads.geometry()["points"].tolist()
    [[4.0, 4.0], [12.0, 4.0], [4.0, 12.0], [12.0, 12.0], [8.0, 8.0]]
    """

    def __init__(self, image_shape, strides, **options):
        super().__init__(**options)
        self.image_shape, self.strides = tuple(image_shape), tuple(strides)
        if any(side % stride for side in self.image_shape for stride in self.strides):
            raise ValueError(f"`strides` must divide {self.image_shape}. Received: {self.strides}.")

    def call(self, inputs):
        return {
            name: ops.concatenate(
                [ops.cast(ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3])), "float32") for x in maps], axis=1
            )
            for name, maps in inputs.items()
        }

    def geometry(self) -> dict:
        """{"points": (points, 2), x and y in pixels, "strides": (points,)}, float32: what a loss has to know."""
        points, strides = [], []
        for stride in self.strides:
            y, x = (np.arange(0.5, side // stride) * stride for side in self.image_shape)
            points.append(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
            strides.append(np.full(len(points[-1]), stride))
        return {
            "points": np.concatenate(points).astype("float32"),
            "strides": np.concatenate(strides).astype("float32"),
        }

    def decode(self, raw):
        """What `call` answers -> boxes in pixels, (B, points, 4), and scores, (B, points, classes)."""
        boxes = clipped(boxes_of(raw["boxes"], **self.geometry()), self.image_shape)
        return boxes, ops.sigmoid(raw["classes"])

    def get_config(self):
        return super().get_config() | {"image_shape": self.image_shape, "strides": self.strides}


def boxes_of(logits, points, strides):
    """Distributions of the four distances, (B, points, 4 * bins) -> [left, top, right, bottom], (B, points, 4)."""
    count, bins = logits.shape[-2], logits.shape[-1] // 4
    shares = ops.softmax(ops.reshape(logits, (-1, count, 4, bins)))
    distances = ops.sum(shares * np.arange(bins, dtype="float32"), axis=-1) * strides[:, None]
    return ops.concatenate([points - distances[..., :2], points + distances[..., 2:]], axis=-1)
