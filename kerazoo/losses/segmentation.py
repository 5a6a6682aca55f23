"""Losses of segmenters, on logits: focal, Tversky, Dice, boundary, and their sums; void pixels count for nothing."""

import keras
from keras import ops

from kerazoo.registry import unknown_choice

VOID = 255  # The label of pixels that count for nothing, in Pascal VOC, Cityscapes and COCO-Stuff alike.


class _PixelLoss(keras.losses.Loss):
    """What these losses share: which pixels are known, and what they should be."""

    def __init__(self, ignore_class, name, **options):
        super().__init__(name=name, **options)
        self.ignore_class = ignore_class

    def _truth(self, y_true, y_pred):
        """`(truth, known)`: one-hot (B, H, W, C), zero where void; (B, H, W, 1), one where a pixel counts."""
        if len(y_true.shape) == len(y_pred.shape):
            y_true = ops.squeeze(y_true, -1)
        known = ops.not_equal(y_true, self.ignore_class)
        labels = ops.where(known, y_true, ops.zeros_like(y_true))
        known = ops.cast(ops.expand_dims(known, -1), y_pred.dtype)
        if y_pred.shape[-1] == 1:
            return ops.expand_dims(ops.cast(labels, y_pred.dtype), -1) * known, known
        return ops.one_hot(ops.cast(labels, "int32"), y_pred.shape[-1], dtype=y_pred.dtype) * known, known

    def get_config(self):
        return super().get_config() | {"ignore_class": self.ignore_class}


@keras.saving.register_keras_serializable(package="kerazoo")
class PixelBinaryCrossentropy(_PixelLoss):
    """Binary cross-entropy of every pixel of a segmenter with one class.

    Args:
        ignore_class: the label of void pixels.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B, H, W) or (B, H, W, 1), 0 and 1; logits (B, H, W, 1). The answer is the mean over all pixels that
        are not void.

    Example:

    >>> import numpy as np
    >>> from kerazoo.losses.segmentation import PixelBinaryCrossentropy
    >>> labels, logits = np.array([[[1, 255]]]), np.zeros((1, 1, 2, 1), "float32")
    >>> round(float(PixelBinaryCrossentropy()(labels, logits)), 4)  # log 2
    0.6931
    """

    def __init__(self, ignore_class=VOID, name="binary_crossentropy", **options):
        super().__init__(ignore_class, name, **options)

    def call(self, y_true, y_pred):
        truth, known = self._truth(y_true, y_pred)
        losses = known * (ops.relu(y_pred) - y_pred * truth + ops.log1p(ops.exp(-ops.abs(y_pred))))
        return ops.sum(losses) / ops.maximum(ops.sum(known), 1.0)


def _shares(logits):
    return ops.sigmoid(logits) if logits.shape[-1] == 1 else ops.softmax(logits, axis=-1)


@keras.saving.register_keras_serializable(package="kerazoo")
class PixelFocal(_PixelLoss):
    """Focal cross-entropy of every pixel (Lin et al., 2017, https://arxiv.org/abs/1708.02002).

    Args:
        gamma: how much less than others a pixel counts that is answered well; 0 is the cross-entropy.
        class_weights: of each class, or None for one; with one class that of 0 and that of 1.
        ignore_class: the label of void pixels.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B, H, W) or (B, H, W, 1), integers; logits (B, H, W, C), with C = 1 of label 1. The answer is
        the mean over all pixels that are not void, weighted.

    Raises:
        ValueError: a negative `gamma`.

    Example:

    >>> import numpy as np
    >>> from kerazoo.losses.segmentation import PixelFocal
    >>> labels, logits = np.array([[[0, 255]]]), np.zeros((1, 1, 2, 2), "float32")
    >>> round(float(PixelFocal(gamma=2.0)(labels, logits)), 4)  # (1 - 1/2)^2 log 2
    0.1733
    """

    def __init__(self, gamma=2.0, class_weights=None, ignore_class=VOID, name="focal", **options):
        super().__init__(ignore_class, name, **options)
        if gamma < 0:
            raise ValueError(f"`gamma` must not be negative. Received: {gamma!r}.")
        self.gamma, self.class_weights = gamma, None if class_weights is None else list(map(float, class_weights))

    def call(self, y_true, y_pred):
        truth, known = self._truth(y_true, y_pred)
        if y_pred.shape[-1] == 1:
            truth = ops.concatenate([known - truth, truth], axis=-1)
            logarithms = ops.concatenate([ops.log_sigmoid(-y_pred), ops.log_sigmoid(y_pred)], axis=-1)
        else:
            logarithms = ops.log_softmax(y_pred, axis=-1)
        own = ops.sum(truth * logarithms, axis=-1)
        weights = known[..., 0]
        if self.class_weights:
            weights = ops.sum(truth * ops.cast(self.class_weights, y_pred.dtype), axis=-1)
        losses = -own if self.gamma == 0 else -own * (1.0 - ops.exp(own)) ** self.gamma
        return ops.sum(weights * losses) / ops.maximum(ops.sum(weights), keras.config.epsilon())

    def get_config(self):
        return super().get_config() | {"gamma": self.gamma, "class_weights": self.class_weights}


