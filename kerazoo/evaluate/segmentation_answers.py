"""Answers of segmenters to whole images, image by image, so that no split's logits are held at once."""

import keras
import numpy as np

from kerazoo.evaluate.segmentation import confusion, evaluate


def collect(functions, pixels, *, batch_size=8, share_of=None):
    """Runs every function on every image.

    Args:
        functions: {name: function from (B, H, W, 3) float32 to (B, H, W, C) logits}; the first is the reference.
        pixels: uint8, (N, H, W, 3).
        batch_size: images at once.
        share_of: a class, how likely the reference finds each pixel to be of it, or None.

    Returns:
        `({name: (N, H, W) uint8 classes}, {name: largest difference from the reference's logits, over its largest},
        (N, H, W) float32 shares or None)`.
    """
    names = list(functions)
    answers = {name: np.empty(pixels.shape[:3], "uint8") for name in names}
    apart, largest = dict.fromkeys(names, 0.0), 0.0
    shares = None if share_of is None else np.empty(pixels.shape[:3], "float32")
    for start in range(0, len(pixels), batch_size):
        part = slice(start, start + batch_size)
        batch = pixels[part].astype("float32")
        reference = None
        for name in names:
            logits = np.asarray(functions[name](batch), "float32")
            reference = logits if reference is None else reference
            answers[name][part] = logits.argmax(axis=-1)
            apart[name] = max(apart[name], float(np.abs(logits - reference).max()))
        largest = max(largest, float(np.abs(reference).max()))
        if shares is not None:
            powers = np.exp(reference - reference.max(axis=-1, keepdims=True))
            shares[part] = powers[..., share_of] / powers.sum(axis=-1)
    return answers, {name: value / max(largest, 1e-12) for name, value in apart.items()}, shares


class Validation(keras.callbacks.Callback):
    """Adds `val_loss` and `val_mean_iou` of whole images to each epoch's figures, for a training on windows.

    It must come before the callbacks that read them.

    Args:
        model: the same network for whole images; it is given the trained one's weights.
        images: a `kerazoo.data.masks.Masked`.
        classes: how many.
        batch_size: images at once.
    """

    def __init__(self, model, images, *, classes, batch_size=4):
        super().__init__()
        self.whole, self.images, self.classes, self.batch_size = model, images, classes, batch_size
        self._answer = None

    def on_epoch_end(self, epoch, logs=None):
        import tensorflow as tf

        if self._answer is None:

            @tf.function
            def answer(pixels, labels):
                logits = self.whole(pixels, training=False)
                return tf.argmax(logits, axis=-1), self.whole.loss(labels, logits)

            self._answer = answer
        self.whole.set_weights(self.model.get_weights())
        total, losses = np.zeros((self.classes, self.classes), "int64"), 0.0
        for start in range(0, len(self.images), self.batch_size):
            joined = self.images.joined[start : start + self.batch_size]
            labels = joined[..., 3].astype("int32")
            answers, loss = self._answer(joined[..., :3].astype("float32"), labels)
            total += confusion(labels, answers.numpy(), self.classes)
            losses += float(loss) * len(joined)
        right = np.diag(total)
        union = total.sum(axis=0) + total.sum(axis=1) - right
        logs["val_loss"] = losses / len(self.images)
        logs["val_mean_iou"] = float((right[union > 0] / union[union > 0]).mean())


def score(images, answers, data):
    """The `Evaluation` of one form's answers; outlines are measured where there are two classes."""
    return evaluate(images.masks, answers, len(data.classes), outlines=len(data.classes) == 2)
