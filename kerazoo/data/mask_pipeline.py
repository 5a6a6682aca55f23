"""Images with masks -> tf.data: random windows, turned, scaled and bent together, in whole batches."""

import math

import tensorflow as tf

from kerazoo.data.masks import VOID
from kerazoo.data.pipeline import LOOKED_AT
from kerazoo.image_kinds import warn_if_scaled
from kerazoo.registry import unknown_choice

# Name -> what it does to a window and its mask alike. Each draws for every image by itself.
AUGMENTATIONS = {
    "flip": "mirrors half of the windows, left to right",
    "turn": "mirrors both ways and turns by quarters, all eight alike often (square windows only)",
    "rescale": "enlarges by a half to twice, so that a window shows a part or more than the image",
    "affine": "turns by up to 10 degrees, enlarges by up to a tenth, moves by up to a tenth of the window",
    "elastic": "bends by 3 x 3 random displacements of 10 pixels' deviation, bicubic between them (Ronneberger, 2015)",
    "colour": "brightness, contrast and saturation, by up to three tenths",
}
BORDERS = ("void", "mirror")


def mask_batches(images, *, crop, batch_size, augment=(), border="void", repeats=1, seed=0):
    """A training `tf.data.Dataset` of (float32 pixels in [0, 255], int32 labels): random windows of the images.

    All changes of place are one map from a window's pixels to the image's, by which pixels are taken bilinearly and
    labels from the nearest one.

    Args:
        images: a `kerazoo.data.masks.Masked`.
        crop: (h, w) of the windows.
        batch_size: windows in a batch; what is left over at an epoch's end is left out.
        augment: names out of `AUGMENTATIONS`.
        border: what lies outside an image: "void" is black and counts for nothing, "mirror" its mirrored border.
        repeats: windows of each image in an epoch.
        seed: of shuffling and all draws; batches draw by their members, in whatever order they are made.

    Shapes: pixels (B, h, w, 3), labels (B, h, w).

    Raises:
        ValueError: an unknown augmentation or border, "turn" of windows that are not square, or fewer windows than a
            batch has.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.mask_pipeline import mask_batches
    >>> from kerazoo.data.masks import Masked
    >>> images = Masked(np.zeros((4, 16, 24, 4), "uint8"), tuple("abcd"))
    >>> pixels, labels = next(iter(mask_batches(images, crop=(8, 8), batch_size=2, augment=("flip",))))
    >>> pixels.shape, labels.shape
    (TensorShape([2, 8, 8, 3]), TensorShape([2, 8, 8]))
    """
    check_augmentations(augment, crop)
    if border not in BORDERS:
        raise ValueError(f"`border` must be one of {BORDERS}. Received: {border!r}.")
    count = len(images) * repeats
    if count < batch_size:
        raise ValueError(f"`batch_size` must be at most the images times `repeats`, {count}. Received: {batch_size}.")
    warn_if_scaled(images.pixels[:LOOKED_AT])
    pixels = tf.constant(images.joined)
    order = tf.data.Dataset.range(count).shuffle(count, seed=seed).batch(batch_size, drop_remainder=True)

    def cut(index):
        # Every epoch deals other batches: their members seed the draws.
        members = tf.reduce_sum(index * tf.range(1, tf.size(index, "int64") + 1)) + seed * count
        places = _places(tf.shape(index)[0], images.joined.shape[1:3], crop, augment, members)
        values, labels = _sample(pixels, index % len(images), places, border)
        if "colour" in augment:
            values = _recolour(values, members)
        values = tf.ensure_shape(values, (batch_size, *crop, 3))
        return values, tf.ensure_shape(labels, (batch_size, *crop))

    return order.map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def check_augmentations(names, crop):
    """Refuses unknown names, and quarter turns of windows that are not square.

    Raises:
        ValueError: either.
    """
    for name in names:
        if name not in AUGMENTATIONS:
            raise ValueError(unknown_choice("augmentation of masks", name, AUGMENTATIONS))
    if "turn" in names and crop[0] != crop[1]:
        raise ValueError(f'The augmentation "turn" is of square windows. Received: {tuple(crop)}.')


