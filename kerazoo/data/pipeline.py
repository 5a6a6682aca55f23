"""Labelled images -> tf.data: shuffled, augmented in whole batches, resized, ahead of the model."""

import time

import numpy as np
import tensorflow as tf

from kerazoo.data.augment import augmentation

SHUFFLE_FILES = 10_000


def batches(images, *, size, batch_size, training=False, augment=(), num_classes=None, seed=0):
    """A `tf.data.Dataset` of (float32 pixels in [0, 255], labels).

    Args:
        images: a `kerazoo.data.Images`.
        size: (H, W) of the model's input; other images are resized (bilinear, antialiased).
        batch_size: images in a batch; the last one may be smaller, in training it is left out.
        training: shuffle anew every epoch, and augment.
        augment: names out of `kerazoo.data.augment.AUGMENTATIONS`, in their order.
        num_classes: makes labels one-hot; mixing augmentations need it.
        seed: of shuffling and augmentation.

    Shapes: pixels (B, H, W, 3); labels (B,), int32, or (B, num_classes), float32.

    Raises:
        ValueError: no images, or an unknown augmentation.

    Example:

    >>> import numpy as np
    >>> images = Images(np.zeros(4, "int32"), pixels=np.zeros((4, 8, 8, 3), "uint8"))
    >>> pixels, labels = next(iter(batches(images, size=(16, 16), batch_size=2)))
    >>> pixels.shape
    TensorShape([2, 16, 16, 3])
    """
    if not len(images):
        raise ValueError("A pipeline needs at least one image. Received: none.")
    count = len(images)
    drop = training and count >= batch_size
    if images.pixels is not None:
        # Whole batches are gathered at once: per-image work in the graph would cost more than the images.
        positions = tf.data.Dataset.range(count)
        if training:
            positions = positions.shuffle(count, seed=seed)
        pixels, labels = tf.constant(images.pixels), tf.constant(images.labels)
        data = positions.batch(batch_size, drop_remainder=drop).map(
            lambda index: (tf.gather(pixels, index), tf.gather(labels, index)), num_parallel_calls=tf.data.AUTOTUNE
        )
    else:
        data = tf.data.Dataset.from_tensor_slices((images.files, images.labels))
        if training:
            data = data.shuffle(min(count, SHUFFLE_FILES * 10), seed=seed)
        data = data.map(lambda file, label: (_read(file, size), label), num_parallel_calls=tf.data.AUTOTUNE)
        data = data.batch(batch_size, drop_remainder=drop)

    if training and augment:
        change = augmentation(augment, num_classes=num_classes, seed=seed)
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
        data = tf.data.Dataset.zip(data, seeds).map(
            lambda batch, seed: change(_resize(batch[0], size), batch[1], seed), num_parallel_calls=tf.data.AUTOTUNE
        )
    else:
        data = data.map(
            lambda pixels, labels: (
                tf.cast(_resize(pixels, size), "float32"),
                tf.one_hot(labels, num_classes) if num_classes else labels,
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
    return data.prefetch(tf.data.AUTOTUNE)


def _resize(pixels, size):
    """(B, h, w, 3) -> (B, *size, 3); float32 where anything changed."""
    return pixels if pixels.shape[1:3] == tuple(size) else tf.image.resize(pixels, size, antialias=True)


def _read(file, size):
    """The file's pixels, uint8, (H, W, 3), at the model's size."""
    pixels = tf.io.decode_image(tf.io.read_file(file), channels=3, expand_animations=False)
    resized = tf.image.resize(pixels, size, antialias=True)
    resized.set_shape((*size, 3))
    return tf.cast(tf.round(resized), "uint8")


def throughput(data, *, seconds=2.0):
    """Images a second that a pipeline gives when nobody else uses the machine: what a model can be fed.

    Args:
        data: a dataset of (pixels, labels) batches.
        seconds: how long to measure, after the first batches, which start the threads.
    """
    images, start = 0, None
    for step, (pixels, _) in enumerate(data.repeat()):
        if step == 2:
            images, start = 0, time.perf_counter()
        images += int(pixels.shape[0])
        if start and time.perf_counter() - start > seconds:
            break
    return images / (time.perf_counter() - start)


def pixels_of(images, positions, *, size):
    """The images at these positions as uint8, (n, H, W, 3): as they are in memory, or read at `size`."""
    chosen = images.take(np.asarray(positions, int))
    if chosen.pixels is not None:
        return chosen.pixels
    parts = [pixels for pixels, _ in batches(chosen, size=size, batch_size=64).as_numpy_iterator()]
    return np.round(np.concatenate(parts)).astype("uint8")
