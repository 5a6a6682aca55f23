"""Random changes of training images, in whole batches inside tf.data."""

import keras
import tensorflow as tf

from kerazoo.extras import need
from kerazoo.registry import unknown_choice

# Name -> what it does; the order is the order of application.
AUGMENTATIONS = {
    "flip": "mirrors half of the images, left to right",
    "alternate": "mirrors every image in every second epoch, half of them in each (Jordan, 2024)",
    "crop": "pads by an eighth of the side with zeros and cuts a random window of the old size",
    "shift": "moves by up to a sixteenth of the side; the mirrored border fills the gap",
    "randaugment": "two random operations of colour and geometry (Cubuk et al., 2019), by keras.layers.RandAugment",
    "gridmask": "blackens the squares of a turned grid (Chen et al., 2020), by keras_cv.layers.GridMask",
    "mixup": "blends two images and their labels (Zhang et al., 2017), by keras.layers.MixUp",
    "cutmix": "puts a window of one image in another and blends labels (Yun et al., 2019), by keras.layers.CutMix",
}
MIXING = ("mixup", "cutmix")


def augmentation(names, *, num_classes=None, seed=0):
    """One function for several augmentations.

    Args:
        names: out of `AUGMENTATIONS`; "mixup" and "cutmix" together alternate at random.
        num_classes: makes labels one-hot; the mixing ones need it, theirs become shares of classes.
        seed: of the draws that Keras's layers make.

    Returns:
        `(pixels, labels, seed) -> (float32 pixels, labels)` on batches, for `tf.data.Dataset.map`;
        `seed` is an int64 scalar, new for each batch: equal seeds draw equally, in any order. Layers of Keras
        and keras-cv draw by their own seed, in the order in which parallel threads come to them.

    Raises:
        ValueError: an unknown name, or mixing without `num_classes`.
        ImportError: "gridmask" without keras-cv.

    Example:

    >>> import tensorflow as tf
    >>> change = augmentation(["flip", "crop"])
    >>> change(tf.zeros((2, 32, 32, 3), "uint8"), tf.zeros(2, "int32"), tf.constant(0, "int64"))[0].shape
    TensorShape([2, 32, 32, 3])
    """
    for name in names:
        if name not in AUGMENTATIONS:
            raise ValueError(unknown_choice("augmentation", name, AUGMENTATIONS))
    mixing = [name for name in MIXING if name in names]
    if mixing and not num_classes:
        raise ValueError(f"{' and '.join(mixing)} need `num_classes`. Received: {num_classes!r}.")
    rand_augment = keras.layers.RandAugment(value_range=(0, 255), seed=seed) if "randaugment" in names else None
    grid_mask = _keras_cv_grid_mask(seed) if "gridmask" in names else None
    mixers = [{"mixup": keras.layers.MixUp, "cutmix": keras.layers.CutMix}[name](seed=seed) for name in mixing]

    def change(pixels, labels, seed):
        if "flip" in names:
            pixels = _flip(pixels, (seed, 0))
        if "crop" in names:
            pixels = _crop(pixels, (seed, 1), share=8, mode="CONSTANT")
        if "shift" in names:
            pixels = _crop(pixels, (seed, 3), share=16, mode="SYMMETRIC")
        pixels = tf.cast(pixels, "float32")
        if rand_augment:
            pixels = rand_augment(pixels, training=True)
        if grid_mask:
            pixels = grid_mask(pixels, training=True)
        if mixers:
            batch = {"images": pixels, "labels": tf.one_hot(labels, num_classes)}
            if len(mixers) == 1:
                batch = mixers[0](batch, training=True)
            else:
                batch = tf.cond(
                    tf.random.stateless_uniform((), (seed, 5)) < 0.5,
                    lambda: mixers[0](batch, training=True),
                    lambda: mixers[1](batch, training=True),
                )
            pixels, labels = batch["images"], batch["labels"]
        elif num_classes:
            labels = tf.one_hot(labels, num_classes)
        return pixels, labels

    return change


class AlternatingFlip:
    """Mirrors each image, left to right, whenever it did not the time before.

    Random mirroring shows a quarter of all images alike in any three epochs; this one none, so that few epochs
    teach more (Jordan, 2024, https://arxiv.org/abs/2404.00498, section 3.6).

    Args:
        count: images of the data set.
        seed: of which half begins.

    Example:

    >>> import tensorflow as tf
    >>> from kerazoo.data.augment import AlternatingFlip
    >>> flip, pixels, index = AlternatingFlip(1, seed=0), tf.reshape([1, 2], (1, 1, 2, 1)), tf.constant([0], "int64")
    >>> first, second = flip(pixels, index), flip(pixels, index)
    >>> sorted([first[0, 0, :, 0].numpy().tolist(), second[0, 0, :, 0].numpy().tolist()])
    [[1, 2], [2, 1]]
    """

    def __init__(self, count, *, seed=0):
        self.mirrored = tf.Variable(tf.random.stateless_uniform((count,), (seed, 7)) < 0.5, trainable=False)

    def __call__(self, pixels, index):
        """(B, H, W, C) images and their positions in the data set, (B,), each at most once -> (B, H, W, C)."""
        mirror = ~tf.gather(self.mirrored, index)
        self.mirrored.scatter_nd_update(index[:, None], mirror)
        return tf.where(mirror[:, None, None, None], pixels[:, :, ::-1], pixels)


def _keras_cv_grid_mask(seed):
    need("keras_cv")
    import keras_cv

    return keras_cv.layers.GridMask(seed=seed)


def _flip(pixels, seed):
    """Mirrors half of the batch, left to right: (B, H, W, C)."""
    chosen = tf.random.stateless_uniform((tf.shape(pixels)[0], 1, 1, 1), seed) < 0.5
    return tf.where(chosen, pixels[:, :, ::-1], pixels)


def _crop(pixels, seed, *, share, mode):
    """Pads by one part in `share` of the side and cuts a window of the old size, another for each image: (B, H, W, C).

    One gather of rows and one of columns for the whole batch: a crop per image costs ten times that.
    """
    batch, (height, width) = tf.shape(pixels)[0], pixels.shape[1:3]
    vertical, horizontal = max(height // share, 1), max(width // share, 1)
    padded = tf.pad(pixels, ((0, 0), (vertical, vertical), (horizontal, horizontal), (0, 0)), mode=mode)
    top = tf.random.stateless_uniform((batch, 1), seed, 0, 2 * vertical + 1, "int32")
    left = tf.random.stateless_uniform((batch, 1), (seed[0], seed[1] + 1), 0, 2 * horizontal + 1, "int32")
    padded = tf.gather(padded, top + tf.range(height), axis=1, batch_dims=1)
    return tf.gather(padded, left + tf.range(width), axis=2, batch_dims=1)
