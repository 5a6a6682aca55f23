"""Losses, assignments and suppression of object detectors beside plain loops and figures worked by hand."""

import math

import keras
import numpy as np
import pytest
from detection_loops import complete_iou, random_boxes, suppress

import kerazoo
from kerazoo import catalog
from kerazoo.layers.anchor_heads import decoded, encoded
from kerazoo.layers.grid_heads import GridHeads, boxes_of
from kerazoo.layers.non_maximum_suppression import NonMaximumSuppression
from kerazoo.losses.ciou import CompleteIoU
from kerazoo.losses.distribution_focal import DistributionFocal
from kerazoo.losses.focal import SigmoidFocal
from kerazoo.losses.matching import match
from kerazoo.losses.multibox import MultiBox
from kerazoo.losses.task_alignment import align


def test_complete_iou_is_the_papers():
    first, second = (random_boxes(np.random.default_rng(seed), (50,), side=20) for seed in (0, 1))
    second[:10], second[10:20] = first[:10], first[10:20] + 3
    wanted = [1 - complete_iou(a, b) for a, b in zip(first, second)]
    np.testing.assert_allclose(CompleteIoU(reduction=None)(first, second), wanted, atol=1e-5)


def test_distribution_focal_is_two_cross_entropies():
    logits = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = [-0.7 * logs[0, 1] - 0.3 * logs[0, 2], -logs[1, 3]]  # 1.3 between 1 and 2; 9 is beyond the last.
    np.testing.assert_allclose(DistributionFocal(reduction=None)(np.array([1.3, 9.0]), logits), wanted, rtol=1e-5)


def test_focal_is_the_papers_also_for_large_logits():
    logits = np.array([[0.3, -2.0], [1.0, -60.0]], "float32")
    truth = np.array([[1.0, 0.0], [0.0, 1.0]])
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    right = np.where(truth == 1, p, 1 - p)
    wanted = (np.where(truth == 1, 0.25, 0.75) * (1 - right) ** 2 * -np.log(right)).sum(-1)
    np.testing.assert_allclose(SigmoidFocal(reduction=None)(truth, logits), wanted, rtol=1e-4)


def test_multibox_counts_three_of_the_hardest_without_an_object():
    anchors = np.array([[0, 0, 10, 10]] + [[20 * i, 50, 20 * i + 10, 60] for i in range(6)], "float32")
    logits = np.zeros((1, 7, 3), "float32")
    logits[0, :, 1] = [0, 1, 5, 2, 3, 4, 0.5]  # The anchors say "the first class"; it is right for the first alone.
    raw = {"boxes": np.zeros((1, 7, 4), "float32"), "classes": logits, "anchors": anchors, "weights": np.ones(4)}
    raw["boxes"][0, 0] = [0.5, 0, 0, 2]
    truth = {"boxes": np.array([[[0.0, 0.0, 10.0, 10.0]]]), "classes": np.array([[0]])}
    none = [math.log(2 + math.exp(logit)) for logit in (5, 4, 3)]
    np.testing.assert_allclose(MultiBox()(truth, raw), 0.125 + 1.5 + math.log(3) + sum(none), rtol=1e-5)


def plainly_aligned(boxes, classes, predicted, scores, points, most):
    """The assignment for one image, point by point."""
    fits, overlaps = np.zeros((2, len(boxes), len(points)))
    for m, (box, label) in enumerate(zip(boxes, classes)):
        for n, (x, y) in enumerate(points):
            if label >= 0 and box[0] < x < box[2] and box[1] < y < box[3]:
                overlaps[m, n] = max(complete_iou(box, predicted[n]), 0)
                fits[m, n] = scores[n, label] ** 0.5 * overlaps[m, n] ** 6
    chosen = np.zeros(fits.shape, bool)
    for m in range(len(boxes)):
        best = np.argsort(-fits[m])[:most]
        chosen[m, best] = fits[m, best] > 0
    for n in np.flatnonzero(chosen.sum(0) > 1):
        owner = np.where(chosen[:, n], overlaps[:, n], -1).argmax()
        chosen[:, n] = np.arange(len(boxes)) == owner
    targets, wanted = np.zeros((len(points), 4)), np.zeros(scores.shape)
    for m, n in zip(*np.nonzero(chosen)):
        targets[n] = boxes[m]
        wanted[n, classes[m]] = fits[m, n] / fits[m][chosen[m]].max() * overlaps[m][chosen[m]].max()
    return targets, wanted


