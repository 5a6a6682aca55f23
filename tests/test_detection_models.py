"""Object detectors: sizes, training, suppression in what is saved and exported, errors."""

import math

import keras
import numpy as np
import pytest
from detection_loops import iou, random_boxes

import kerazoo
from kerazoo.data.boxes import Letterbox
from kerazoo.decoding import with_boxes
from kerazoo.layers.anchor_heads import AnchorHeads
from kerazoo.layers.grid_heads import GridHeads
from kerazoo.layers.non_maximum_suppression import NonMaximumSuppression
from kerazoo.layers.original_pixels import OriginalPixels
from kerazoo.layers.scaled_unit_norm import ScaledUnitNormalization
from kerazoo.losses.task_aligned import TaskAligned
from kerazoo.models.vision.object_detector import sample_of

SMALL = {
    "yolov8_n": {"depth": 0.1, "width": 0.125, "widest": 256, "bins": 4},
    "ssd300_vgg16": {
        "widths": (8, 8, 8, 8, 8),
        "fully": 16,
        "extras": ((8, 8, 2),),
        "scales": (0.2, 0.4, 0.6, 0.8),
        "ratios": ((2,), (2,), (2,)),
    },
    "retinanet_resnet50_fpn": {"depths": (1, 1, 1, 1), "width": 4, "filters": 8, "smallest": 8, "frozen_norms": False},
}
SIDE = {"input_shape": (64, 64, 3), "num_classes": 3}


@pytest.mark.parametrize("name", ["yolov8_n", "yolov8_s"])
def test_fixed_numbers_are_the_difference_to_the_published_count(name):
    published = {"yolov8_n": 3_157_200, "yolov8_s": 11_166_560}[name]
    model = kerazoo.build(name, input_shape=(32, 32, 3))
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == published - 16


@pytest.mark.parametrize("name", SMALL)
def test_padding_and_empty_images_change_nothing(name):
    model = kerazoo.build(name, **SIDE, **SMALL[name])
    images, truth = sample_of(**SIDE)(np.random.default_rng(0), 2)
    raw = model(images)
    padded = {"boxes": np.pad(truth["boxes"], ((0, 0), (0, 3), (0, 0)))}
    padded["classes"] = np.pad(truth["classes"], ((0, 0), (0, 3)), constant_values=-1)
    loss = model.compute_loss(y=truth, y_pred=raw)
    np.testing.assert_allclose(model.compute_loss(y=padded, y_pred=raw), loss, rtol=1e-5)
    empty = {"boxes": np.zeros((2, 3, 4), "float32"), "classes": np.full((2, 3), -1)}
    assert np.isfinite(model.compute_loss(y=empty, y_pred=raw))


