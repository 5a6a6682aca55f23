"""Labelled images -> tf.data: shuffled, augmented in whole batches, resized, ahead of the model."""

import time

import numpy as np
import tensorflow as tf

from kerazoo import image_graph
from kerazoo.data.augment import AlternatingFlip, augmentation
from kerazoo.data.decode import decode
from kerazoo.image_kinds import warn_if_scaled

LOOKED_AT = 64  # Images that show whether pixels were scaled.


def batches(
    images,
    *,
    size,
    batch_size,
    training=False,
    keep_remainder=False,
    in_graph=False,
    augment=(),
    views=1,
    num_classes=None,
    seed=0,
):
    """A `tf.data.Dataset` of (float32 pixels in [0, 255], labels).

    Args:
        images: a `kerazoo.data.Images`.
        size: (H, W) of the model's input; other images are resized (bilinear, antialiased).
        batch_size: images in a batch; the last one may be smaller, in training it is left out.
        training: shuffle anew every epoch, and augment.
        keep_remainder: keep it in training too; for a data service, whose workers each have a last batch.
        in_graph: decode files by TensorFlow's operations alone; for a data service, whose workers have no Python.
        augment: names out of `kerazoo.data.augment.AUGMENTATIONS`, in their order.
        views: how often each image stands in its training batch, each time augmented by itself (batch
            augmentation, Hoffer et al. 2020, https://arxiv.org/abs/1901.09335): a step costs that many times more.
        num_classes: makes labels one-hot; mixing augmentations need it.
        seed: of shuffling and augmentation.

    Shapes: pixels (B, H, W, 3); labels (B,), int32, or (B, num_classes), float32.

    Raises:
        ValueError: no images, or an unknown augmentation.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.images import Images
    >>> from kerazoo.data.pipeline import batches
    >>> images = Images(np.zeros(4, "int32"), pixels=np.zeros((4, 8, 8, 3), "uint8"))
    >>> pixels, labels = next(iter(batches(images, size=(16, 16), batch_size=2)))
    >>> pixels.shape
    TensorShape([2, 16, 16, 3])
    """
    if not len(images):
        raise ValueError("A pipeline needs at least one image. Received: none.")
    count = len(images)
    warn_if_scaled(decode(images.files[0]) if images.pixels is None else images.pixels[:LOOKED_AT])
    drop = training and not keep_remainder and count >= batch_size
    order = tf.data.Dataset.range(count)
    if training:
        order = order.shuffle(count, seed=seed)
    labels = tf.constant(images.labels)
    if images.pixels is not None:
        # Whole batches are gathered at once: per-image work in the graph would cost more than the images.
        pixels = tf.constant(images.pixels)
        data = order.batch(batch_size, drop_remainder=drop).map(
            lambda index: (tf.gather(pixels, index), tf.gather(labels, index), index), tf.data.AUTOTUNE
        )
    else:
        read = (_read_in_graph if in_graph else _read)(images.files, size)
        data = order.map(lambda index: (read(index), labels[index], index), tf.data.AUTOTUNE)
        data = data.batch(batch_size, drop_remainder=drop)
    change = augmentation(augment, num_classes=num_classes, seed=seed) if training and augment else None
    alternate = AlternatingFlip(count, seed=seed) if training and "alternate" in augment else None

    def prepare(pixels, labels, index):
        if pixels.shape[1:3] != tuple(size):
            pixels = tf.image.resize(pixels, size, antialias=True)
        if alternate:
            pixels = alternate(pixels, index)
        if training and views > 1:
            pixels, labels, index = (tf.repeat(each, views, axis=0) for each in (pixels, labels, index))
        if change:
            # Every epoch deals other batches: their members seed the draws, in whatever order they are made.
            members = tf.reduce_sum(index * tf.range(1, tf.size(index, "int64") + 1))
            return change(pixels, labels, members + seed * count)
        return tf.cast(pixels, "float32"), tf.one_hot(labels, num_classes) if num_classes else labels

    return data.map(prepare, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _read(files, size):
    """From a position to the file's pixels, uint8, (H, W, 3), upright and at the model's size."""

    def read(index):
        pixels = tf.numpy_function(lambda position: decode(files[position], size=size), [index], tf.uint8)
        return tf.ensure_shape(pixels, (*size, 3))

    return read


def _read_in_graph(files, size):
    held = tf.constant(files)

    def read(index):
        resized = tf.image.resize(image_graph.decode(tf.io.read_file(held[index])), size, antialias=True)
        return tf.cast(tf.round(resized), "uint8")

    return read


def throughput(data, *, seconds=2.0):
    """Examples a second that a pipeline gives when nobody else uses the machine: what a model can be fed.

    Args:
        data: a dataset of (inputs, targets) batches, made for this: its shuffling goes on where this ends, so
            what is trained on it afterwards would see an order that depends on the machine's speed.
        seconds: how long to measure, after the first batches, which start the threads.
    """
    examples, start = 0, None
    for step, (_, targets) in enumerate(data.repeat()):
        if step == 2:
            examples, start = 0, time.perf_counter()
        examples += int(targets.shape[0])
        if start and time.perf_counter() - start > seconds:
            break
    return examples / (time.perf_counter() - start)


def pixel_batches(images, *, size):
    """All the images as uint8 arrays, (n, H, W, 3): those in memory at once, those in files at `size`, in batches."""
    if images.pixels is not None:
        yield images.pixels
    elif len(images):
        for pixels, _ in batches(images, size=size, batch_size=64).as_numpy_iterator():
            yield np.round(pixels).astype("uint8")


def pixels_of(images, positions, *, size):
    """The images at these positions as uint8, (n, H, W, 3): as they are in memory, or read at `size`."""
    return np.concatenate(list(pixel_batches(images.take(np.asarray(positions, int)), size=size)))
