"""What all segmenters share: logits of every pixel, their loss with a void label, their checks."""

import keras

from kerazoo.losses.segmentation import VOID


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

    With one class the labels are 0 and 1, float (B, H, W, 1), without void. Returns the model.
    """
    classes = model.output_shape[-1]
    if classes == 1:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        metrics = [keras.metrics.BinaryIoU(target_class_ids=(0, 1), threshold=0.0, name="mean_iou")]
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID)
        metrics = [keras.metrics.MeanIoU(classes, ignore_class=VOID, sparse_y_pred=False, name="mean_iou")]
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
    return model


def sample_of(*, input_shape, num_classes):
    """`(rng, batch) -> (images, labels)`: bright and dark regions, one of them void, for `register(sample=)`."""

    def sample(rng, batch):
        height, width, channels = input_shape
        labels = rng.integers(0, num_classes, (batch, 2, 2)).repeat(height // 2, axis=1).repeat(width // 2, axis=2)
        images = 40.0 + 160.0 * labels[..., None] / num_classes + rng.uniform(-40, 40, (batch, *input_shape))
        labels[:, :2, :2] = VOID
        return images.astype("float32"), labels

    return sample
