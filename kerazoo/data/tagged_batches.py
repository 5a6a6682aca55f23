"""Words with tags -> tf.data of padded batches for a tagger."""

import numpy as np
import tensorflow as tf

from kerazoo.data.text_batches import padded, shuffled

UNKNOWN = 1
STEP = 4  # Lengths of batches are multiples of it.


def tagged_batches(tokens, characters, tags, *, batch_size, length=None, training=False, unknown=0.0, seed=0):
    """A `tf.data.Dataset` of ({"tokens", "characters"}, tags).

    In training texts of like length share a batch, each text in one batch of an epoch, in a new order; and words that
    occur once in all texts are told as unknown with the chance `unknown` (Lample et al., 2016), so that the network
    learns what to make of words that it does not know.

    Args:
        tokens: `tf.RaggedTensor` (N, None) of ids.
        characters: `tf.RaggedTensor` (N, None, C) of ids.
        tags: `tf.RaggedTensor` (N, None) of places among the tags.
        batch_size: texts in a batch; the last one may be smaller.
        length: words of every text, cut or padded; None pads to a multiple of 4 in each batch.
        training: shuffle.
        unknown: as said.
        seed: of the order and the unknown.

    Shapes: tokens (B, T), characters (B, T, C), int32, 0 after a text's end; tags (B, T), int32, -1 there.

    Raises:
        ValueError: a word without a tag, or a share outside [0, 1).
    """
    count = int(tokens.nrows())
    lengths = tf.cast(tokens.row_lengths(), tf.int64)
    if int(tags.nrows()) != count or not np.array_equal(tags.row_lengths(), lengths):
        raise ValueError("Every word must have a tag.")
    if not 0 <= unknown < 1:
        raise ValueError(f"`unknown` must be in [0, 1). Received: {unknown}.")
    once = np.bincount(tokens.flat_values.numpy(), minlength=2) == 1
    rare, width = tf.constant(once), characters.shape[-1]

    def cut(positions):
        ids = padded(tf.gather(tokens, positions), length, STEP)
        long = tf.shape(ids)[1]
        signs = tf.gather(characters, positions)[:, :long].to_tensor(0)
        signs = tf.pad(signs, [[0, 0], [0, long - tf.shape(signs)[1]], [0, 0]])
        right = padded(tf.gather(tags, positions) + 1, length, STEP) - 1
        return {"tokens": ids, "characters": tf.ensure_shape(signs, (None, length, width))}, right

    def hidden(inputs, right, key):
        chance = tf.random.stateless_uniform(tf.shape(inputs["tokens"]), tf.stack([key, key + 1]))
        hide = tf.gather(rare, inputs["tokens"]) & (chance < unknown)
        return inputs | {"tokens": tf.where(hide, UNKNOWN, inputs["tokens"])}, right

    if not training:
        return tf.data.Dataset.range(count).batch(batch_size).map(cut, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    batches = shuffled(lengths, batch_size, seed).map(cut, tf.data.AUTOTUNE)
    if unknown:
        keys = tf.data.Dataset.random(seed=seed + 1, rerandomize_each_iteration=True).map(lambda key: key % (2**31))
        batches = tf.data.Dataset.zip(batches, keys).map(lambda pair, key: hidden(*pair, key), tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE)
