"""What all object detectors share: raw heads that know where their boxes are, their loss on boxes, a sample."""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="kerazoo")
class ObjectDetector(keras.Model):
    """A model that answers raw heads, {"boxes": (B, N, ...), "classes": (B, N, ...)}, of one heads layer.

    It is trained on images and {"boxes": (B, M, 4), [left, top, right, bottom] in pixels of the image, "classes":
    (B, M), -1 where there is none}. `kerazoo.decoding.with_boxes` makes a model of it that answers boxes.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)

    @property
    def heads(self):
        """The layer that made the outputs and reads boxes out of them: a `GridHeads` or an `AnchorHeads`."""
        return next(layer for layer in self.layers if hasattr(layer, "decode"))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The compiled loss, told where the heads' boxes are, and what the layers add."""
        if not isinstance(y, dict) or set(y) != {"boxes", "classes"} or tuple(y["boxes"].shape)[2:] != (4,):
            received = {key: tuple(value.shape) for key, value in y.items()} if isinstance(y, dict) else type(y)
            raise ValueError(
                "Targets must be {'boxes': (B, M, 4), 'classes': (B, M)}, padded with zeros and -1. "
                f"Received: {received}."
            )
        loss = self.loss(y, y_pred | self.heads.geometry(), sample_weight)
        return sum((self._aggregate_additional_loss(added) for added in self.losses), start=loss)


def sample_of(*, input_shape, num_classes, objects=2):
    """`(rng, batch) -> (images, targets)`: up to `objects` bright boxes, a colour a class, for `register(sample=)`."""

    def sample(rng, batch):
        height, width, _ = input_shape
        images = rng.uniform(0, 60, (batch, *input_shape))
        boxes, classes = np.zeros((batch, objects, 4)), np.full((batch, objects), -1)
        colours = np.random.default_rng(0).uniform(100, 255, (num_classes, 3))
        for image, rows, labels in zip(images, boxes, classes):
            for index in range(rng.integers(1, objects + 1)):
                w, h = (round(side * rng.uniform(0.3, 0.95)) for side in (width, height))
                x, y = rng.integers(0, width - w), rng.integers(0, height - h)
                rows[index], labels[index] = (x, y, x + w, y + h), rng.integers(0, num_classes)
                image[y : y + h, x : x + w] = colours[labels[index]] + rng.uniform(-20, 20, (h, w, 3))
        return images.astype("float32"), {"boxes": boxes.astype("float32"), "classes": classes.astype("int32")}

    return sample
