"""A detector's answers as boxes in the pixels of the images as they came, however it was letterboxed or exported."""

import numpy as np

from kerazoo.data.detection_pipeline import batches, letterboxed


def answers(detector, images, *, batch_size=16):
    """What a detector finds in each image.

    Args:
        detector: function from (B, H, W, 3) float32 pixels to {"boxes", "scores", "classes"} as
            `kerazoo.decoding.with_boxes` has them: a compiled model, or what `kerazoo.load` gives.
        images: `kerazoo.data.detection_pipeline.Letterboxes`.
        batch_size: images in a batch.

    Returns:
        A dict for each image: "boxes" (n, 4), xyxy in its own pixels, "scores" (n,), "classes" (n,), best first.
    """
    rows = []
    for pixels, _ in batches(images, batch_size=batch_size).as_numpy_iterator():
        found = detector(pixels)
        rows += [{name: np.asarray(found[name][i]) for name in found} for i in range(len(pixels))]
    return [in_image(row, place) for row, place in zip(rows, images.places)]


def answer(detector, pixels, size):
    """What a detector of inputs of `size`, (H, W), finds in one image, uint8 (H, W, 3): as `answers` has it."""
    canvas, place = letterboxed(pixels, size)
    found = detector(canvas[None].astype("float32"))
    return in_image({name: np.asarray(found[name][0]) for name in found}, place)


def in_image(found, place):
    """One image's answer on its canvas -> in its own pixels, without padding and what lies on the bars."""
    boxes = place.to_image(found["boxes"])
    real = (found["classes"] >= 0) & ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)
    return {"boxes": boxes[real], "scores": found["scores"][real], "classes": found["classes"][real]}
