"""Random changes of training images that take their boxes along, in whole batches inside tf.data.

Keras's own layers take boxes too. Tried on a box painted into an image, Keras 3.15: RandomFlip, RandomTranslation and
RandomRotation move both alike, but also the padding of boxes; RandomZoom is off by up to half a pixel; RandomShear,
RandomPerspective and RandomCrop move the box elsewhere than the image; MixUp stacks the classes of both images along
the batch; CutMix takes no boxes, and keras-cv 0.9's Mosaic no batch of them. They draw by their own seed, in the order
in which parallel threads come to them. Here one resampling does all geometry, and equal seeds draw equally.
"""

import numpy as np
import tensorflow as tf

from kerazoo.registry import unknown_choice

# Name -> what it does; the order is the order of application.
AUGMENTATIONS = {
    "flip": "mirrors half of the images, left to right",
    "flip_vertical": "mirrors half of the images, top to bottom",
    "mosaic": "lays four images together and cuts a window out (Bochkovskiy et al., 2020)",
    "affine": "enlarges or reduces by up to half, and moves by up to a tenth of the side",
    "rotate": "turns by up to 15 degrees; boxes become the upright boxes around the turned ones",
    "copy_paste": "pastes up to three boxes of another image at their place (after Ghiasi et al., 2020)",
    "colour": "turns the hue by up to 5 degrees, changes saturation by up to half and brightness by up to a third",
    "mixup": "blends two images, with the boxes of both (Zhang et al., 2019, https://arxiv.org/abs/1902.04103)",
}
FILL = 128.0
MOSAIC_SCALE, AFFINE_SCALE = (0.5, 1.25), (0.6, 1.5)
SHIFT, TURN = 0.1, np.pi / 12
# What a changed box must keep to stay: the share of its area inside the image, and pixels of its shorter side.
VISIBLE, SMALLEST = 0.3, 3.0
MIXUP_SHARE = 0.25  # Of the images.
PASTED, COVERED = 3, 0.5
HUE, SATURATION, BRIGHTNESS = np.pi / 36, 0.5, 0.33
# Brightness and the two axes of colour of NTSC television: there hue is an angle, saturation a length.
TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], "float32")
FROM_YIQ = np.linalg.inv(TO_YIQ).astype("float32")


