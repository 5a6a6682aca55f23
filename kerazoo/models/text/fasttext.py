"""fastText (Joulin et al., 2016, https://arxiv.org/abs/1607.01759): the mean vector of words and of pairs of words.

Two of the authors' choices are others here: pairs are hashed from the ids of their words, not from their letters, and
the classes have a softmax, not a tree.
"""

import keras
from keras import layers, ops

from kerazoo.layers.hashed_bigrams import HashedBigrams
from kerazoo.layers.masked_mean_pooling import MaskedMeanPooling
from kerazoo.models.classes import compile_classes
from kerazoo.models.text.classifier import logits_of, present, sample_of, token_input
from kerazoo.registry import register

SMOKE = {"vocabulary_size": 50, "length": 12, "num_classes": 4, "embedding_size": 16, "buckets": 101}


@register(
    domain="text",
    task="text_classification",
    smoke=SMOKE,
    sample=sample_of(length=12, vocabulary_size=50, num_classes=4),
)
def fasttext(
    *,
    vocabulary_size=20_000,
    length=None,
    embedding_size=10,
    buckets=200_000,
    dropout=0.0,
    num_classes=2,
    learning_rate=1e-2,
    name="fasttext",
):
    """The mean of vectors of words and pairs, compiled with Adam and cross-entropy on integer labels.

    Args:
        vocabulary_size: token ids are below it; 0 is padding.
        length: tokens of a text; None takes any.
        embedding_size: of a vector; the paper's is 10.
        buckets: vectors that all pairs of words share; None leaves pairs out.
        dropout: before the last layer.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: tokens (B, length) int32 -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, or fewer than two ids or classes.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("fasttext", vocabulary_size=5000, buckets=10_000, num_classes=3).output_shape
    (None, 3)
    """
    sizes = {"embedding_size": embedding_size} | ({} if buckets is None else {"buckets": buckets})
    tokens = token_input(length, vocabulary_size, num_classes, **sizes)
    there = present(tokens)
    x = layers.Embedding(vocabulary_size, embedding_size, name="embedding")(tokens)
    if buckets is not None:
        pairs = HashedBigrams(buckets, name="pairs")(tokens)
        x = layers.Concatenate(axis=1, name="features")(
            [x, layers.Embedding(buckets + 1, embedding_size, name="pair_embedding")(pairs)]
        )
        there = ops.concatenate([there, present(pairs)], axis=1)
    x = MaskedMeanPooling(name="mean")(x, there)
    return compile_classes(keras.Model(tokens, logits_of(x, num_classes, dropout=dropout), name=name), learning_rate)