@pytest.fixture(scope="module")
def trained():
    """A small YOLOv8 that knows its two images by heart."""
    model = kerazoo.build("yolov8_n", seed=0, optimizer=keras.optimizers.Adam(3e-3), **SIDE, **SMALL["yolov8_n"])
    images, truth = sample_of(**SIDE)(np.random.default_rng(3), 2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8
    many = {name: np.concatenate([array] * 60) for name, array in truth.items()}
    model.fit(np.concatenate([images] * 60), many, batch_size=2, shuffle=False, verbose=0)
    return model, images, truth


def test_finds_the_objects_it_learnt(trained):
    model, images, truth = trained
    found = {name: tensor.numpy() for name, tensor in with_boxes(model, max_detections=5)(images).items()}
    for index, labels in enumerate(truth["classes"]):
        count = (labels >= 0).sum()
        assert sorted(found["classes"][index][:count]) == sorted(labels[:count])
        assert (found["classes"][index][count:] == -1).all()
        for box, label in zip(truth["boxes"][index][:count], labels):
            same_class = found["boxes"][index][found["classes"][index] == label]
            assert max(iou(box, other) for other in same_class) > 0.8


def test_saved_in_safe_mode_and_trained_on(trained, tmp_path):
    model, images, truth = trained
    detections = with_boxes(model)
    model.save(tmp_path / "raw.keras")
    detections.save(tmp_path / "boxes.keras")
    again = keras.saving.load_model(tmp_path / "raw.keras", safe_mode=True)
    np.testing.assert_array_equal(again(images)["boxes"], model(images)["boxes"])
    np.testing.assert_array_equal(with_boxes(again)(images)["boxes"], detections(images)["boxes"])
    served = keras.saving.load_model(tmp_path / "boxes.keras", safe_mode=True)
    np.testing.assert_array_equal(served(images)["boxes"], detections(images)["boxes"])
    losses = [one.compute_loss(y=truth, y_pred=one(images)) for one in (model, again)]
    np.testing.assert_allclose(*losses)


def test_suppression_is_exported_with_builtin_operations(trained, tmp_path):
    model, images, _ = trained
    report = kerazoo.export(with_boxes(model, max_detections=5), tmp_path, representative_data=images)
    assert {file.engine for file in report.files} == {"saved_model", "tflite"}
    for engine in ("saved_model", "tflite"):
        received = kerazoo.load(tmp_path, engine=engine)({"image": images})
        np.testing.assert_allclose(received["boxes"], with_boxes(model, max_detections=5)(images)["boxes"], atol=0.01)
        assert received["classes"].dtype == np.int32


def test_letterboxed_boxes_return_to_their_images():
    sizes = [(480, 640), (333, 97), (64, 64), (31, 57)]
    places = [Letterbox(size, (64, 64)) for size in sizes]
    boxes = random_boxes(np.random.default_rng(0), (4, 20))
    received = OriginalPixels((64, 64))(boxes, np.array(sizes, "float32"))
    np.testing.assert_allclose(received, [place.to_image(box) for place, box in zip(places, boxes)], atol=1e-3)
    finder = with_boxes(kerazoo.build("yolov8_n", **SIDE, **SMALL["yolov8_n"]), max_detections=4, letterboxed=True)
    found = finder({"image": np.zeros((4, 64, 64, 3), "float32"), "sizes": np.array(sizes, "float32")})
    assert found["boxes"].shape == (4, 4, 4) and found["classes"].shape == (4, 4)


def test_scaled_norm_takes_zeros():
    layer, x = ScaledUnitNormalization(2.0), keras.Variable(np.zeros((1, 3), "float32"))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        y = keras.ops.sum(layer(x.value))
    assert y == 0 and np.isfinite(tape.gradient(y, layer.scale.value)).all()


def test_frozen_norms_do_not_learn():
    model = kerazoo.build("retinanet_resnet50_fpn", **SIDE, **SMALL["retinanet_resnet50_fpn"] | {"frozen_norms": True})
    assert not any("_bn" in weight.path for weight in model.trainable_weights)
    assert any("_bn" in weight.path for weight in model.non_trainable_weights)


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("yolov8_n", {"input_shape": (100, 96, 3)}, "multiples of 32"),
        ("retinanet_resnet50_fpn", {"input_shape": (72, 64, 3)}, "multiples of 32"),
        ("ssd300_vgg16", {"input_shape": (200, 200, 3)}, "sides of at least 3"),
        ("ssd300_vgg16", {"scales": (0.1, 0.2)}, "`ratios` must have an entry for each size"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


def test_clear_errors_of_layers_and_targets():
    with pytest.raises(ValueError, match="`iou_threshold` must be in"):
        NonMaximumSuppression(iou_threshold=1.5)
    with pytest.raises(ValueError, match="`candidates` must be a positive integer"):
        NonMaximumSuppression(candidates=0)
    with pytest.raises(ValueError, match="`strides` must divide"):
        GridHeads((60, 64), strides=(8,))
    with pytest.raises(ValueError, match="`model` must be an object detector"):
        with_boxes(kerazoo.build("lenet5"))
    model = kerazoo.build("ssd300_vgg16", **SIDE, **SMALL["ssd300_vgg16"])
    raw = model(np.zeros((1, 64, 64, 3), "float32"))
    for targets in (np.zeros((1, 3)), {"boxes": np.zeros((1, 3)), "classes": np.zeros((1, 3))}):
        with pytest.raises(ValueError, match="Targets must be"):
            model.compute_loss(y=targets, y_pred=raw)


def test_heads_are_saved_with_their_geometry():
    heads = AnchorHeads((8, 16), grids=[(1, 2)], steps=[(8, 8)], sizes=[[(4, 4)]], offset=0.5, background=True)
    again = AnchorHeads.from_config(heads.get_config())
    np.testing.assert_array_equal(again.geometry()["anchors"], heads.geometry()["anchors"])
    assert again.get_config() == heads.get_config()
    assert TaskAligned(box=2.0).get_config()["box"] == 2.0