class Augmentation:
    """Several augmentations as one function from positions of images to a batch, for `tf.data.Dataset.map`.

    Args:
        names: out of `AUGMENTATIONS`.
        images: `kerazoo.data.detection_pipeline.Letterboxes`.
        max_boxes: boxes of an image; None leaves room for all of the fullest images of a mosaic and a mixture.
        mosaic: a `tf.Variable`, bool, that switches "mosaic" off and on; None leaves it on.
        seed: of the draws. They follow from the seed and the members of a batch, in whatever order batches are made.

    Raises:
        ValueError: an unknown name.
    """

    def __init__(self, names, images, *, max_boxes=None, mosaic=None, seed=0):
        for name in names:
            if name not in AUGMENTATIONS:
                raise ValueError(unknown_choice("augmentation of boxes", name, AUGMENTATIONS))
        self.names, self.images, self.seed = tuple(names), images, seed
        self.boxes, self.classes = tf.constant(images.boxes), tf.constant(images.classes)
        self.mosaic = mosaic if "mosaic" in names else None
        room = images.boxes.shape[1] * (4 if "mosaic" in names else 1) * (2 if "mixup" in names else 1)
        self.max_boxes = max_boxes or room + PASTED * ("copy_paste" in names)

    def __call__(self, index):
        """Positions, int64 (B,) -> (float32 pixels (B, H, W, 3), {"boxes": (B, M, 4), "classes": (B, M)})."""
        # Every epoch deals other batches: their members seed the draws.
        members = tf.reduce_sum(index * tf.range(1, tf.size(index, tf.int64) + 1)) + self.seed * len(self.images)
        if "mosaic" not in self.names:
            pixels, boxes, classes = self._alone(index, members)
        elif self.mosaic is None:
            pixels, boxes, classes = self._mosaic(index, members)
        else:
            most = 4 * self.images.boxes.shape[1]  # Both branches have as many boxes.

            def alone():
                pixels, boxes, classes = self._alone(index, members)
                return pixels, *largest_first(boxes, classes, most)

            pixels, boxes, classes = tf.cond(self.mosaic, lambda: self._mosaic(index, members), alone)
            pixels = tf.ensure_shape(pixels, (None, *self.images.size, 3))
            boxes, classes = tf.ensure_shape(boxes, (None, most, 4)), tf.ensure_shape(classes, (None, most))
        if "copy_paste" in self.names:
            pixels, boxes, classes = copy_paste(pixels, boxes, classes, seed=(members, 20))
        if "colour" in self.names:
            pixels = colour(pixels, seed=(members, 30))
        if "mixup" in self.names:
            pixels, boxes, classes = mixup(pixels, boxes, classes, seed=(members, 40))
        boxes, classes = largest_first(boxes, classes, self.max_boxes)
        return tf.ensure_shape(pixels, (None, *self.images.size, 3)), {"boxes": boxes, "classes": classes}

    def _load(self, index, members):
        """Images at positions (n,), each mirrored or not: pixels, boxes, classes."""
        pixels = tf.ensure_shape(self.images.load(index), (None, *self.images.size, 3))
        boxes, classes = tf.gather(self.boxes, index), tf.gather(self.classes, index)
        for axis, name in ((2, "flip"), (1, "flip_vertical")):
            if name in self.names:
                pixels, boxes = flip(pixels, boxes, axis=axis, seed=(members, axis))
        return pixels, boxes, classes

    def _alone(self, index, members):
        """The images as they are, warped where that was asked for."""
        pixels, boxes, classes = self._load(index, members)
        scale, shift = (AFFINE_SCALE, SHIFT) if "affine" in self.names else ((1.0, 1.0), 0.0)
        if not {"affine", "rotate"} & set(self.names):
            classes = tf.where(_sides(boxes) >= SMALLEST, classes, -1)
            return tf.cast(pixels, "float32"), _padded(boxes, classes), classes
        matrix = self._matrices(pixels, scale, (shift, shift), members)
        return warp(pixels, boxes, classes, matrix, size=self.images.size)

    def _mosaic(self, index, members):
        """Four images in a square, of which a window as large as one of them is taken."""
        count, (height, width) = tf.shape(index)[0], self.images.size
        others = tf.random.stateless_uniform((count, 3), (members, 10), 0, len(self.images), "int64")
        four = tf.reshape(tf.concat([index[:, None], others], axis=1), (-1,))
        pixels, boxes, classes = self._load(four, members)
        pixels = tf.reshape(pixels, (-1, 2, 2, height, width, 3))
        pixels = tf.reshape(tf.transpose(pixels, (0, 1, 3, 2, 4, 5)), (-1, 2 * height, 2 * width, 3))
        corner = tf.constant([[0, 0] * 2, [width, 0] * 2, [0, height] * 2, [width, height] * 2], "float32")
        boxes = tf.reshape(boxes, (-1, 4, boxes.shape[1], 4)) + corner[:, None]
        boxes, classes = tf.reshape(boxes, (count, -1, 4)), tf.reshape(classes, (count, -1))
        # The window's centre: near the middle, where the four meet.
        matrix = self._matrices(pixels, MOSAIC_SCALE, (0.25, 0.25), members)
        return warp(pixels, boxes, classes, matrix, size=self.images.size)

    def _matrices(self, pixels, scale, shift, members):
        """(B, 2, 3): from places in the window to places in the images, by random scale, shift and turn."""
        count, draw = tf.shape(pixels)[0], tf.random.stateless_uniform
        source = tf.constant([pixels.shape[2], pixels.shape[1]], "float32")
        window = tf.constant(self.images.size[::-1], "float32")
        factor = draw((count,), (members, 11), *scale) if scale[0] < scale[1] else tf.ones((count,))
        angle = draw((count,), (members, 12), -TURN, TURN) * float("rotate" in self.names)
        centre = source * (0.5 + draw((count, 2), (members, 13), -1.0, 1.0) * shift)
        cos, sin = tf.cos(angle) / factor, tf.sin(angle) / factor
        turn = tf.reshape(tf.stack([cos, -sin, sin, cos], axis=-1), (-1, 2, 2))
        move = centre - tf.linalg.matvec(turn, window / 2)
        return tf.concat([turn, move[..., None]], axis=-1)


