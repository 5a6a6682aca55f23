"""The pipeline of images with boxes: what comes out of it, and boxes that go where their images go."""

import numpy as np
import pytest

from kerazoo.data.boxes import Letterbox

Image = pytest.importorskip("PIL.Image")


def painted(size, boxes, value=255):
    """A dark image with bright boxes."""
    pixels = np.zeros((*size, 3), "uint8")
    for left, top, right, bottom in np.asarray(boxes, int):
        pixels[top:bottom, left:right] = value
    return pixels


def bright(pixels, over=100):
    """The box around the bright pixels, or None."""
    rows, columns = np.nonzero(pixels[..., 0] > over)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else None


@pytest.mark.parametrize("image", [(480, 640), (333, 77), (5, 5), (320, 320)])
def test_a_letterbox_goes_back_to_the_images_pixels(image):
    from kerazoo.data.detection_pipeline import letterboxed

    place = Letterbox(image, (256, 320))
    box = np.array([[0.0, 0.0, image[1], image[0]], [1.0, 2.0, 4.0, 5.0]], "float32")
    np.testing.assert_allclose(place.to_image(place.to_canvas(box)), box, atol=1e-3)
    canvas, same_place = letterboxed(np.full((*image, 3), 255, "uint8"), (256, 320))
    assert canvas.shape == (256, 320, 3) and same_place == place
    assert bright(canvas, over=200) == np.round(place.to_canvas(box[:1]))[0].tolist()


def grid(count, *, keep, size=(64, 96)):
    """Letterboxes of images with one bright box each, and where it is."""
    from kerazoo.data.detection import Annotations
    from kerazoo.data.detection_pipeline import Letterboxes

    rng = np.random.default_rng(1)
    corners = np.stack([rng.integers(0, 40, count), rng.integers(0, 20, count)], axis=1)
    boxes = np.concatenate([corners, corners + rng.integers(16, 40, (count, 2))], axis=1).astype("float32")
    from io import BytesIO

    sources = []
    for box in boxes:
        buffer = BytesIO()
        Image.fromarray(painted(size, [box])).save(buffer, "PNG")
        sources.append(buffer.getvalue())
    annotations = Annotations(
        tuple(map(str, range(count))),
        tuple(sources),
        np.array([size] * count, "int32"),
        tuple(boxes[:, None]),
        tuple(np.zeros((count, 1), "int32")),
        tuple(np.zeros((count, 1), bool)),
    )
    return Letterboxes(annotations, size, keep=keep), boxes


@pytest.mark.parametrize("keep", [True, False])
def test_the_pipeline_gives_images_with_their_boxes(keep):
    from kerazoo.data.detection_pipeline import batches

    images, boxes = grid(5, keep=keep)
    assert (images.pixels is not None) == keep
    received = list(batches(images, batch_size=2).as_numpy_iterator())
    assert [len(pixels) for pixels, _ in received] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([t["boxes"] for _, t in received])[:, 0], boxes)
    training = batches(images, batch_size=2, training=True, passes=3, augment=("flip",), seed=0)
    assert len(list(training)) == 7
    for pixels, targets in received + list(training.as_numpy_iterator()):
        for image, box in zip(pixels, targets["boxes"]):
            assert bright(image) == box[0].tolist()


@pytest.mark.parametrize(
    "names",
    [("flip",), ("flip_vertical",), ("affine",), ("flip", "affine", "rotate"), ("flip", "flip_vertical", "mosaic")],
)
def test_boxes_go_where_their_images_go(names):
    """The painted box, found again in the changed image, is the box that came along."""
    import tensorflow as tf

    from kerazoo.data.detection_augment import Augmentation

    images, before = grid(8, keep=True)
    pixels, targets = Augmentation(names, images, seed=3)(tf.range(8, dtype="int64"))
    checked_boxes, moved = 0, 0
    for image, boxes, classes, old in zip(pixels.numpy(), targets["boxes"].numpy(), targets["classes"].numpy(), before):
        boxes = boxes[classes >= 0]
        moved += not any(np.allclose(box, old, atol=1) for box in boxes)
        for left, top, right, bottom in boxes:
            middle = image[int((top + bottom) / 2), int((left + right) / 2), 0]
            assert middle > 200, "the middle of a box is bright"
            checked_boxes += 1
        if len(boxes) == 1 and "mosaic" not in names:
            np.testing.assert_allclose(bright(image, over=140), boxes[0], atol=1.6)
        total = sum((b[2] - b[0]) * (b[3] - b[1]) for b in boxes)
        if "rotate" not in names and "mosaic" not in names and len(boxes):
            assert abs((image[..., 0] > 190).sum() - total) < 0.12 * total
    assert checked_boxes >= 6 and moved >= 2


