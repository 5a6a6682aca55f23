"""Faces -> tf.data: each image many times an epoch, turned, shifted, lit and covered otherwise each time."""

import math

import tensorflow as tf

from kerazoo.data.pipeline import LOOKED_AT
from kerazoo.image_kinds import warn_if_scaled

# How far a change goes, at most.
TURN, GROW, SHIFT = math.radians(12), 0.12, 0.08  # Either way; of the side.
LIGHT, CONTRAST = 0.2, 0.25  # Of the range of pixels; of the contrast.
COVER = 0.35  # Side of the covered square, of the image's.
COVERED = 0.5  # Share of the images that have one.


def face_batches(faces, *, batch_size, repeats=1, stretches=(1.0,), seed=0):
    """A `tf.data.Dataset` of (float32 pixels in [0, 255], identities) for training, shuffled and changed at random.

    A face made longer or wider shows somebody else: with several `stretches` each person becomes as many identities,
    which teaches proportions, and more of them than the few people there are.

    Args:
        faces: a `kerazoo.data.faces.Faces`.
        batch_size: images in a batch; the last one of an epoch is left out unless it is whole.
        repeats: how often an image comes in an epoch, each time changed otherwise.
        stretches: factors of the height; identity `person + k * people` is that of factor k.
        seed: of shuffling and changes.

    Shapes: pixels (B, H, W, 3); identities (B,), int32.

    Raises:
        ValueError: fewer images in an epoch than in a batch.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.face_pipeline import face_batches
    >>> from kerazoo.data.faces import Faces
    >>> faces = Faces("two", ("a", "b"), np.array([0, 1], "int32"), np.zeros((2, 32, 32, 3), "uint8"), ("a/1", "b/1"))
    >>> pixels, identities = next(iter(face_batches(faces, batch_size=8, repeats=4, stretches=(0.9, 1.1))))
    >>> pixels.shape, set(identities.numpy().tolist()) <= {0, 1, 2, 3}
    (TensorShape([8, 32, 32, 3]), True)
    """
    count = len(faces)
    total = count * repeats * len(stretches)
    if total < batch_size:
        raise ValueError(
            f"`batch_size` must be at most the images times `repeats` and `stretches`, {total}. Received: {batch_size}."
        )
    warn_if_scaled(faces.pixels[:LOOKED_AT])
    pixels, labels = tf.constant(faces.pixels), tf.constant(faces.labels)
    factors = tf.constant(stretches, "float32")

    def prepare(index):
        image, kind = index % count, index // count % len(stretches)
        identities = tf.gather(labels, image) + tf.cast(kind, "int32") * len(faces.people)
        # Every epoch deals other batches: their members seed the changes, in whatever order they are made.
        members = tf.reduce_sum(index * tf.range(1, batch_size + 1, dtype="int64"))
        changed = change(tf.gather(pixels, image), tf.gather(factors, kind), seed=tf.stack([members, seed]))
        return changed, identities

    order = tf.data.Dataset.range(total).shuffle(total, seed=seed).batch(batch_size, drop_remainder=True)
    return order.map(prepare, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def change(pixels, stretch, *, seed):
    """Random geometry, light and cover of each image, after its stretch.

    Args:
        pixels: (B, H, W, 3).
        stretch: (B,), factors of the height.
        seed: (2,), int64: equal seeds change equally.

    Returns:
        float32, (B, H, W, 3), in [0, 255].
    """
    batch, (height, width) = tf.shape(pixels)[0], pixels.shape[1:3]
    draws = tf.unstack(tf.random.stateless_uniform((10, batch), seed, -1.0, 1.0), num=10)
    turn, size = draws[0] * TURN, 1.0 + draws[1] * GROW
    cos, sin = tf.cos(turn) / size, tf.sin(turn) / size
    mirror = tf.where(draws[2] < 0, -1.0, 1.0)
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    # Where a pixel of the result comes from: x = a u + b v + c, y = d u + e v + f, about the middle.
    a, b, d, e = cos * mirror, -sin, sin * mirror / stretch, cos / stretch
    c = x0 - a * x0 - b * y0 + draws[3] * SHIFT * width
    f = y0 - d * x0 - e * y0 + draws[4] * SHIFT * height
    nothing = tf.zeros_like(a)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(pixels, "float32"),
        transforms=tf.stack([a, b, c, d, e, f, nothing, nothing], axis=1),
        output_shape=(height, width),
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )
    light, contrast = (draw[:, None, None, None] for draw in (draws[5] * LIGHT * 255, 1 + draws[6] * CONTRAST))
    mean = tf.reduce_mean(moved, axis=(1, 2, 3), keepdims=True)
    lit = tf.clip_by_value((moved - mean) * contrast + mean + light, 0.0, 255.0)
    inside = [
        tf.abs(tf.range(side, dtype="float32") - ((draw[:, None] + 1) / 2 * side)) < COVER * side / 2
        for side, draw in ((height, draws[7]), (width, draws[8]))
    ]
    covered = inside[0][:, :, None] & inside[1][:, None, :] & (draws[9][:, None, None] < 2 * COVERED - 1)
    return tf.where(covered[..., None], 127.5, lit)