@keras.saving.register_keras_serializable(package="kerazoo")
class Tversky(_PixelLoss):
    """One minus the Tversky index, the overlap of answer and truth (Salehi et al., 2017, https://arxiv.org/abs/1706.05721).

    The overlap is of all the batch's pixels together, the mean of the classes that are there: a class that no image
    of the batch has would count as wrong for a trace of it.

    Args:
        alpha: what a false pixel of a class costs; one half for both is Dice.
        beta: what a missed one costs.
        gamma: the power of each class's loss (Abraham and Khan, 2018, https://arxiv.org/abs/1810.07842).
        smooth: pixels added above and below, so that a class of few pixels has a gradient.
        ignore_class: the label of void pixels.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B, H, W) or (B, H, W, 1), integers; logits (B, H, W, C), with C = 1 of label 1.

    Example:

    >>> import numpy as np
    >>> from kerazoo.losses.segmentation import Tversky
    >>> labels, logits = np.array([[[1, 1, 0]]]), np.array([[[[30.0], [-30.0], [30.0]]]], "float32")
    >>> round(float(Tversky(alpha=0.3, beta=0.7, smooth=0.0)(labels, logits)), 4)  # 1 - 1 / (1 + 0.3 + 0.7)
    0.5
    """

    def __init__(self, alpha=0.3, beta=0.7, gamma=1.0, smooth=1.0, ignore_class=VOID, name="tversky", **options):
        super().__init__(ignore_class, name, **options)
        self.alpha, self.beta, self.gamma, self.smooth = alpha, beta, gamma, smooth

    def call(self, y_true, y_pred):
        truth, known = self._truth(y_true, y_pred)
        shares, axes = _shares(y_pred) * known, (0, 1, 2)
        both = ops.sum(truth * shares, axis=axes)
        false, missed = ops.sum(shares, axis=axes) - both, ops.sum(truth, axis=axes) - both
        below = both + self.alpha * false + self.beta * missed + self.smooth
        losses = 1.0 - (both + self.smooth) / ops.maximum(below, keras.config.epsilon())
        if self.gamma != 1.0:  # The root of zero has no gradient.
            losses = ops.maximum(losses, keras.config.epsilon()) ** self.gamma
        there = ops.cast(ops.any(truth > 0, axis=axes), y_pred.dtype)
        return ops.sum(losses * there) / ops.maximum(ops.sum(there), 1.0)

    def get_config(self):
        own = {"alpha": self.alpha, "beta": self.beta, "gamma": self.gamma, "smooth": self.smooth}
        return super().get_config() | own


@keras.saving.register_keras_serializable(package="kerazoo")
class Dice(_PixelLoss):
    """One minus the Dice coefficient (Milletari et al., 2016, https://arxiv.org/abs/1606.04797), by `Tversky`.

    Args:
        smooth: pixels added above and below.
        ignore_class: the label of void pixels.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: as of `Tversky`.

    Example:

    >>> import numpy as np
    >>> from kerazoo.losses.segmentation import Dice
    >>> labels, logits = np.array([[[1, 1, 0, 255]]]), np.array([[[[30.0], [-30.0], [-30.0], [30.0]]]], "float32")
    >>> round(float(Dice(smooth=0.0)(labels, logits)), 4)  # 1 - 2 / (2 + 1)
    0.3333
    """

    def __init__(self, smooth=1.0, ignore_class=VOID, name="dice", **options):
        super().__init__(ignore_class, name, **options)
        self.smooth = smooth
        # Twice the overlap and its smoothing over the sizes: half of both, above and below.
        self._tversky = Tversky(alpha=0.5, beta=0.5, smooth=smooth / 2, ignore_class=ignore_class)

    def call(self, y_true, y_pred):
        return self._tversky.call(y_true, y_pred)

    def get_config(self):
        return super().get_config() | {"smooth": self.smooth}


