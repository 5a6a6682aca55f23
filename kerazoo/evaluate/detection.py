"""What a detector's boxes are worth: average precision as COCO and Pascal VOC count it, curves, confusions, misses."""

from dataclasses import dataclass

import numpy as np

from kerazoo.data.boxes import area, intersection, overlap

THRESHOLDS = tuple(np.round(np.arange(0.5, 1.0, 0.05), 2).tolist())
MOST = 100  # Boxes of an image and class that count, as COCO has it.
RULES = ("coco", "voc")


@dataclass(frozen=True)
class Matches:
    """The boxes of one class in all images, by falling score, held against the true ones.

    Attributes:
        scores: (D,).
        right: bool, (T, D), for each overlap threshold: the box has found an object that no better one has.
        counted: bool, (T, D): False where it has found an object that is to be ignored.
        objects: how many there are to be found.
    """

    scores: np.ndarray
    right: np.ndarray
    counted: np.ndarray
    objects: int

    def curve(self, threshold=0):
        """`(scores, precision, recall)` of one overlap threshold, by its position, each (n,)."""
        kept = self.counted[threshold]
        right = self.right[threshold][kept]
        found = np.cumsum(right)
        return self.scores[kept], found / np.arange(1, len(right) + 1), found / max(self.objects, 1)


@dataclass(frozen=True)
class DetectionEvaluation:
    """The figures of a detector on one split.

    Attributes:
        count: images.
        matches: a `Matches` for each class, by COCO's rule, thresholds .5, .55, ... .95.
        precision: average precision, (T, C), as COCO counts it; nan for a class without objects.
        voc: {"all points" and "11 points": (C,)} at .5, by Pascal VOC's rule.
    """

    count: int
    matches: tuple
    precision: np.ndarray
    voc: dict

    @property
    def map50(self):
        """Mean over the classes of the average precision at an overlap of .5."""
        return _mean(self.precision[0])

    @property
    def map75(self):
        """The same at .75."""
        return _mean(self.precision[5])

    @property
    def map(self):
        """The same over overlaps of .5 to .95: COCO's mAP."""
        return _mean(self.precision)

    def record(self, classes):
        """The figures as JSON types, for `run.json`; nan becomes None."""
        return {
            "count": self.count,
            "map": _number(self.map),
            "map50": _number(self.map50),
            "map75": _number(self.map75),
            "voc_map": _number(_mean(self.voc["all points"])),
            "voc_map_11_points": _number(_mean(self.voc["11 points"])),
            "per_class": {
                name: {
                    "ap": _number(_mean(self.precision[:, i])),
                    "ap50": _number(self.precision[0, i]),
                    "ap75": _number(self.precision[5, i]),
                    "voc_ap": _number(self.voc["all points"][i]),
                    "objects": self.matches[i].objects,
                }
                for i, name in enumerate(classes)
            },
        }


def evaluate(predictions, annotations, classes):
    """Judges a detector by its boxes.

    Args:
        predictions: a dict for each image: "boxes" (n, 4) xyxy in its pixels, "scores" (n,), "classes" (n,).
        annotations: `kerazoo.data.detection.Annotations`, or whatever has its boxes, classes and ignored.
        classes: how many there are.

    Returns:
        A `DetectionEvaluation`.

    Raises:
        ValueError: not as many predictions as images, or scores that are not finite.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.detection import Annotations
    >>> box = np.array([[0.0, 0.0, 10.0, 10.0]], "float32")
    >>> truth = Annotations(("a",), (b"",), np.array([[20, 20]]), (box,), (np.array([0]),), (np.array([False]),))
    >>> evaluate([{"boxes": box + 1, "scores": np.array([0.9]), "classes": np.array([0])}], truth, 1).precision[:5, 0]
    array([1., 1., 1., 1., 0.])
    """
    if len(predictions) != len(annotations.boxes):
        raise ValueError(
            f"There must be predictions for every image. Received: {len(predictions)} for {len(annotations.boxes)}."
        )
    if not all(np.isfinite(found["scores"]).all() and np.isfinite(found["boxes"]).all() for found in predictions):
        raise ValueError("Scores and boxes must be finite. Received: some that are not.")
    matches = tuple(match(predictions, annotations, label) for label in range(classes))
    by_voc = [match(predictions, annotations, label, thresholds=(0.5,), rule="voc") for label in range(classes)]
    precision = np.array([[_of(m, average_precision, t) for m in matches] for t in range(len(THRESHOLDS))])
    return DetectionEvaluation(
        count=len(predictions),
        matches=matches,
        precision=precision,
        voc={
            "all points": np.array([_of(m, voc_average_precision) for m in by_voc]),
            "11 points": np.array([_of(m, eleven_point_precision) for m in by_voc]),
        },
    )


