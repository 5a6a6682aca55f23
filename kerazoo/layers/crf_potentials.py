"""Scores of tags and of one tag after another, for a linear-chain conditional random field."""

import keras
import numpy as np
from keras import ops

BORDER = ""
FORBIDDEN = -1e4  # Not so low that a sum with it loses what is added.


@keras.saving.register_keras_serializable(package="kerazoo")
class CRFPotentials(keras.layers.Layer):
    """What a linear-chain CRF (Lafferty et al., 2001) adds to each token's scores: those of tag after tag.

    What cannot be (an `I-PER` after neither `B-PER` nor `I-PER`) has a score far below all others: no best path has it.

    Args:
        tags: names, as `O`, `B-PER`, `I-PER` (IOB2), or with `E-` and `S-` (IOBES); names without such a beginning
            may follow on any other.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: scores of tags (B, T, K), present (B, T) bool, True up to a text's end -> potentials (B, T, K, K) float32,
        at each place from the tag before (rows, all alike at the first place) to the one there (columns).

    Raises:
        ValueError: a tag that is there twice, fewer than two, or scores of another number.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.crf_potentials import CRFPotentials
    >>> layer, scores = CRFPotentials(["O", "B-PER", "I-PER"]), numpy.zeros((1, 2, 3), "float32")
    >>> potentials = layer(scores, numpy.ones((1, 2), bool))
    >>> potentials[0, 1, 0].numpy().round(0).tolist()  # After O no I-PER.
    [0.0, 0.0, -10000.0]
    """

    def __init__(self, tags, **options):
        super().__init__(**options)
        self.tags, self.supports_masking = list(tags), True
        if len(set(self.tags)) < max(2, len(self.tags)):
            raise ValueError(f"`tags` must be at least two names, each once. Received: {self.tags}.")

    def build(self, scores_shape, present_shape):
        count = len(self.tags)
        if scores_shape[-1] != count:
            raise ValueError(f"There must be a score for each of {count} tags. Received: shape {scores_shape}.")
        self.transitions = self.add_weight(shape=(count, count), initializer="zeros", name="transitions")
        self.beginnings = self.add_weight(shape=(count,), initializer="zeros", name="beginnings")
        self.endings = self.add_weight(shape=(count,), initializer="zeros", name="endings")
        allowed = may_follow([BORDER, *self.tags, BORDER])
        self.forbidden = np.where(allowed, 0.0, FORBIDDEN).astype("float32")

    def call(self, scores, present):
        scores = ops.cast(scores, "float32")
        steps = ops.cast(self.transitions, "float32") + self.forbidden[1:-1, 1:-1]
        first = ops.broadcast_to(ops.cast(self.beginnings, "float32") + self.forbidden[0, 1:-1], steps.shape)
        is_first = ops.arange(ops.shape(scores)[1]) == 0
        is_last = ops.logical_and(present, ops.logical_not(ops.pad(present[:, 1:], [(0, 0), (0, 1)])))
        last = ops.cast(self.endings, "float32") + self.forbidden[1:-1, -1]
        scores = scores + ops.where(is_last[..., None], last, 0.0)
        return scores[:, :, None, :] + ops.where(is_first[:, None, None], first, steps)[None]

    def compute_mask(self, inputs, previous_mask=None):
        """None: the loss is of whole texts, and knows where they end."""

    def compute_output_spec(self, scores, present):
        count = len(self.tags)
        return keras.KerasTensor((*scores.shape[:2], count, count), "float32")

    def get_config(self):
        return super().get_config() | {"tags": self.tags}


def may_follow(tags):
    """(K, K) bool: whether a column's tag may stand right after a row's; `BORDER` is a text's begin and its end."""
    whole = any(tag.startswith(("E-", "S-")) for tag in tags)  # IOBES: what has begun goes on to its E-.

    def follows(one, other):
        begun = one.startswith(("B-", "I-"))
        if other.startswith(("I-", "E-")):
            return begun and one[2:] == other[2:]
        return not (whole and begun)

    return np.array([[follows(one, other) for other in tags] for one in tags])
