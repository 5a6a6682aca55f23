"""Losses of pixels: hand-worked values, void labels, one class, gradients, saving, names."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.data import masks
from kerazoo.losses.segmentation import LOSSES, VOID, Boundary, Dice, LossSum, PixelFocal, Tversky, pixel_loss
from kerazoo.models.vision.segmenter import PixelBinaryIoU

ALL = [*LOSSES, "dice+boundary"]


def make(name):
    return LOSSES[name]() if name in LOSSES else pixel_loss(name)


def batch(classes, rng=None):
    """Labels with void, and logits: (2, 8, 12) and (2, 8, 12, classes)."""
    rng = rng or np.random.default_rng(0)
    labels = rng.integers(0, max(classes, 2), (2, 4, 6)).repeat(2, axis=1).repeat(2, axis=2)
    labels[:, :2] = VOID
    return labels, rng.normal(size=(2, 8, 12, classes)).astype("float32")


def test_the_data_and_the_losses_have_one_void_label():
    assert masks.VOID == VOID == 255


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("name", ALL)
def test_void_pixels_count_for_nothing(name, classes):
    labels, logits = batch(classes)
    other = logits.copy()
    other[:, :2] += 5.0
    np.testing.assert_allclose(make(name)(labels, logits), make(name)(labels, other), rtol=1e-6)
    assert float(make(name)(labels, logits)) != float(make(name)(labels, logits[:, ::-1]))
    assert float(make(name)(np.full_like(labels, VOID), logits)) == 0.0


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("name", ALL)
def test_every_loss_is_least_at_the_truth_and_finite_at_the_ends(name, classes):
    labels, _ = batch(classes)
    known = np.where(labels == VOID, 0, labels)
    sure = 2.0 * known[..., None] - 1.0 if classes == 1 else 2.0 * np.eye(classes)[known] - 1.0
    right, wrong = (float(make(name)(labels, scale * sure.astype("float32"))) for scale in (50.0, -50.0))
    assert np.isfinite([right, wrong]).all() and right < wrong - 0.05


@pytest.mark.parametrize("classes", [1, 3])
def test_focal_without_focus_is_keras_cross_entropy(classes):
    labels, logits = batch(classes)
    known, answers = labels[:, 2:], logits[:, 2:]
    if classes == 1:
        wanted = keras.losses.BinaryCrossentropy(from_logits=True)(known[..., None].astype("float32"), answers)
    else:
        wanted = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(known, answers)
    np.testing.assert_allclose(PixelFocal(gamma=0.0)(labels, logits), wanted, rtol=1e-5)


def test_void_counts_for_nothing_in_a_segmenter_with_one_class():
    """Loss and metric of labels with void are those of the known pixels alone; 255 pulled the loss below zero."""
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, (2, 8, 8)), rng.normal(size=(2, 8, 8, 1)).astype("float32")
    labels[:, :3] = VOID
    model = kerazoo.build("fast_scnn", **dict(catalog.entry("fast_scnn").smoke) | {"num_classes": 1})
    known = labels != VOID
    wanted = keras.losses.BinaryCrossentropy(from_logits=True)(labels[known][:, None], logits[known])
    np.testing.assert_allclose(model.loss(labels, logits), wanted, rtol=1e-5)
    np.testing.assert_allclose(model.loss(labels[..., None], logits), wanted, rtol=1e-5)
    metric = PixelBinaryIoU()
    metric.update_state(labels, logits)
    answers, truth = logits[known][:, 0] > 0, labels[known] == 1
    ious = [(a & b).sum() / (a | b).sum() for a, b in ((answers, truth), (~answers, ~truth))]
    assert float(metric.result()) == pytest.approx(np.mean(ious))
    images = rng.uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    truth = np.full((2, *model.input_shape[1:3]), VOID)
    truth[:, ::2] = 1
    losses = [model.train_on_batch(images, truth)[0] for _ in range(3)]
    assert min(losses) >= 0 and np.isfinite(losses).all()


def test_class_weights_weigh_the_mean():
    labels, logits = batch(3)
    known, weights = labels[:, 2:], np.array([1.0, 2.0, 5.0])
    shares = np.exp(logits[:, 2:]) / np.exp(logits[:, 2:]).sum(axis=-1, keepdims=True)
    own = np.take_along_axis(shares, known[..., None], axis=-1)[..., 0]
    wanted = (weights[known] * (1 - own) ** 2 * -np.log(own)).sum() / weights[known].sum()
    np.testing.assert_allclose(PixelFocal(gamma=2.0, class_weights=weights)(labels, logits), wanted, rtol=1e-5)


def test_dice_by_hand():
    """Of two classes; the third is in no image and does not count."""
    labels = np.array([[[0, 0, 1, 255]]])
    shares = np.array([[[[0.8, 0.1, 0.1], [0.4, 0.5, 0.1], [0.3, 0.6, 0.1], [0.1, 0.1, 0.8]]]], "float32")
    first = 2 * 1.2 / (1.5 + 2)  # Both / (answered + true), without the void pixel.
    second = 2 * 0.6 / (1.2 + 1)
    received = Dice(smooth=0.0)(labels, np.log(shares))
    np.testing.assert_allclose(received, 1 - (first + second) / 2, rtol=1e-5)


def test_tversky_weighs_what_is_missed():
    labels = np.array([[[1, 1, 1, 0]]])
    missing = np.array([[[[30.0], [-30.0], [-30.0], [-30.0]]]], "float32")
    received = Tversky(alpha=0.3, beta=0.7, gamma=0.75, smooth=0.0)(labels, missing)
    np.testing.assert_allclose(received, (1 - 1 / (1 + 0.7 * 2)) ** 0.75, rtol=1e-5)


def test_boundary_distances_are_scipys():
    ndimage = pytest.importorskip("scipy.ndimage")
    rng = np.random.default_rng(1)
    mask = (rng.uniform(size=(20, 24)) < 0.06).astype("float32")
    received = keras.ops.convert_to_numpy(
        Boundary(reach=6)._distance(keras.ops.convert_to_tensor(mask[None, ..., None]))
    )
    wanted = np.minimum(ndimage.distance_transform_edt(mask == 0), 6)
    np.testing.assert_allclose(received[0, ..., 0], wanted, atol=1e-5)


def test_an_image_without_a_class_has_no_border_of_it():
    labels, logits = np.zeros((1, 6, 6), int), np.zeros((1, 6, 6, 2), "float32")
    assert float(Boundary(reach=2)(labels, logits)) == 0.0


@pytest.mark.parametrize("name", ALL)
def test_losses_are_saved_with_their_model(name, tmp_path):
    image = keras.Input((8, 12, 3))
    model = keras.Model(image, keras.layers.Conv2D(3, 1)(image))
    model.compile("sgd", loss=make(name))
    model.save(tmp_path / "model.keras")
    labels, logits = batch(3)
    again = keras.saving.load_model(tmp_path / "model.keras").loss
    np.testing.assert_allclose(again(labels, logits), make(name)(labels, logits))


def test_a_segmenter_learns_by_a_sum_of_losses():
    small = {"width": 4, "depth": 2, "input_shape": (32, 32, 3), "num_classes": 2, "learning_rate": 0.01, "seed": 0}
    loss = LossSum([PixelFocal(gamma=0.0), Dice(), Boundary(reach=3)], weights=[1.0, 1.0, 0.5])
    model = kerazoo.build("unet", loss=loss, **small)
    images = np.zeros((4, 32, 32, 3), "float32")
    images[:, 8:24, 8:24] = 255.0
    history = model.fit(images, (images[..., 0] > 0).astype("int32"), epochs=15, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: pixel_loss("dise"), "Did you mean 'dice'"),
        (lambda: pixel_loss("boundary"), "goes with one of regions"),
        (lambda: PixelFocal(gamma=-1), "`gamma` must not be negative"),
        (lambda: Boundary(reach=0), "`reach` must be at least 1"),
        (lambda: LossSum([Dice()], weights=[1, 2]), "`weights` as many"),
    ],
)
def test_clear_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
