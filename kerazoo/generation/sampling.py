"""How the next token is drawn from logits."""

from dataclasses import dataclass

import tensorflow as tf

NEVER = -1e9  # A logit whose token is never drawn.


@dataclass(frozen=True)
class Sampling:
    """The filters on the next token's distribution, applied in this order.

    Attributes:
        repetition_penalty: logits of tokens that are there already are divided by it where positive, multiplied
            where negative (Keskar et al., 2019, https://arxiv.org/abs/1909.05858); 1 changes nothing.
        temperature: divides the logits; 0 takes the likeliest token always.
        top_k: so many of the likeliest tokens are left; None all.
        top_p: the likeliest are left whose probabilities sum up to it (Holtzman et al., 2019,
            https://arxiv.org/abs/1904.09751); None all.
        min_p: those are left that have this share of the likeliest's probability (Nguyen et al., 2024,
            https://arxiv.org/abs/2407.01082); None all.

    Raises:
        ValueError: one that is out of its range.

    Example:

    >>> Sampling(temperature=0.8, top_k=40)
    Sampling(repetition_penalty=1.0, temperature=0.8, top_k=40, top_p=None, min_p=None)
    """

    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self):
        for name, value, right, rule in (
            ("repetition_penalty", self.repetition_penalty, self.repetition_penalty > 0, "above 0"),
            ("temperature", self.temperature, self.temperature >= 0, "at least 0"),
            ("top_k", self.top_k, self.top_k is None or isinstance(self.top_k, int) and self.top_k >= 1, "at least 1"),
            ("top_p", self.top_p, self.top_p is None or 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("min_p", self.min_p, self.min_p is None or 0 <= self.min_p < 1, "at least 0 and below 1"),
        ):
            if not right:
                raise ValueError(f"`{name}` must be {rule}. Received: {value!r}.")

    @property
    def kind(self):
        """What the compiled graph depends on; the numbers of `values` come at run time."""
        return (
            self.repetition_penalty != 1,
            self.temperature == 0,
            self.top_k,
            self.top_p is not None,
            bool(self.min_p),
        )

    @property
    def values(self):
        """(4,) float32: penalty, temperature, top_p, min_p."""
        return tf.constant([self.repetition_penalty, self.temperature or 1.0, self.top_p or 1.0, self.min_p or 0.0])


def draw(logits, kind, values, seed, present=None):
    """The next token of each row.

    Args:
        logits: (B, V).
        kind: `Sampling.kind`.
        values: `Sampling.values`.
        seed: (2,) int32; the same seed draws the same.
        present: (B, V) bool, the tokens that are there already, for a penalty.

    Shapes: -> (B,) int32.
    """
    penalized, greedy, *_ = kind
    logits = tf.cast(logits, tf.float32)
    if penalized:
        logits = tf.where(present, tf.where(logits > 0, logits / values[0], logits * values[0]), logits)
    if not greedy:
        logits = filtered(logits / values[1], kind, values)
        # The largest of these is drawn as softmax would have it (Gumbel).
        logits -= tf.math.log(-tf.math.log(uniform(tf.shape(logits), seed)))
    return tf.argmax(logits, axis=-1, output_type=tf.int32)


def filtered(logits, kind, values):
    """Logits (B, V) with those that `top_k`, `top_p` and `min_p` leave out at `NEVER`."""
    _, _, top_k, top_p, min_p = kind
    if top_k is not None and top_k < logits.shape[-1]:
        least = tf.math.top_k(logits, top_k).values[:, -1:]
        logits = tf.where(logits < least, NEVER, logits)
    if top_p:
        ordered = tf.sort(logits, direction="DESCENDING")
        shares = tf.nn.softmax(ordered)
        kept = tf.cumsum(shares, axis=-1, exclusive=True) < values[2]
        least = tf.reduce_min(tf.where(kept, ordered, tf.float32.max), axis=-1, keepdims=True)
        logits = tf.where(logits < least, NEVER, logits)
    if min_p:
        least = tf.reduce_max(logits, axis=-1, keepdims=True) + tf.math.log(values[3])
        logits = tf.where(logits < least, NEVER, logits)
    return logits


def uniform(shape, seed):
    """Numbers in (0, 1) from a seed (2,), int32: those of a hash, alike with and without XLA.

    TensorFlow's own stateless numbers are others under XLA: an exported file would write another text.
    """
    words = tf.reshape(tf.range(tf.reduce_prod(shape)), shape)
    words = tf.bitcast(words, tf.uint32) * tf.constant(0x9E3779B9, tf.uint32)
    for number in tf.unstack(tf.bitcast(seed, tf.uint32)):
        words = _mixed(words + _mixed(number + tf.constant(0x85EBCA6B, tf.uint32)))
    # 23 bits and a half: exact in float32, and neither 0 nor 1.
    return (tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32) + 0.5) * 2.0**-23


def _mixed(words):
    """MurmurHash3's finalizer: every bit of uint32 depends on every other."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32)))
        words *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(16, tf.uint32)))
