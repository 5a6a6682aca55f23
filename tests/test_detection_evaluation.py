"""Average precision: worked by hand, equal to COCO's own code, Pascal VOC's two ways; confusions and thresholds."""

import numpy as np
import pytest

from kerazoo.data.detection import Annotations
from kerazoo.evaluate import detection


def truth(rows):
    """`Annotations` of images given as [(box, class, ignored)]."""
    return Annotations(
        tuple(f"{i}.png" for i in range(len(rows))),
        (b"",) * len(rows),
        np.array([[200, 200]] * len(rows), "int32"),
        tuple(np.array([box for box, *_ in row], "float32").reshape(-1, 4) for row in rows),
        tuple(np.array([label for _, label, _ in row], "int32") for row in rows),
        tuple(np.array([ignored for *_, ignored in row], bool) for row in rows),
    )


def answer(row):
    """A prediction given as [(box, score, class)]."""
    return {
        "boxes": np.array([box for box, *_ in row], "float32").reshape(-1, 4),
        "scores": np.array([score for _, score, _ in row], "float32"),
        "classes": np.array([label for *_, label in row], "int32"),
    }


A, B, C = (0, 0, 10, 10), (50, 0, 60, 10), (100, 0, 110, 10)
NOWHERE = (150, 150, 160, 160)


def test_average_precision_by_hand():
    """Of three objects: found, false, found, false. Recalls 1/3, 1/3, 2/3, 2/3; precisions 1, 1/2, 2/3, 1/2."""
    annotations = truth([[(A, 0, False), (B, 0, False)], [(C, 0, False)]])
    predictions = [answer([(A, 0.9, 0), (NOWHERE, 0.8, 0), (B, 0.7, 0)]), answer([(NOWHERE, 0.6, 0)])]
    judged = detection.evaluate(predictions, annotations, 1)
    # The best precision from a recall on: 1 up to 1/3, 2/3 up to 2/3, then 0.
    assert judged.voc["all points"][0] == pytest.approx(1 / 3 + 2 / 9)
    assert judged.voc["11 points"][0] == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)
    assert judged.precision[0, 0] == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)
    assert judged.map50 == judged.map75 == pytest.approx(judged.map)


def test_the_second_box_on_an_object_is_wrong_and_by_coco_may_take_another():
    near = (2, 0, 12, 10)
    annotations = truth([[(A, 0, False), (near, 0, False)]])
    predictions = [answer([(A, 0.9, 0), (A, 0.8, 0)])]
    assert detection.match(predictions, annotations, 0, thresholds=(0.5,)).right.tolist() == [[True, True]]
    by_voc = detection.match(predictions, annotations, 0, thresholds=(0.5,), rule="voc")
    assert by_voc.right.tolist() == [[True, False]], "its best object is taken"


def test_ignored_objects_neither_count_nor_hurt():
    annotations = truth([[(A, 0, False), (B, 0, True)]])
    predictions = [answer([(B, 0.9, 0), (B, 0.8, 0), (A, 0.7, 0)])]
    judged = detection.evaluate(predictions, annotations, 1)
    assert judged.precision[0, 0] == 1 and judged.voc["all points"][0] == 1 and judged.matches[0].objects == 1
    assert detection.confusion(predictions, annotations, 1, scores=0.5).tolist() == [[1, 0], [0, 0]]


def test_classes_without_objects_have_no_precision():
    judged = detection.evaluate([answer([(A, 0.5, 1)])], truth([[(A, 0, False)]]), 2)
    assert judged.precision[0, 0] == 0 and np.isnan(judged.precision[0, 1]) and judged.map50 == 0
    assert judged.record(["a", "b"])["per_class"]["b"]["ap50"] is None


def test_equal_to_cocos_own_code():
    pytest.importorskip("pycocotools")
    from kerazoo.evaluate.coco import coco_figures

    rng = np.random.default_rng(0)
    images, answers = [], []
    for _ in range(40):
        count = rng.integers(0, 12)
        corners = rng.integers(0, 120, (count, 2))
        boxes = np.concatenate([corners, corners + rng.integers(10, 70, (count, 2))], axis=1)
        labels, ignored = rng.integers(0, 3, count), rng.random(count) < 0.1
        images.append(list(zip(boxes.tolist(), labels.tolist(), ignored.tolist())))
        moved = np.concatenate([boxes, boxes[: count // 2]]) + rng.integers(-6, 7, (count + count // 2, 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 2)
        guesses = np.where(rng.random(len(moved)) < 0.8, np.concatenate([labels, labels[: count // 2]]), 0)
        answers.append(
            answer(list(zip(moved.tolist(), np.round(rng.random(len(moved)), 2).tolist(), guesses.tolist())))
        )
    annotations = truth(images)
    judged = detection.evaluate(answers, annotations, 3)
    figures = coco_figures(answers, annotations, ("a", "b", "c"))
    assert 0.1 < judged.map50 < 0.95
    for name in ("map", "map50", "map75"):
        assert getattr(judged, name) == pytest.approx(figures[name], abs=1e-6), name
    # Of the same curve, the area and its 101 points are nearly one.
    assert judged.voc["all points"].mean() == pytest.approx(judged.map50, abs=0.02)


def test_confusions_misses_and_false_alarms():
    annotations = truth([[(A, 0, False), (B, 1, False), (C, 1, False)]])
    found = answer([(A, 0.9, 0), (B, 0.8, 0), (NOWHERE, 0.7, 1), (C, 0.1, 1)])
    table = detection.confusion([found], annotations, 2, scores=0.5)
    assert table.tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    pairs, missed, false = detection.assign(found, annotations, 0, scores=0.5)
    assert pairs == [(0, 0), (1, 1)] and missed == [2] and false == [2]


def test_the_best_threshold():
    annotations = truth([[(A, 0, False), (B, 0, False)]])
    judged = detection.evaluate([answer([(A, 0.9, 0), (B, 0.6, 0), (NOWHERE, 0.3, 0)])], annotations, 1)
    threshold, f1 = detection.best_threshold(judged)
    assert threshold == pytest.approx(0.6) and f1 == 1


def test_predictions_must_fit_the_images():
    with pytest.raises(ValueError, match="Received: 1 for 2"):
        detection.evaluate([answer([])], truth([[], []]), 1)
    with pytest.raises(ValueError, match="must be finite"):
        detection.evaluate([answer([(A, np.nan, 0)])], truth([[]]), 1)
    with pytest.raises(ValueError, match="`rule` must be one of"):
        detection.match([], truth([]), 0, rule="best")
