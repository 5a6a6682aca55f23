"""Ids of a running text -> tf.data of (tokens, next tokens), cut where they are held."""

import numpy as np
import tensorflow as tf


def random_windows(ids, *, length, batch_size, steps, seed=0):
    """A `tf.data.Dataset` of `steps` batches an epoch, each of windows that begin anywhere in the text, as in nanoGPT.

    Args:
        ids: (T,) integers.
        length: tokens of a window.
        batch_size: windows in a batch.
        steps: batches in an epoch.
        seed: of the places, which are others in each epoch.

    Shapes: tokens and next tokens (B, length) int32.

    Raises:
        ValueError: a text of fewer than `length` + 1 tokens.

    Example:

    >>> tokens, following = next(iter(random_windows(range(50), length=4, batch_size=2, steps=1)))
    >>> bool((tokens.numpy() + 1 == following.numpy()).all())
    True
    """
    ids = held(ids, length)
    reach = tf.range(length + 1, dtype="int64")
    places = ids.shape[0] - length

    def draw(keys):
        rows = tf.gather(ids, (keys % places)[:, None] + reach)
        rows = tf.ensure_shape(tf.cast(rows, tf.int32), (batch_size, length + 1))
        return rows[:, :-1], rows[:, 1:]

    keys = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(batch_size)
    return keys.take(steps).map(draw, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def windows_in_order(ids, *, length, batch_size, most=None):
    """A `tf.data.Dataset` of windows side by side, each token but the first a target once; a rest is left out.

    Args:
        ids, length, batch_size: as above; the last batch may be smaller.
        most: windows, evenly spaced over the text; None takes all.
    """
    ids = held(ids, length)
    firsts = np.arange(0, ids.shape[0] - length, length)
    if most is not None and most < len(firsts):
        firsts = firsts[np.linspace(0, len(firsts) - 1, most).astype(int)]

    def cut(firsts):
        rows = tf.cast(tf.gather(ids, firsts[:, None] + tf.range(length + 1, dtype="int64")), tf.int32)
        return rows[:, :-1], rows[:, 1:]

    return tf.data.Dataset.from_tensor_slices(firsts).batch(batch_size).map(cut).prefetch(tf.data.AUTOTUNE)


def held(ids, length):
    """The ids as TensorFlow holds them, in the smallest type that has room for them."""
    ids = np.asarray(ids)
    if len(ids) <= length:
        raise ValueError(f"A text must have more tokens than a window, {length}. Received: {len(ids)}.")
    return tf.constant(ids.astype(np.min_scalar_type(int(ids.max()))))