def match(predictions, annotations, label, *, thresholds=THRESHOLDS, rule="coco", most=MOST):
    """Holds the boxes of one class against the true ones, image by image, the surest box first.

    By COCO's rule a box takes the object, of those left, that it overlaps most. By Pascal VOC's it takes the one that
    it overlaps most of all, and is wrong where a surer box has that one. Objects to be ignored may be found any number
    of times; COCO's (crowds) overlap by the share of the found box.

    Args:
        predictions, annotations: as for `evaluate`.
        label: number of the class.
        thresholds: overlaps (intersection over union) from which an object is found.
        rule: "coco" or "voc".
        most: boxes of an image that count.

    Returns:
        `Matches`.

    Raises:
        ValueError: another rule.
    """
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {RULES}. Received: {rule!r}.")
    scores, right, counted, objects = [], [], [], 0
    for position, found in enumerate(predictions):
        mine = np.flatnonzero(found["classes"] == label)
        mine = mine[np.argsort(-found["scores"][mine], kind="mergesort")][:most]
        true = annotations.classes[position] == label
        boxes, ignored = annotations.boxes[position][true], annotations.ignored[position][true]
        order = np.argsort(ignored, kind="stable")  # Those that count come first.
        boxes, ignored = boxes[order].astype("float64"), ignored[order]
        objects += int((~ignored).sum())
        scores.append(found["scores"][mine])
        taken = _take(found["boxes"][mine].astype("float64"), boxes, ignored, thresholds, rule)
        right.append(taken == 1)
        counted.append(taken >= 0)
    scores = np.concatenate([*scores, np.zeros(0)])
    order = np.argsort(-scores, kind="mergesort")
    empty = np.zeros((len(thresholds), 0), bool)
    right, counted = (np.concatenate([*rows, empty], axis=1)[:, order] for rows in (right, counted))
    return Matches(scores[order], right, counted, objects)


def _take(found, boxes, ignored, thresholds, rule):
    """(T, n): 1 for a box that found an object, 0 for one that did not, -1 for one that found an ignored one."""
    result = np.zeros((len(thresholds), len(found)), int)
    if not len(boxes) or not len(found):
        return result
    overlaps = overlap(found, boxes)
    if rule == "coco" and ignored.any():
        share = intersection(found, boxes) / np.maximum(area(found), 1e-12)[:, None]
        overlaps = np.where(ignored, share, overlaps)
    for row, threshold in enumerate(thresholds):
        free = np.ones(len(boxes), bool)
        for box in range(len(found)):
            if rule == "voc":
                best = int(overlaps[box].argmax())
                if overlaps[box, best] < threshold:
                    continue
            else:
                reach = (overlaps[box] >= min(threshold, 1 - 1e-10)) & (free | ignored)
                # An object that counts goes before one that is ignored, whatever the overlaps.
                among = reach & ~ignored if (reach & ~ignored).any() else reach
                if not among.any():
                    continue
                # Of equal overlaps the last, as COCO's own code has it.
                best = int(np.flatnonzero(among & (overlaps[box] == overlaps[box][among].max()))[-1])
            if ignored[best]:
                result[row, box] = -1
            elif free[best]:
                result[row, box], free[best] = 1, False
    return result


def average_precision(precision, recall):
    """COCO's: the mean of the best precision from each of the recalls 0, .01, ... 1 on.

    Args:
        precision, recall: (n,), by falling score.

    Example:

    >>> import numpy as np
    >>> float(average_precision(np.array([1.0]), np.array([0.5]))).__round__(4)
    0.505
    """
    return _at(precision, recall, np.linspace(0, 1, 101))


