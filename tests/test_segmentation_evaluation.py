"""What segmenters' answers are worth: confusion over a set, void, outlines, objects and their Rand score."""

import numpy as np
import pytest

from kerazoo.data.masks import Masked
from kerazoo.evaluate.membranes import objects, rand_score, thin, thinned_rand_scores
from kerazoo.evaluate.segmentation import confusion, evaluate, hausdorff95
from kerazoo.evaluate.segmentation_baselines import segmentation_baselines

pytest.importorskip("scipy")


def test_figures_come_from_one_confusion_matrix_of_the_whole_set():
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 3, (5, 6, 7)), rng.integers(0, 3, (5, 6, 7))
    labels[0, :3] = 255
    answers[1] = labels[1]
    figures = evaluate(labels, answers, 4)
    known = labels != 255
    for value in range(3):
        true, answered = (labels == value), (answers == value) & known
        assert figures.iou[value] == pytest.approx((true & answered).sum() / (true | answered).sum())
        assert figures.dice[value] == pytest.approx(2 * (true & answered).sum() / (true.sum() + answered.sum()))
    assert np.isnan(figures.iou[3]), "a class that is nowhere is not in the mean"
    assert figures.mean_iou == pytest.approx(np.mean(figures.iou[:3]))
    assert figures.pixel_accuracy == pytest.approx((labels == answers)[known].mean())
    assert figures.image_iou[1] == 1.0 and figures.worst[-1] == 1
    assert figures.record(list("abcd"))["per_class"]["d"]["iou"] is None


def test_keras_counts_as_the_evaluation_does():
    """The metric that segmenters are compiled with, over several batches."""
    import keras

    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 3, (4, 6, 6)), rng.normal(size=(4, 6, 6, 3)).astype("float32")
    labels[:, 0] = 255
    metric = keras.metrics.MeanIoU(3, ignore_class=255, sparse_y_pred=False)
    for part in (slice(0, 1), slice(1, 4)):
        metric.update_state(labels[part], logits[part])
    assert float(metric.result()) == pytest.approx(evaluate(labels, logits.argmax(-1), 3).mean_iou, rel=1e-5)


@pytest.mark.parametrize(
    "labels, answers, message",
    [
        (np.zeros((2, 3, 3)), np.zeros((2, 3, 4)), "must be"),
        (np.full((1, 2, 2), 255), np.zeros((1, 2, 2)), "not void"),
        (np.full((1, 2, 2), 7), np.zeros((1, 2, 2)), "Labels must be from 0 to 1"),
        (np.zeros((1, 2, 2)), np.full((1, 2, 2), 2), "Answers must be from 0 to 1"),
    ],
)
def test_clear_errors(labels, answers, message):
    with pytest.raises(ValueError, match=message):
        evaluate(labels, answers, 2)


def test_hausdorff_distance_by_hand():
    one, other = np.zeros((2, 30, 30), bool)
    one[5:15, 5:15] = True
    assert hausdorff95(one, one) == 0.0
    other[5:15, 8:18] = True  # Three pixels to the right: the left and right edges, more than a twentieth, are 3 apart.
    assert hausdorff95(one, other) == 3.0
    assert np.isnan(hausdorff95(one, np.zeros_like(one)))
    assert hausdorff95(np.zeros_like(one), np.zeros_like(one)) == 0.0
    speck = one.copy()
    speck[29, 29] = True
    assert hausdorff95(one, speck) == 0.0, "one far pixel of 37 is in the last twentieth"


def test_rand_score_by_hand():
    truth = np.array([[1, 1, 1, 0, 2, 2, 2]])
    assert rand_score(truth, truth) == 1.0
    assert rand_score(truth, 5 * truth) == 1.0, "numbers of objects are names"
    merged = np.ones_like(truth)
    assert rand_score(truth, merged) == pytest.approx((9 + 9) / (0.5 * (9 + 9) + 0.5 * 36))
    split = np.array([[1, 0, 2, 0, 3, 3, 3]])  # The first is split by a border pixel, which is an object of its own.
    assert rand_score(truth, split) == pytest.approx((1 + 1 + 1 + 9) / (0.5 * (9 + 9) + 0.5 * (1 + 1 + 1 + 9)))
    outside = truth.copy()
    outside[0, 3] = 2
    assert rand_score(truth, outside) == 1.0, "only pixels inside true objects count"
    with pytest.raises(ValueError, match="with an object"):
        rand_score(np.zeros((2, 2)), np.zeros((2, 2)))


def test_rows_of_the_confusion_matrix_are_the_truth():
    labels, answers = np.array([0, 0, 0, 1, 255]), np.array([0, 2, 2, 1, 0])
    assert confusion(labels, answers, 3).tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_a_pixel_on_a_proposed_border_is_an_object_of_its_own():
    """Of four pixels of one object two are kept together: (2^2 + 1 + 1) / (4^2 / 2 + (2^2 + 1 + 1) / 2)."""
    assert rand_score(np.array([[1, 1, 1, 1, 0]]), np.array([[1, 1, 0, 0, 0]])) == pytest.approx(6 / 11)


def test_thinning_divides_the_same_objects():
    rng = np.random.default_rng(0)
    border = np.zeros((60, 70), bool)
    for place in (10, 25, 44):
        border[place : place + 4] = True
        border[:, place + 5 : place + 9] = True
    border ^= (rng.uniform(size=border.shape) < 0.02) & border  # Pinholes.
    fine = thin(border)
    assert not (fine & ~border).any() and fine.sum() < 0.5 * border.sum()
    whole = np.zeros((60, 70), bool)
    whole[28:32] = True
    assert (thin(whole).sum(axis=0) == 1).all(), "a line reaches both edges of the image"
    assert objects(~thin(whole)).max() == 2


def test_the_score_after_thinning_forgives_wide_borders():
    border = np.zeros((40, 40), bool)
    border[19:21] = True
    wide, broken = np.zeros((2, 40, 40), "float32")
    wide[15:25] = 0.9
    broken[19:21, 5:] = 0.9
    scores = thinned_rand_scores([border], [wide], thresholds=(0.5, 0.95))
    assert scores[0] > 0.99 and scores[1] < 0.7
    assert thinned_rand_scores([border], [broken], thresholds=(0.5,))[0] < 0.7


def test_baselines_by_hand():
    """The sky is above and blue; the road below and grey, now and then above."""
    rng = np.random.default_rng(0)
    joined = rng.integers(0, 30, (12, 20, 24, 4)).astype("uint8")
    joined[..., 3] = 0
    joined[:, 8:, :, 3] = 1
    joined[..., 2] += np.where(joined[..., 3] == 0, 180, 0).astype("uint8")
    images = Masked(joined, tuple(map(str, range(12))))
    rows = {
        name: answers
        for name, answers, _ in segmentation_baselines(images.take(range(8)), images.take(range(8, 12)), 2)
    }
    assert (rows["most frequent class"] == 1).all()
    assert (rows["most frequent class at each place"] == images.masks[8:]).all()
    assert (rows["logistic regression on colour and place"] == images.masks[8:]).mean() > 0.98
