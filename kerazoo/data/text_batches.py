"""Ids of texts -> tf.data of padded batches, texts of like length together."""

import numpy as np
import tensorflow as tf

POOL = (
    50  # Batches whose texts are sorted by length before they are cut: more padding is saved by more, chance by fewer.
)
STEP = 8  # Lengths of batches are multiples of it, so that few shapes occur.
UNKNOWN = 1


def text_batches(ids, labels, *, batch_size, length=None, training=False, unknown=0.0, seed=0):
    """A `tf.data.Dataset` of (tokens, labels).

    In training the texts come in a new order each epoch: drawn into pools, sorted by length there, cut into batches,
    and the batches shuffled. So that a batch is padded little, and every text is in one batch of each epoch.

    Args:
        ids: `tf.RaggedTensor` (N, None) int32, as a tokenizer's `ragged` gives it.
        labels: (N,) or (N, ...).
        batch_size: texts in a batch; the last one may be smaller.
        length: tokens of every text, cut or padded; None pads to the longest of a batch, at a multiple of 8.
        training: shuffle.
        unknown: share of the tokens that are told as the unknown, in training alone.
        seed: of the order and the unknown.

    Shapes: tokens (B, T) int32, 0 after a text's end; labels (B,) of their own type.

    Raises:
        ValueError: as many labels as texts there are not, or a share outside [0, 1).

    Example:

    >>> import tensorflow as tf
    >>> tokens, labels = next(iter(text_batches(tf.ragged.constant([[5, 6], [7]]), [0, 1], batch_size=2)))
    >>> tokens.numpy().tolist(), labels.numpy().tolist()
    ([[5, 6, 0, 0, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0, 0, 0]], [0, 1])
    """
    count, labels = int(ids.nrows()), tf.constant(np.asarray(labels))
    if len(labels) != count:
        raise ValueError(f"There must be a label for every text. Received: {len(labels)} for {count}.")
    if not 0 <= unknown < 1:
        raise ValueError(f"`unknown` must be in [0, 1). Received: {unknown}.")
    ids = tf.cast(ids, tf.int32)
    lengths = tf.cast(ids.row_lengths(), tf.int64)

    def cut(positions):
        return padded(tf.gather(ids, positions), length), tf.gather(labels, positions)

    def dropped(tokens, classes, key):
        chance = tf.random.stateless_uniform(tf.shape(tokens), tf.stack([key, key + 1]))
        return tf.where((tokens > 0) & (chance < unknown), UNKNOWN, tokens), classes

    if not training:
        batches = tf.data.Dataset.range(count).batch(batch_size)
        return batches.map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    batches = shuffled(lengths, batch_size, seed)
    batches = batches.map(cut, tf.data.AUTOTUNE)
    if unknown:
        more = tf.data.Dataset.random(seed=seed + 1, rerandomize_each_iteration=True).map(lambda key: key % (2**31))
        batches = tf.data.Dataset.zip(batches, more).map(lambda pair, key: dropped(*pair, key), tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)


def shuffled(lengths, batch_size, seed):
    """A `tf.data.Dataset` of the positions of each batch, in a new order each epoch.

    Args:
        lengths: (N,) int64; a batch has texts of like length.
        batch_size: texts in a batch; the last one may be smaller.
        seed: of the order.
    """
    count = int(lengths.shape[0])

    def epoch(key):
        order = tf.argsort(tf.random.stateless_uniform((count,), tf.stack([key, key + 1])))
        pool = tf.range(count, dtype=tf.int64) // (POOL * batch_size)
        order = tf.gather(order, tf.argsort(pool * (tf.reduce_max(lengths) + 1) + tf.gather(lengths, order)))
        firsts = tf.range(0, count, batch_size)
        firsts = tf.gather(firsts, tf.argsort(tf.random.stateless_uniform(tf.shape(firsts), tf.stack([key + 2, key]))))
        return tf.data.Dataset.from_tensor_slices(firsts).map(lambda first: order[first : first + batch_size])

    keys = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).map(lambda key: key % (2**31))
    size = -(-count // batch_size)
    return keys.take(1).flat_map(epoch).apply(tf.data.experimental.assert_cardinality(size))


def padded(rows, length=None, step=STEP):
    """`tf.RaggedTensor` (B, None) -> (B, T) int32, filled up with 0.

    Args:
        rows: ids.
        length: T, to which rows are cut too; None takes the next multiple of `step`.
        step: as said.
    """
    tokens = rows[:, :length].to_tensor(0, shape=(None, length))
    if length is not None:
        return tokens
    longest = tf.shape(tokens)[1]
    wanted = (tf.maximum(longest, 1) + step - 1) // step * step
    return tf.pad(tokens, [[0, 0], [0, wanted - longest]])