def flip(pixels, boxes, *, axis, seed):
    """Mirrors half of the batch along an axis of (B, H, W, C): 2 left to right, 1 top to bottom."""
    side = float(pixels.shape[axis])
    chosen = tf.random.stateless_uniform((tf.shape(pixels)[0],), seed) < 0.5
    low, high = (0, 2) if axis == 2 else (1, 3)
    columns = list(tf.unstack(boxes, axis=-1))
    columns[low], columns[high] = side - columns[high], side - columns[low]
    mirrored = tf.stack(columns, axis=-1)
    pixels = tf.where(chosen[:, None, None, None], tf.reverse(pixels, [axis]), pixels)
    return pixels, tf.where(chosen[:, None, None], mirrored, boxes)


def warp(pixels, boxes, classes, matrix, *, size):
    """Resamples images (bilinear, grey outside) and moves their boxes; those that hardly stay inside are dropped.

    Args:
        pixels: (B, H, W, C).
        boxes: (B, M, 4), xyxy.
        classes: (B, M), -1 where there is no box.
        matrix: (B, 2, 3), from places in the result to places in `pixels`, in pixels from the outer edge.
        size: (height, width) of the result.

    Returns:
        float32 pixels (B, height, width, C), boxes and classes, as many.
    """
    turn, move = matrix[..., :2], matrix[..., 2]
    # The operation counts from the middle of the first pixel.
    middle = move + tf.reduce_sum(turn, axis=-1) * 0.5 - 0.5
    rows = tf.concat([turn, middle[..., None]], axis=-1)
    transforms = tf.concat([tf.reshape(rows, (-1, 6)), tf.zeros((tf.shape(rows)[0], 2))], axis=-1)
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(pixels, "float32"),
        transforms=transforms,
        output_shape=size,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=FILL,
    )
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    corners = tf.stack([left, top, right, top, left, bottom, right, bottom], axis=-1)
    corners = tf.reshape(corners, (tf.shape(boxes)[0], -1, 4, 2)) - move[:, None, None]
    corners = tf.einsum("bij,bmkj->bmki", tf.linalg.inv(turn), corners)
    moved = tf.concat([tf.reduce_min(corners, axis=2), tf.reduce_max(corners, axis=2)], axis=-1)
    limit = tf.constant([size[1], size[0]] * 2, "float32")
    inside = tf.clip_by_value(moved, 0.0, limit)
    stays = (_sides(inside) >= SMALLEST) & (_area(inside) >= VISIBLE * _area(moved))
    classes = tf.where(stays, classes, -1)
    return tf.ensure_shape(result, (None, *size, 3)), _padded(inside, classes), classes


def colour(pixels, *, seed):
    """Turns hue, scales saturation and brightness, another way for each image: one 3x3 matrix on (B, H, W, 3)."""
    count = tf.shape(pixels)[0]
    draw = tf.random.stateless_uniform((count, 3), seed, -1.0, 1.0)
    angle, saturation, brightness = draw[:, 0] * HUE, 1 + draw[:, 1] * SATURATION, 1 + draw[:, 2] * BRIGHTNESS
    cos, sin, zero = tf.cos(angle) * saturation, tf.sin(angle) * saturation, tf.zeros_like(angle)
    rows = [tf.ones_like(angle), zero, zero, zero, cos, -sin, zero, sin, cos]
    change = tf.reshape(tf.stack(rows, axis=-1), (-1, 3, 3)) * brightness[:, None, None]
    matrix = tf.transpose(FROM_YIQ @ change @ TO_YIQ, (0, 2, 1))
    flat = tf.reshape(pixels, (count, -1, 3)) @ matrix
    return tf.clip_by_value(tf.reshape(flat, tf.shape(pixels)), 0.0, 255.0)