def _places(batch, frame, crop, augment, seed):
    """Where in the image each pixel of a window lies, (B, h, w, 2) as rows and columns."""

    def draw(stream, low, high, shape=()):
        return tf.random.stateless_uniform((batch, *shape), (seed, stream), low, high)

    scale, angle = tf.ones(batch), tf.zeros(batch)
    mirror_rows = mirror_columns = tf.ones(batch)
    if "flip" in augment:
        mirror_columns = tf.where(draw(0, 0.0, 1.0) < 0.5, -1.0, 1.0)
    if "turn" in augment:
        mirror_rows = tf.where(draw(1, 0.0, 1.0) < 0.5, -1.0, 1.0)
        angle += tf.floor(draw(2, 0.0, 4.0)) * (math.pi / 2)
    if "rescale" in augment:
        scale *= 2.0 ** draw(3, -1.0, 1.0)
    if "affine" in augment:
        angle += draw(4, -math.pi / 18, math.pi / 18)
        scale *= draw(5, 0.9, 1.1)
    rows, columns = (tf.range(size, dtype="float32") - (size - 1) / 2 for size in crop)
    grid = tf.stack(tf.meshgrid(rows, columns, indexing="ij"), axis=-1)[None]
    if "elastic" in augment:
        coarse = 10.0 * tf.random.stateless_normal((batch, 3, 3, 2), (seed, 6))
        grid += tf.image.resize(coarse, crop, method="bicubic")
    cosine, sine = tf.cos(angle) / scale, tf.sin(angle) / scale
    # Mirrored first, then turned and shrunk: rows of a (2, 2) matrix for each image.
    matrix = tf.stack(
        [
            tf.stack([cosine * mirror_rows, -sine * mirror_columns], axis=-1),
            tf.stack([sine * mirror_rows, cosine * mirror_columns], axis=-1),
        ],
        axis=-2,
    )
    places = tf.einsum("bij,bhwj->bhwi", matrix, tf.broadcast_to(grid, (batch, *crop, 2)))
    middles = []
    for stream, (whole, window) in enumerate(zip(frame, crop), start=7):
        half = window / 2 / scale
        # The window lies in the image where it fits, else the image in the window.
        ends = tf.minimum(half, whole - half), tf.maximum(half, whole - half)
        corner = ends[0] + draw(stream, 0.0, 1.0) * (ends[1] - ends[0]) - window / 2
        middle = tf.round(corner) + (window - 1) / 2  # Whole pixels: a window that is not scaled is not blurred.
        if "affine" in augment:
            middle += draw(stream + 2, -0.1, 0.1) * window
        middles.append(middle)
    return places + tf.stack(middles, axis=-1)[:, None, None]


def _sample(images, index, places, border):
    """Pixels (B, h, w, 3), float32, and labels (B, h, w), int32, of images (N, H, W, 4) at places (B, h, w, 2)."""
    height, width = images.shape[1:3]
    rows, columns = places[..., 0], places[..., 1]
    if border == "mirror":
        ends = (rows, height - 1.0), (columns, width - 1.0)  # Again and again, however far outside a place lies.
        rows, columns = (last - tf.abs(last - tf.math.floormod(x, max(2 * last, 1.0))) for x, last in ends)
    flat = tf.reshape(images, (-1, 4))
    first = tf.cast(index, "int64")[:, None, None] * (height * width)

    def at(row, column):
        row, column = tf.clip_by_value(row, 0, height - 1), tf.clip_by_value(column, 0, width - 1)
        return tf.gather(flat, first + tf.cast(row, "int64") * width + tf.cast(column, "int64"))

    def pixels(row, column):
        return tf.cast(at(row, column)[..., :3], "float32")

    top, left = tf.floor(rows), tf.floor(columns)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = pixels(top, left) * (1 - right) + pixels(top, left + 1) * right
    lower = pixels(top + 1, left) * (1 - right) + pixels(top + 1, left + 1) * right
    values = upper * (1 - down) + lower * down
    nearest = tf.round(rows), tf.round(columns)
    labels = tf.cast(at(*nearest)[..., 3], "int32")
    inside = (nearest[0] >= 0) & (nearest[0] < height) & (nearest[1] >= 0) & (nearest[1] < width)
    return tf.where(inside[..., None], values, 0.0), tf.where(inside, labels, VOID)


def _recolour(pixels, seed):
    """Pixels in [0, 255] with another brightness, contrast and saturation: (B, h, w, 3)."""
    batch = tf.shape(pixels)[0]
    brightness, contrast, saturation = tf.unstack(
        tf.random.stateless_uniform((3, batch, 1, 1, 1), (seed, 11), -0.3, 0.3), axis=0
    )
    grey = tf.reduce_mean(pixels, axis=-1, keepdims=True)
    pixels = grey + (pixels - grey) * (1 + saturation)
    middle = tf.reduce_mean(grey, axis=(1, 2), keepdims=True)
    pixels = middle * (1 + brightness) + (pixels - middle) * (1 + contrast)
    return tf.clip_by_value(pixels, 0.0, 255.0)
