"""Words with tags -> tf.data of padded batches for a tagger."""

import numpy as np
import tensorflow as tf

from kerazoo.data.text_batches import padded, shuffled

UNKNOWN = 1
IGNORED = -1  # The tag of what is judged by nothing.
AUTOTUNE = tf.data.AUTOTUNE
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
        return tf.data.Dataset.range(count).batch(batch_size).map(cut, AUTOTUNE).prefetch(AUTOTUNE)
    batches = shuffled(lengths, batch_size, seed).map(cut, AUTOTUNE)
    if unknown:
        keys = tf.data.Dataset.random(seed=seed + 1, rerandomize_each_iteration=True).map(lambda key: key % (2**31))
        batches = tf.data.Dataset.zip(batches, keys).map(lambda pair, key: hidden(*pair, key), AUTOTUNE)
    return batches.prefetch(AUTOTUNE)


def tags_of_pieces(tokens, first, tags):
    """Each word's tag at its first piece, `IGNORED` at all others and the marks: ragged, as long as the pieces.

    Args:
        tokens: `tf.RaggedTensor` (N, None) of pieces.
        first: `tf.RaggedTensor` (N, None), the position of each word's first piece; of words that were cut off, none.
        tags: `tf.RaggedTensor` (N, None), one for each word.

    Example:

    >>> import tensorflow as tf
    >>> rows = (tf.ragged.constant(row) for row in ([[2, 4, 5, 6, 3]], [[1, 3]], [[7, 8]]))
    >>> tags_of_pieces(*rows).to_list()
    [[-1, 7, -1, 8, -1]]
    """
    kept = tf.gather(tags, tf.ragged.range(first.row_lengths()), batch_dims=1)
    begins = tf.cast(tf.gather(tokens.row_starts(), first.value_rowids()), tf.int32)
    empty = tf.fill((tf.size(tokens.flat_values),), IGNORED)
    places = (begins + first.flat_values)[:, None]
    return tokens.with_flat_values(tf.tensor_scatter_nd_update(empty, places, kept.flat_values))


def piece_batches(tokens, tags, *, batch_size, training=False, seed=0):
    """A `tf.data.Dataset` of (tokens, tags) for an encoder, texts of like length together in training.

    Args:
        tokens: `tf.RaggedTensor` (N, None) of pieces.
        tags: `tf.RaggedTensor` (N, None), as long.
        batch_size: texts in a batch; the last one may be smaller.
        training: shuffle.
        seed: of the order.

    Shapes: tokens (B, T) int32, 0 after a text's end; tags (B, T) int32, `IGNORED` there.
    """

    def cut(positions):
        right = padded(tf.gather(tags, positions) - IGNORED) + IGNORED
        return padded(tf.gather(tokens, positions)), right

    lengths = tf.cast(tokens.row_lengths(), tf.int64)
    whole = tf.data.Dataset.range(int(tokens.nrows())).batch(batch_size)
    return (shuffled(lengths, batch_size, seed) if training else whole).map(cut, AUTOTUNE).prefetch(AUTOTUNE)


def first_batches(tokens, first, *, batch_size, length=None):
    """A `tf.data.Dataset` of {"tokens", "first"} in their order, as `kerazoo.decoding.with_tags` takes them.

    Args:
        tokens, first: `tf.RaggedTensor` (N, None) each, as `TaggerPieces.ragged` gives them.
        batch_size: texts in a batch.
        length: pieces and words of every text, cut or padded; None pads to a multiple of 8 in each batch.
    """

    def cut(positions):
        pieces, words = padded(tf.gather(tokens, positions), length), padded(tf.gather(first, positions), length)
        return {"tokens": pieces, "first": tf.where(words < tf.shape(pieces)[1], words, 0)}

    return tf.data.Dataset.range(int(tokens.nrows())).batch(batch_size).map(cut, AUTOTUNE).prefetch(AUTOTUNE)