def eleven_point_precision(precision, recall):
    """Pascal VOC's until 2009: the same from the recalls 0, .1, ... 1 on."""
    return _at(precision, recall, np.linspace(0, 1, 11) - 1e-12)  # A recall that is met but for rounding is met.


def voc_average_precision(precision, recall):
    """Pascal VOC's since 2010: the area under the best precision from each recall on."""
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * best).sum())


def confusion(predictions, annotations, classes, *, scores, threshold=0.5):
    """Which class was taken for which.

    Each true box goes with the surest box, of any class, that overlaps it by `threshold`, the largest overlap first.

    Args:
        predictions, annotations: as for `evaluate`.
        classes: how many there are.
        scores: from which a box counts.
        threshold: the overlap.

    Returns:
        (C + 1, C + 1), integers: true classes in rows, the last row for boxes around nothing; answers in columns, the
        last one for objects that were missed. Ignored objects, and what found them, are left out.
    """
    table = np.zeros((classes + 1, classes + 1), int)
    for position, found in enumerate(predictions):
        pairs, missed, false = assign(found, annotations, position, scores=scores, threshold=threshold)
        true = annotations.classes[position]
        for box, object_ in pairs:
            if not annotations.ignored[position][object_]:
                table[true[object_], found["classes"][box]] += 1
        for object_ in missed:
            table[true[object_], classes] += 1
        for box in false:
            table[classes, found["classes"][box]] += 1
    return table


def assign(found, annotations, position, *, scores, threshold=0.5):
    """`(pairs, missed, false)` of one image: (box, object), objects without a box, boxes without an object."""
    boxes = np.flatnonzero(found["scores"] >= scores)
    overlaps = overlap(found["boxes"][boxes].astype("float64"), annotations.boxes[position].astype("float64"))
    pairs, free = [], np.ones(overlaps.shape, bool)
    for flat in np.argsort(-overlaps, axis=None, kind="stable"):
        box, object_ = np.unravel_index(flat, overlaps.shape)
        if overlaps[box, object_] < threshold:
            break
        if free[box, object_]:
            pairs.append((int(boxes[box]), int(object_)))
            free[box], free[:, object_] = False, False
    ignored = annotations.ignored[position]
    missed = sorted(set(np.flatnonzero(~ignored).tolist()) - {object_ for _, object_ in pairs})
    around = {
        int(boxes[box]) for box in range(len(boxes)) if ignored.any() and overlaps[box][ignored].max() >= threshold
    }
    false = sorted(set(boxes.tolist()) - {box for box, _ in pairs} - around)
    return pairs, missed, false


def same_boxes(first, second, *, threshold=0.99):
    """Share of all boxes that have a partner of their class in the other's answer, overlapping by `threshold`."""
    pairs = boxes = 0
    for one, other in zip(first, second):
        boxes += len(one["boxes"]) + len(other["boxes"])
        overlaps = overlap(one["boxes"].astype("float64"), other["boxes"].astype("float64"))
        equal = (overlaps >= threshold) & (one["classes"][:, None] == other["classes"][None])
        pairs += int(equal.any(axis=1).sum() + equal.any(axis=0).sum())
    return pairs / boxes if boxes else 1.0


def best_threshold(evaluation):
    """`(score, f1)`: the score from which on boxes of all classes together have the best F1, at an overlap of .5."""
    scores = np.concatenate([m.scores[m.counted[0]] for m in evaluation.matches])
    right = np.concatenate([m.right[0][m.counted[0]] for m in evaluation.matches])
    if not len(scores):
        return 0.5, 0.0
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(right[order])
    f1 = 2 * found / (np.arange(1, len(found) + 1) + sum(m.objects for m in evaluation.matches))
    best = int(f1.argmax())
    return float(scores[order][best]), float(f1[best])


def _of(matches, function, threshold=0):
    """The function of a class's curve; nan without objects."""
    return function(*matches.curve(threshold)[1:]) if matches.objects else np.nan


def _at(precision, recall, recalls):
    """The mean over `recalls` of the best precision from that recall on; none where it is never reached."""
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(best[np.searchsorted(recall, recalls, side="left")].mean())


def _mean(values):
    values = np.asarray(values)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _number(value):
    return None if np.isnan(value) else round(float(value), 6)