def mixup(pixels, boxes, classes, *, seed):
    """Blends a quarter of the images with their neighbour in the batch, about evenly, boxes of both: M doubles."""
    count = tf.shape(pixels)[0]
    chosen = tf.random.stateless_uniform((count,), seed) < MIXUP_SHARE
    share = tf.random.stateless_uniform((count,), (seed[0], seed[1] + 1), 0.4, 0.6)
    share = tf.where(chosen, share, 1.0)[:, None, None, None]
    others = tf.where(chosen[:, None], tf.roll(classes, 1, axis=0), -1)
    blended = share * pixels + (1 - share) * tf.roll(pixels, 1, axis=0)
    classes = tf.concat([classes, others], axis=1)
    boxes = tf.concat([boxes, _padded(tf.roll(boxes, 1, axis=0), others)], axis=1)
    return blended, boxes, classes


def copy_paste(pixels, boxes, classes, *, seed):
    """Pastes up to three boxes of the neighbour in the batch, with what is in them, at their place.

    Differs from Ghiasi et al. (2020): there are no masks, so whole boxes are pasted. Boxes that are then covered by
    half are dropped.
    """
    height, width = pixels.shape[1:3]
    others, labels = tf.roll(boxes, 1, axis=0), tf.roll(classes, 1, axis=0)
    rank = tf.random.stateless_uniform(tf.shape(labels), seed) - tf.cast(labels < 0, "float32")
    picked = tf.math.top_k(rank, k=min(PASTED, classes.shape[1] or PASTED)).indices
    others, labels = tf.gather(others, picked, batch_dims=1), tf.gather(labels, picked, batch_dims=1)
    wanted = tf.random.stateless_uniform(tf.shape(labels), (seed[0], seed[1] + 1)) < 0.5
    labels = tf.where(wanted, labels, -1)
    others = tf.round(_padded(others, labels))
    x, y = tf.range(width, dtype="float32") + 0.5, tf.range(height, dtype="float32") + 0.5
    across = (x >= others[..., 0, None]) & (x < others[..., 2, None])
    down = (y >= others[..., 1, None]) & (y < others[..., 3, None])
    mask = tf.reduce_any(down[..., :, None] & across[..., None, :], axis=1)
    pixels = tf.where(mask[..., None], tf.roll(pixels, 1, axis=0), pixels)
    low = tf.maximum(boxes[:, :, None, :2], others[:, None, :, :2])
    high = tf.minimum(boxes[:, :, None, 2:], others[:, None, :, 2:])
    hidden = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
    stays = tf.reduce_max(hidden, axis=2) < COVERED * _area(boxes)
    classes = tf.where(stays, classes, -1)
    boxes = tf.concat([_padded(boxes, classes), others], axis=1)
    return pixels, boxes, tf.concat([classes, labels], axis=1)


def largest_first(boxes, classes, count):
    """The `count` largest boxes of each image, padded up to that: (B, count, 4), (B, count)."""
    missing = max(count - (boxes.shape[1] or 0), 0)
    boxes, classes = (
        tf.pad(boxes, ((0, 0), (0, missing), (0, 0))),
        tf.pad(classes, ((0, 0), (0, missing)), constant_values=-1),
    )
    order = tf.math.top_k(tf.where(classes >= 0, _area(boxes), -1.0), k=count).indices
    classes = tf.gather(classes, order, batch_dims=1)
    return _padded(tf.gather(boxes, order, batch_dims=1), classes), classes


def _padded(boxes, classes):
    """Zeros where there is no class."""
    return tf.where(classes[..., None] >= 0, boxes, 0.0)


def _sides(boxes):
    """Pixels of the shorter side, (..., 4) -> (...)."""
    return tf.reduce_min(boxes[..., 2:] - boxes[..., :2], axis=-1)


def _area(boxes):
    return tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