@pytest.mark.parametrize(
    "model",
    [("yolov8_n", (64, 64, 3)), ("ssd300_vgg16", None), ("retinanet_resnet50_fpn", (64, 64, 3))],
    ids=lambda m: m[0],
)
def test_a_batch_without_objects_is_a_batch_of_rows_that_are_none(model):
    """Boxes (B, 0, 4), and (B, 2, 4) with the class -1, give one finite loss and one step."""
    name, shape = model
    smoke = dict(catalog.entry(name).smoke)
    losses, x = [], np.random.default_rng(0).uniform(0, 255, (2, *(shape or smoke["input_shape"]))).astype("float32")
    for count in (0, 2):
        network = kerazoo.build(name, seed=0, **smoke | ({"input_shape": shape} if shape else {}))
        truth = {"boxes": np.zeros((2, count, 4), "float32"), "classes": np.full((2, count), -1, "int32")}
        network.run_eagerly = True
        losses.append([float(network.train_on_batch(x, truth)) for _ in range(2)])
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_alignment_is_the_plain_loops():
    rng = np.random.default_rng(0)
    points = GridHeads((64, 64), strides=(8, 16)).geometry()["points"]
    boxes = np.stack([random_boxes(rng, (4,)) * 1.4 for _ in range(3)]).astype("float32")
    classes = np.array([[0, 1, 2, 1], [2, 2, -1, -1], [-1, -1, -1, -1]])
    boxes[classes < 0] = 0
    half = rng.uniform(4, 16, (3, len(points), 2))
    predicted = np.concatenate([points - half, points + half[..., ::-1]], axis=-1).astype("float32")
    scores = rng.uniform(0.01, 0.9, (3, len(points), 3)).astype("float32")
    received = align(boxes, classes, predicted, scores, points, most=5)
    assert keras.ops.sum(received[1]) > 1
    for index in range(3):
        wanted = plainly_aligned(boxes[index], classes[index], predicted[index], scores[index], points, 5)
        for tensor, array in zip(received, wanted):
            np.testing.assert_allclose(tensor[index], array, atol=1e-4)


def test_alignment_worked_by_hand():
    """Three points in a row; the middle one is in both objects and overlaps the second more."""
    points = np.array([[2, 4], [6, 4], [10, 4]], "float32")
    boxes = np.array([[[0, 0, 8, 8], [4, 0, 12, 8]]], "float32")
    predicted = np.array([[[0, 0, 8, 8], [4, 0, 12, 8], [4, 0, 12, 8]]], "float32")
    scores = np.array([[[0.25, 0.1], [0.1, 0.25], [0.1, 1.0]]], "float32")
    targets, wanted = align(boxes, np.array([[0, 1]]), predicted, scores, points)
    np.testing.assert_allclose(targets[0], [[0, 0, 8, 8], [4, 0, 12, 8], [4, 0, 12, 8]])
    np.testing.assert_allclose(wanted[0], [[1, 0], [0, 0.5], [0, 1]], atol=1e-5)  # sqrt(0.25) of sqrt(1).


@pytest.mark.parametrize("claim, wanted", [(True, [0, -1, 1, -2]), (False, [0, -1, 0, -2])])
def test_matching_worked_by_hand(claim, wanted):
    """-1 is background, -2 counts for nothing; the third anchor is the second object's best, with more of the first."""
    anchors = np.array([[0, 0, 10, 10], [30, 30, 40, 40], [0, 0, 10, 8], [0, 0, 10, 4.5]], "float32")
    boxes = np.array([[[0, 0, 10, 10], [0, 4, 20, 8], [0, 0, 0, 0]]], "float32")
    shares, background = match(boxes, np.array([[0, 1, -1]]), anchors, low=0.4, high=0.9, claim=claim)
    received = np.where(shares[0].numpy().any(-1), shares[0].numpy().argmax(-1), np.where(background[0], -1, -2))
    assert received.tolist() == wanted