@keras.saving.register_keras_serializable(package="kerazoo")
class Boundary(_PixelLoss):
    """Boundary loss (Kervadec et al., 2019, https://arxiv.org/abs/1812.07032): answers far outside cost, inside pay.

    Each class's share of a pixel is multiplied by the pixel's distance to that class's border, negative inside. It
    has no minimum at which a class is found from nothing: add it to a loss of regions, as in "dice+boundary".

    Differs from the paper: distances are computed here, from the labels, are cut off at `reach` pixels and divided
    by it, so that the loss lies between -1 and 1. Void counts as another class where borders are drawn. A class that
    an image has not, or that fills it, has no border in it, and no loss there, as in the authors' code.

    Args:
        reach: pixels to which distances are told apart; time and memory grow with it.
        ignore_class: the label of void pixels.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: labels (B, H, W) or (B, H, W, 1), integers; logits (B, H, W, C), with C = 1 of label 1.

    Raises:
        ValueError: a `reach` below 1.

    Example:

    >>> import numpy as np
    >>> from kerazoo.losses.segmentation import Boundary
    >>> labels = np.array([[[0, 0, 1, 0, 0]]])
    >>> far = np.array([[[[30.0], [-30.0], [-30.0], [-30.0], [-30.0]]]], "float32")
    >>> round(float(Boundary(reach=4)(labels, far)), 2)  # One of five pixels, two of four away.
    0.1
    """

    def __init__(self, reach=10, ignore_class=VOID, name="boundary", **options):
        super().__init__(ignore_class, name, **options)
        if reach < 1:
            raise ValueError(f"`reach` must be at least 1. Received: {reach!r}.")
        self.reach = reach

    def call(self, y_true, y_pred):
        truth, known = self._truth(y_true, y_pred)
        outside, inside = self._distance(truth), self._distance(1.0 - truth)
        signed = (outside * (1.0 - truth) - (inside - 1.0) * truth) / self.reach
        sides = (ops.any(truth > 0, axis=(1, 2), keepdims=True), ops.any(truth < 1, axis=(1, 2), keepdims=True))
        border = ops.cast(ops.logical_and(*sides), y_pred.dtype)
        counted = ops.sum(known) * y_pred.shape[-1]
        return ops.sum(ops.stop_gradient(signed * border * known) * _shares(y_pred)) / ops.maximum(counted, 1.0)

    def _distance(self, mask):
        """Pixels to the nearest one of a mask, (B, H, W, C), at most `reach`: along columns, then along rows."""
        squares = ops.where(mask > 0, ops.zeros_like(mask), float(self.reach**2) * ops.ones_like(mask))
        for axis in (1, 2):
            size, ends = mask.shape[axis], [(0, 0)] * 4
            ends[axis] = (self.reach, self.reach)
            padded = ops.pad(squares, ends, constant_values=float(self.reach**2))
            for step in range(-self.reach, self.reach + 1):
                window = [slice(None)] * 4
                window[axis] = slice(self.reach + step, self.reach + step + size)
                squares = ops.minimum(squares, padded[tuple(window)] + float(step**2))
        return ops.sqrt(squares)

    def get_config(self):
        return super().get_config() | {"reach": self.reach}


@keras.saving.register_keras_serializable(package="kerazoo")
class LossSum(keras.losses.Loss):
    """Several losses of the same answer, added.

    Args:
        losses: instances.
        weights: of each, or None for one.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Raises:
        ValueError: no losses, or not as many weights.

    Example:

    >>> from kerazoo.losses.segmentation import Boundary, Dice, LossSum
    >>> LossSum([Dice(), Boundary()], weights=[1.0, 0.1]).weights
    [1.0, 0.1]
    """

    def __init__(self, losses, weights=None, name="loss_sum", **options):
        super().__init__(name=name, **options)
        self.losses, self.weights = list(losses), [1.0] * len(losses) if weights is None else list(map(float, weights))
        if not self.losses or len(self.losses) != len(self.weights):
            raise ValueError(
                "`losses` must be some, `weights` as many. "
                f"Received: {len(self.losses)} losses and {len(self.weights)} weights."
            )

    def call(self, y_true, y_pred):
        return sum(weight * loss.call(y_true, y_pred) for loss, weight in zip(self.losses, self.weights))

    def get_config(self):
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return super().get_config() | {"losses": losses, "weights": self.weights}

    @classmethod
    def from_config(cls, config):
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config.pop("losses")]
        return cls(losses, **config)


LOSSES = {
    "cross_entropy": lambda: PixelFocal(gamma=0.0, name="cross_entropy"),
    "focal": PixelFocal,
    "tversky": Tversky,
    "dice": Dice,
    "boundary": Boundary,
}


def pixel_loss(names):
    """The loss of a name of `LOSSES`, or of several joined by "+", which are added.

    Raises:
        ValueError: an unknown name, or "boundary" alone.

    Example:

    >>> from kerazoo.losses.segmentation import pixel_loss
    >>> pixel_loss("dice").name, pixel_loss("cross_entropy+dice").name
    ('dice', 'cross_entropy_dice')
    """
    parts = names.split("+")
    for part in parts:
        if part not in LOSSES:
            raise ValueError(unknown_choice("loss of pixels", part, LOSSES))
    if parts == ["boundary"]:
        raise ValueError('The boundary loss goes with one of regions: `loss="dice+boundary"`. Received: "boundary".')
    losses = [LOSSES[part]() for part in parts]
    return losses[0] if len(losses) == 1 else LossSum(losses, name="_".join(parts))
