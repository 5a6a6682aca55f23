"""Ids of pairs of texts -> tf.data of padded batches for a model from one sequence to another."""

import tensorflow as tf

from kerazoo.data.text_batches import padded, shuffled

BEGIN, END = 1, 2  # Ids that are put around a target, and an end after a source.
STEP = 4  # Lengths of batches are multiples of it: texts are short, and more would pad a quarter of what is learned.


def pair_batches(source, target, *, batch_size, length=None, target_length=None, training=False, seed=0):
    """A `tf.data.Dataset` of ({"source", "tokens"}, next tokens).

    The source ends with the id 2. The tokens are the target after the id 1; the next ones end with 2. In training
    pairs of like length share a batch, each pair in one batch of an epoch, in a new order.

    Args:
        source, target: `tf.RaggedTensor` (N, None) int32, as a tokenizer's `ragged` gives them.
        batch_size: pairs in a batch; the last one may be smaller.
        length: tokens of both sides of every pair, cut or padded; None pads to a multiple of 4 in each batch.
        target_length: of the targets, where it is another one.
        training: shuffle.
        seed: of the order.

    Shapes: source (B, S), tokens and next tokens (B, T), int32, 0 after a text's end.

    Raises:
        ValueError: not as many targets as sources.

    Example:

    >>> import tensorflow as tf
    >>> pairs = pair_batches(tf.ragged.constant([[5, 6]]), tf.ragged.constant([[7]]), batch_size=1, length=4)
    >>> inputs, following = next(iter(pairs.as_numpy_iterator()))
    >>> inputs["source"].tolist(), inputs["tokens"].tolist(), following.tolist()
    ([[5, 6, 2, 0]], [[1, 7, 0, 0]], [[7, 2, 0, 0]])
    """
    if int(source.nrows()) != int(target.nrows()):
        raise ValueError(f"There must be as many targets as sources. Received: {target.nrows()} for {source.nrows()}.")
    source, target = tf.cast(source, tf.int32), tf.cast(target, tf.int32)
    target_length = target_length or length
    if length is not None:  # The end is kept where a text is cut.
        source = source[:, : length - 1]
    if target_length is not None:
        target = target[:, : target_length - 1]
    count = int(source.nrows())

    def cut(positions):
        one, other = tf.gather(source, positions), tf.gather(target, positions)
        column = tf.ones_like(positions, tf.int32)[:, None]
        one = tf.concat([one, END * column], axis=1)
        tokens, following = tf.concat([BEGIN * column, other], axis=1), tf.concat([other, END * column], axis=1)
        one = padded(one, length, STEP)
        tokens, following = (padded(rows, target_length, STEP) for rows in (tokens, following))
        return {"source": one, "tokens": tokens}, following

    if training:
        # By the target first, then by the source: neither side is padded much.
        lengths = [tf.cast(side.row_lengths(), tf.int64) for side in (target, source)]
        batches = shuffled(lengths[0] * (tf.reduce_max(lengths[1]) + 1) + lengths[1], batch_size, seed)
    else:
        batches = tf.data.Dataset.range(count).batch(batch_size)
    return batches.map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