def test_anchors_code_boxes_and_back():
    rng = np.random.default_rng(0)
    boxes, anchors, weights = random_boxes(rng, (20,)), random_boxes(rng, (20,)), np.array([10, 10, 5, 5], "float32")
    np.testing.assert_allclose(decoded(encoded(boxes, anchors, weights), anchors, weights), boxes, atol=1e-3)


def test_points_tell_boxes():
    logits = np.full((1, 2, 16), -50, "float32")  # Of two points, four distances of four bins.
    for point, bins in enumerate([(0, 1, 2, 3), (1, 1, 1, 1)]):
        logits[0, point, np.arange(4) * 4 + bins] = 50
    logits[0, 1, 5:7] = 50  # Half 1, half 2.
    boxes = boxes_of(logits, np.array([[4, 4], [8, 8]], "float32"), np.array([8, 16], "float32"))
    np.testing.assert_allclose(boxes[0], [[4, -4, 20, 28], [-8, -16, 24, 24]], atol=1e-4)


@pytest.mark.parametrize("iou_threshold", [0.3, 0.6])
def test_suppression_is_the_greedy_loop(iou_threshold):
    rng = np.random.default_rng(0)
    boxes, scores = random_boxes(rng, (3, 60)), rng.uniform(0, 1, (3, 60, 3)).astype("float32")
    boxes[:, 30:] = boxes[:, :30] + rng.uniform(-2, 2, (3, 30, 4))  # Near doubles.
    scores[2] = 0.01  # Nothing here.
    layer = NonMaximumSuppression(0.3, iou_threshold, max_detections=140, candidates=150)
    received = {name: tensor.numpy() for name, tensor in layer(boxes, scores).items()}
    for index in range(3):
        owners, classes = np.nonzero(scores[index] > 0.3)
        values = scores[index][owners, classes]
        kept = suppress(boxes[index][owners], values, classes, iou_threshold)
        assert index == 2 or 20 < len(kept) < len(values)
        rest = (0, 140 - len(kept))
        np.testing.assert_array_equal(received["classes"][index], np.pad(classes[kept], rest, constant_values=-1))
        np.testing.assert_allclose(received["scores"][index], np.pad(values[kept], rest))
        np.testing.assert_allclose(received["boxes"][index], np.pad(boxes[index][owners][kept], (rest, (0, 0))))
    fewer = NonMaximumSuppression(0.3, iou_threshold, max_detections=7, candidates=150)(boxes, scores)
    np.testing.assert_array_equal(fewer["boxes"], received["boxes"][:, :7])


def test_what_is_suppressed_suppresses_nothing():
    boxes = np.array([[[10 * i, 0, 10 * i + 30, 10] for i in range(6)]], "float32")  # Neighbours overlap by a half.
    scores = np.linspace(0.9, 0.4, 6, dtype="float32")[None, :, None]
    received = NonMaximumSuppression(0.1, 0.4, max_detections=6)(boxes, scores)
    assert received["boxes"][0, :, 0].numpy().tolist() == [0, 20, 40, 0, 0, 0]
    assert received["classes"][0].numpy().tolist() == [0, 0, 0, -1, -1, -1]


def test_suppression_compiles_under_xla():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    boxes, scores = random_boxes(rng, (2, 50)), rng.uniform(0, 1, (2, 50, 2)).astype("float32")
    layer = NonMaximumSuppression(0.3, 0.3, max_detections=40)
    compiled = tf.function(layer, jit_compile=True)(boxes, scores)
    for name, wanted in layer(boxes, scores).items():
        np.testing.assert_allclose(compiled[name], wanted, rtol=1e-6)
