"""Images with boxes -> tf.data: decoded in parallel, letterboxed, kept where they fit, augmented in whole batches."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from kerazoo.data.boxes import Letterbox
from kerazoo.data.detection_augment import Augmentation
from kerazoo.data.memory import fits
from kerazoo.data.pipeline import LOOKED_AT
from kerazoo.extras import need
from kerazoo.image_kinds import warn_if_scaled

FILL = 128  # The grey of bars around an image.


def letterboxed(pixels, size):
    """One image on a canvas: enlarged or reduced as one (bilinear, antialiased), grey bars around.

    Args:
        pixels: uint8, (H, W, 3).
        size: (height, width) of the canvas.

    Returns:
        `(canvas, place)`: uint8, (height, width, 3), and the `Letterbox` that maps boxes there and back.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.detection_pipeline import letterboxed
    >>> canvas, place = letterboxed(np.zeros((4, 8, 3), "uint8"), (8, 8))
    >>> canvas[:, 0, 0].tolist()
    [128, 128, 0, 0, 0, 0, 128, 128]
    """
    need("PIL")
    from PIL import Image

    place = Letterbox(pixels.shape[:2], tuple(size))
    (height, width), (top, left) = place.inner, place.offset
    if (height, width) != place.image:
        pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    canvas = np.full((*place.canvas, 3), FILL, "uint8")
    canvas[top : top + height, left : left + width] = pixels
    return canvas, place


class Letterboxes:
    """The images of a split on canvases of one size, with their boxes there.

    Args:
        annotations: `kerazoo.data.detection.Annotations`.
        size: (height, width) of the canvas.
        keep: hold the pixels in memory; None does so where they fit.

    Attributes:
        pixels: uint8, (N, height, width, 3), or None where every epoch decodes anew.
        boxes: float32, (N, M, 4), xyxy on the canvas; rows of zeros where an image has fewer. M is at least 1.
        classes: int32, (N, M); -1 there. Boxes to be ignored are left out.
        places: N `Letterbox`es.
    """

    def __init__(self, annotations, size, *, keep=None):
        self.annotations, self.size = annotations, tuple(size)
        count = len(annotations)
        self.places = [Letterbox(tuple(map(int, image)), self.size) for image in annotations.sizes]
        kept = [~ignored for ignored in annotations.ignored]
        most = max([1, *(int(rows.sum()) for rows in kept)])
        self.boxes, self.classes = np.zeros((count, most, 4), "float32"), np.full((count, most), -1, "int32")
        for row, place in enumerate(self.places):
            number = int(kept[row].sum())
            self.boxes[row, :number] = place.to_canvas(annotations.boxes[row][kept[row]])
            self.classes[row, :number] = annotations.classes[row][kept[row]]
        self.pixels = None
        if fits(count * size[0] * size[1] * 3) if keep is None else keep:
            self.pixels = self._decode(np.arange(count))

    def __len__(self):
        return len(self.places)

    def load(self, index):
        """Positions, an int64 tensor of any shape -> (..., height, width, 3), uint8."""
        if self.pixels is not None:
            return tf.gather(self._held(), index)
        pixels = tf.numpy_function(lambda i: self._decode(i.ravel()), [index], tf.uint8)
        return tf.reshape(pixels, tf.concat([tf.shape(index), [*self.size, 3]], axis=0))

    def batches(self, count):
        """The images in their order, `count` at a time: uint8 arrays, (n, height, width, 3)."""
        for start in range(0, len(self), count):
            rows = np.arange(start, min(start + count, len(self)))
            yield self._decode(rows) if self.pixels is None else self.pixels[rows]

    def _held(self):
        if not hasattr(self, "_tensor"):
            with tf.init_scope():
                self._tensor = tf.constant(self.pixels)
        return self._tensor

    def _decode(self, positions):
        """uint8 (n, height, width, 3), decoded in parallel."""
        pixels = np.empty((len(positions), *self.size, 3), "uint8")

        def fill(row):
            pixels[row] = letterboxed(self.annotations.pixels(positions[row]), self.size)[0]

        with ThreadPoolExecutor() as pool:
            list(pool.map(fill, range(len(positions))))
        return pixels


def batches(images, *, batch_size, training=False, passes=1, augment=(), max_boxes=None, mosaic=None, seed=0):
    """A `tf.data.Dataset` of (images, {"boxes", "classes"}).

    Args:
        images: `Letterboxes`.
        batch_size: images in a batch; the last one may be smaller, in training it is left out.
        training: shuffle anew every epoch, and augment.
        passes: how often an epoch shows each image.
        augment: names out of `kerazoo.data.detection_augment.AUGMENTATIONS`.
        max_boxes: M, boxes of an image; the largest ones stay where there are more. By default as many as the fullest
            image can have.
        mosaic: a `tf.Variable`, bool: whether "mosaic" is on; it can be switched between epochs. None leaves it on.
        seed: of shuffling and augmentation.

    Shapes: float32 pixels in [0, 255], (B, H, W, 3); boxes (B, M, 4), float32, xyxy in pixels, zeros where there are
    fewer; classes (B, M), int32, -1 there.

    Raises:
        ValueError: no images, or an unknown augmentation.

    Example:

    >>> data = batches(Letterboxes(annotations, (320, 320)), batch_size=16, training=True)  # doctest: +SKIP
    """
    if not len(images):
        raise ValueError("A pipeline needs at least one image. Received: none.")
    warn_if_scaled(next(images.batches(LOOKED_AT)) if images.pixels is not None else images.annotations.pixels(0))
    count = len(images)
    order = tf.data.Dataset.range(count)
    if training:
        order = order.shuffle(count, seed=seed).repeat(passes)
    order = order.batch(batch_size, drop_remainder=training and count * passes >= batch_size)
    if training and augment:
        change = Augmentation(augment, images, max_boxes=max_boxes, mosaic=mosaic, seed=seed)
        return order.map(change, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    boxes, classes = tf.constant(images.boxes), tf.constant(images.classes)

    def plain(index):
        targets = {"boxes": tf.gather(boxes, index), "classes": tf.gather(classes, index)}
        pixels = tf.ensure_shape(images.load(index), (None, *images.size, 3))
        return tf.cast(pixels, "float32"), targets

    return order.map(plain, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def throughput(data, *, seconds=2.0):
    """Images a second that a pipeline gives when nobody else uses the machine; `data` must be made for this."""
    examples, start = 0, None
    for step, (pixels, _) in enumerate(data.repeat()):
        if step == 2:
            examples, start = 0, time.perf_counter()
        examples += int(pixels.shape[0])
        if start and time.perf_counter() - start > seconds:
            break
    return examples / (time.perf_counter() - start)
