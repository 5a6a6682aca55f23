"""What all segmenters share: logits of every pixel, their loss with a void label, their checks."""

import keras
from keras import ops

from kerazoo.losses.segmentation import VOID, PixelBinaryCrossentropy


def check_sides(input_shape, multiple):
    """Refuses images whose sides a network cannot halve as often as it must.

    Raises:
        ValueError: a side that is no multiple.
    """
    if any(not side or side % multiple for side in input_shape[:2]):
        raise ValueError(
            f"The height and width of `input_shape` must be multiples of {multiple}. Received: {tuple(input_shape)}."
        )


def compile_segmenter(model, optimizer):
    """Compiles with cross-entropy of every pixel on integer labels, (B, H, W); those of `VOID` are left out.

    With one class the labels are 0 and 1, and `VOID`. Returns the model.
    """
    classes = model.output_shape[-1]
    if classes == 1:
        loss = PixelBinaryCrossentropy()
        metrics = [PixelBinaryIoU(name="mean_iou")]
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID)
        metrics = [keras.metrics.MeanIoU(classes, ignore_class=VOID, sparse_y_pred=False, name="mean_iou")]
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    return model


@keras.saving.register_keras_serializable(package="kerazoo")
class PixelBinaryIoU(keras.metrics.MeanIoU):
    """Mean intersection over union of the classes 0 and 1 from the logit of 1; void pixels are left out.

    Args:
        **options: `name` and `dtype`.

    Shapes: labels (B, H, W) or (B, H, W, 1), 0, 1 or `VOID`; logits (B, H, W, 1).

    Example:

    >>> import numpy as np
    >>> from kerazoo.models.vision.segmenter import PixelBinaryIoU
    >>> metric = PixelBinaryIoU()
    >>> _ = metric.update_state(np.array([[[0, 1, 255]]]), np.array([[[[-1.0], [1.0], [1.0]]]]))
    >>> round(float(metric.result()), 4)
    1.0
    """

    def __init__(self, **options):
        super().__init__(2, ignore_class=VOID, **options)

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, ops.cast(y_pred > 0, "int32"), sample_weight)

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def sample_of(*, input_shape, num_classes):
    """`(rng, batch) -> (images, labels)`: bright and dark regions, one of them void, for `register(sample=)`."""

    def sample(rng, batch):
        height, width, channels = input_shape
        labels = rng.integers(0, num_classes, (batch, 2, 2)).repeat(height // 2, axis=1).repeat(width // 2, axis=2)
        images = 40.0 + 160.0 * labels[..., None] / num_classes + rng.uniform(-40, 40, (batch, *input_shape))
        labels[:, :2, :2] = VOID
        return images.astype("float32"), labels

    return sample