def test_a_mosaic_shows_four_images_and_can_be_switched_off():
    import tensorflow as tf

    from kerazoo.data.detection_augment import Augmentation

    images, before = grid(8, keep=True)
    switch = tf.Variable(True, trainable=False)
    change = tf.function(Augmentation(("mosaic",), images, mosaic=switch, seed=0))
    index = tf.range(8, dtype="int64")
    assert (change(index)[1]["classes"].numpy() >= 0).sum(axis=1).max() >= 3
    switch.assign(False)
    pixels, targets = change(index)
    np.testing.assert_array_equal(targets["boxes"][:, 0], before)
    np.testing.assert_array_equal(pixels, images.pixels)


def test_mixup_and_copy_paste_bring_the_others_boxes():
    import tensorflow as tf

    from kerazoo.data import detection_augment

    images, before = grid(64, keep=True)
    pixels, boxes, classes = tf.cast(images.pixels, "float32"), tf.constant(images.boxes), tf.constant(images.classes)
    blended, both, labels = detection_augment.mixup(pixels, boxes, classes, seed=(0, 0))
    mixed = np.flatnonzero(labels.numpy()[:, 1] >= 0)
    assert 5 < len(mixed) < 30, "about a quarter"
    np.testing.assert_array_equal(both.numpy()[mixed, 1], np.roll(before, 1, axis=0)[mixed])
    assert {round(x) for x in np.unique(blended.numpy()[mixed[0]])} - {0, 255}
    pasted, both, labels = detection_augment.copy_paste(pixels, boxes, classes, seed=(0, 0))
    new = np.flatnonzero(labels.numpy()[:, 1] >= 0)
    assert 16 < len(new) < 48, "about half"
    for row in new:
        left, top, right, bottom = both.numpy()[row, 1].astype(int)
        assert (pasted.numpy()[row, top:bottom, left:right] == 255).all()
        np.testing.assert_array_equal(both.numpy()[row, 1], np.roll(before, 1, axis=0)[row])


def test_colour_keeps_grey_grey_and_draws_by_its_seed():
    import tensorflow as tf

    from kerazoo.data.detection_augment import Augmentation, colour

    grey = tf.fill((4, 2, 2, 3), 90.0)
    changed = colour(grey, seed=(1, 2)).numpy()
    np.testing.assert_allclose(changed, changed[..., :1].repeat(3, axis=-1), atol=0.2)
    assert np.ptp(changed[:, 0, 0, 0]) > 5, "each image its own way"
    images, _ = grid(4, keep=True)
    names = ("flip", "mosaic", "copy_paste", "colour", "mixup")
    index = tf.range(4, dtype="int64")
    first, again, other = (Augmentation(names, images, seed=seed)(index) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1]["boxes"], again[1]["boxes"])
    assert np.abs(first[0] - other[0]).max() > 50


def test_the_largest_boxes_stay_where_there_are_too_many():
    import tensorflow as tf

    from kerazoo.data.detection_augment import largest_first

    boxes = tf.constant([[[0, 0, 1, 1], [0, 0, 9, 9], [0, 0, 5, 5.0]]])
    kept, classes = largest_first(boxes, tf.constant([[0, -1, 2]]), 1)
    assert classes.numpy().tolist() == [[2]] and kept.numpy().tolist() == [[[0, 0, 5, 5]]]
    assert largest_first(boxes, tf.constant([[0, -1, 2]]), 5)[1].numpy().tolist() == [[2, 0, -1, -1, -1]]


def test_an_unknown_augmentation_suggests_the_nearest():
    from kerazoo.data.detection_augment import Augmentation

    with pytest.raises(ValueError, match="Did you mean 'mosaic'"):
        Augmentation(("mosiac",), grid(1, keep=True)[0])
