"""Whether a written file answers as the model does.

The reference is `model(x, training=False)`. What an output is decides how it is measured (`score_outputs`):

- scores of classes (softmax over an axis) by their log-probabilities, so that adding a constant to a row of logits
  changes and hides nothing: the largest difference over the largest distance of one from its row's mean;
- everything else (regressions, vectors, single units, independent units, raw heads) by its values: the largest
  difference over the largest absolute value.

Agreement is the share of answers (the argmax, or the side of the threshold for single and independent units) that are
the same.
"""

import re
from dataclasses import dataclass

import numpy as np

from kerazoo.generation.one_step import ENCODED, STATE

# Largest relative error: float32 rounding in another order of operations; half precision weights
# (11 bits); 8-bit weights. Full int8 has its own rule below. A SavedModel runs the same kernels, but float32 itself is
# not finer: after EfficientNetV2's five hundred layers the model's own answers are 5e-6 from those in float64, so that
# two orders of summation may be twice that apart.
TOLERANCES = {
    ("saved_model", None): 2e-5,
    ("tflite", None): 1e-4,
    ("onnx", None): 1e-4,
    ("tflite", "float16"): 1e-2,
    ("tflite", "dynamic"): 5e-2,
    ("tflite", "int8"): 1e-1,
}
# A quantised classifier may miss the tolerance if it gives the same answer for this share of samples.
AGREEMENT = 0.9
# An answer whose score is behind the model's first by at most this share of the usual gap between first and second (the
# median over the samples) counts as the same.
TIE = 0.05
# How many roundings of float32, of the largest value, are no difference: what is left of a small spread on a large
# constant, as of logits between -100.1 and -100, cannot be more exact.
ROUNDINGS = 16 * np.finfo("float32").eps
# Log-probabilities further below a row's first are as good as minus infinity: masked classes do not set the scale.
FLOOR = -3e4
# Probabilities below this count as this, as in Keras's own cross-entropies.
SMALLEST = 1e-7
NEXT_TOKEN = "next_token"  # What the metadata says of a model whose answers are scores of it.
# The axis over which scores exclude each other: classes, or the places where an answer may begin (or end).
AXES = {"softmax": -1, "span": 1}
# What a loss, by its name or its class's, compares; the first that fits.
FORMS = {
    "span": "spanentropy",
    "sigmoid": "binary.*entropy|sigmoidfocal",
    "softmax": "crossentropy|smoothedentropy|labellikelihood|^(pixelfocal|tversky|dice|boundary)$",
}
# Outputs that are boxes by falling score, as `kerazoo.decoding.with_boxes` gives them; rounding swaps near ties.
DETECTIONS = {"boxes", "scores", "classes"}
# Share of the boxes that must be the model's, where nothing is known of how they were chosen: a suppression decides
# between nearly equal ones by their last digits. `kerazoo.exporters.detector` knows kerazoo's own.
SAME_BOXES = 0.98
# The error of a box that is not there, or of another class.
OTHER_BOX = 10.0
NO_BOX = "neither the model nor the file finds a box in these images, so that nothing was compared"
# Outputs that a model's next call takes: no answers, so that quantised ones may differ where the answers are the same.
CARRIED = (STATE, ENCODED)
# Below this, an output is compared absolutely: it is zero but for rounding.
TINY = 1e-6
# How far probabilities may be from a sum of 1, and log-probabilities from one of 0.
SUM = 1e-3
PIECE = 2**24  # Scores that are looked at together: a language model's are many.


@dataclass(frozen=True)
class Parity:
    """What a comparison found; `problem` is None where the file is as good as the model."""

    max_relative_error: float
    agreement: float | None
    problem: str | None


def compare(received, reference, *, kind, classifier):
    """Compares {output: array} of a file with the model's.

    Args:
        received: the file's outputs.
        reference: the model's.
        kind: (format, quantization), a key of `TOLERANCES`.
        classifier: {output: what its scores are, a key of `AXES`, or "sigmoid"}, as `score_outputs` finds them; True
            for softmax over the last axis of every output of floats, False for none.
    """
    if set(received) != set(reference):
        return Parity(np.inf, None, f"the outputs are {sorted(received)} in place of {sorted(reference)}")
    if set(reference) == DETECTIONS:
        return _compare_detections(received, reference, kind)
    scores = classifier if isinstance(classifier, dict) else _all_outputs(reference) if classifier else {}
    tolerance = TOLERANCES[kind]
    errors, agreements, words = {}, {}, {}
    for name, wanted in reference.items():
        got = received[name]
        if got.shape != wanted.shape:
            return Parity(np.inf, None, f"output {name!r} has shape {got.shape} in place of {wanted.shape}")
        form = scores.get(name) if wanted.dtype.kind == "f" else None
        if form == "softmax" and wanted.shape[-1] == 1:
            form = "sigmoid"
        errors[name], words[name] = relative_error(got, wanted), "values"
        if form == "sigmoid":
            agreements[name] = agreement_of_units(got, wanted)
        elif form:
            got, wanted = (np.moveaxis(side, AXES[form], -1) for side in (got, wanted))
            agreements[name] = agreement(got, wanted)
            if np.isfinite(errors[name]) and not _independent(wanted):
                errors[name], words[name] = error_of_scores(got, wanted, tolerance), "log-probabilities"
    agreed = min(agreements.values(), default=None)
    error = max(errors.values())
    if not np.isfinite(error):
        return Parity(error, agreed, "an output is not finite")
    # Quantised scores may be off where the answers are the same; so may what a next call takes, which is no answer.
    same = {name: agreements.get(name, agreed if name.startswith(CARRIED) else None) for name in errors}
    forgiven = kind[1] in ("dynamic", "int8")
    failed = {
        name: value
        for name, value in errors.items()
        if value > tolerance and not (forgiven and same[name] is not None and same[name] >= AGREEMENT)
    }
    if not failed:
        return Parity(error, agreed, None)
    worst = max(failed, key=failed.get)
    problem = f"output {worst!r} has a relative error of {failed[worst]:.2e} in its {words[worst]}"
    problem += f" (at most {tolerance:.0e})"
    if forgiven and same[worst] is not None:
        problem += f" and the same answer for {same[worst]:.1%} (at least {AGREEMENT:.0%})"
    return Parity(error, agreed, problem)


def _all_outputs(reference):
    return {
        name: "softmax"
        for name, wanted in reference.items()
        if wanted.ndim > 1 and wanted.dtype.kind == "f" and not name.startswith(CARRIED)
    }


def _compare_detections(received, reference, kind):
    """One box of the one with one of the other of the same class and image, the nearest pairs first, in any order.

    The error is that of the worst pair, agreement the share of the boxes within the tolerance.
    """
    if any(not np.isfinite(value).all() for value in received.values()):
        return Parity(np.inf, None, "an output is not finite")
    scales = {name: max(np.abs(reference[name]).max(), TINY) for name in ("boxes", "scores")}
    errors = []
    for image in range(len(reference["classes"])):
        one, other = (
            np.concatenate(
                [
                    side["boxes"][image] / scales["boxes"],
                    side["scores"][image][:, None] / scales["scores"],
                    OTHER_BOX * side["classes"][image][:, None],
                ],
                axis=1,
            )[side["classes"][image] >= 0]
            for side in (received, reference)
        )
        errors += _paired(np.abs(one[:, None] - other[None]).max(axis=-1))
    return of_boxes(errors, SAME_BOXES, kind)


def of_boxes(errors, share, kind):
    """A `Parity` of the errors of all boxes, of which the share must be within the tolerance."""
    if not errors:
        return Parity(0.0, None, NO_BOX)
    wanted = AGREEMENT if kind[1] in ("dynamic", "int8") else share
    same, worst = float(np.mean(np.array(errors) <= TOLERANCES[kind])), float(max(errors))
    if same >= wanted:
        return Parity(worst, same, None)
    words = f"{same:.1%} of the boxes, by class, place and score, are the model's (at least {wanted:.0%})"
    return Parity(worst, same, words)


def _paired(distances):
    """Distances (N, M) -> those of one-to-one pairs, the nearest first; `OTHER_BOX` for who stays alone."""
    errors, distances = [OTHER_BOX] * abs(distances.shape[0] - distances.shape[1]), distances.copy()
    for _ in range(min(distances.shape)):
        row, column = np.unravel_index(distances.argmin(), distances.shape)
        errors.append(min(float(distances[row, column]), OTHER_BOX))
        distances[row], distances[:, column] = np.inf, np.inf
    return errors


def relative_error(received, wanted):
    """Largest difference over the largest absolute value; for other types, the share that differs."""
    if wanted.dtype.kind != "f":
        return float(np.mean(received != wanted))
    received, wanted = received.astype("float64"), wanted.astype("float64")
    if not np.isfinite(received).all():
        return np.inf
    return float(np.max(np.abs(received - wanted)) / max(np.max(np.abs(wanted)), TINY))


def error_of_scores(received, wanted, tolerance):
    """Largest difference of log-probabilities over the largest distance of one from its row's mean.

    Args:
        received: (..., classes) logits, probabilities or log-probabilities of a file.
        wanted: the model's.
        tolerance: what the error is held against: below it, `ROUNDINGS` are no difference.
    """
    received, wanted = (side.reshape(-1, side.shape[-1]) for side in (received, wanted))
    given = _given(wanted)
    difference = spread = largest = 0.0
    for start in range(0, len(wanted), max(PIECE // wanted.shape[-1], 1)):
        rows = slice(start, start + max(PIECE // wanted.shape[-1], 1))
        raw = wanted[rows].astype("float64")
        one, other = (_log_probabilities(side, given) for side in (received[rows].astype("float64"), raw))
        real = other > FLOOR
        means = np.sum(other * real, axis=-1, keepdims=True) / np.maximum(real.sum(axis=-1, keepdims=True), 1)
        difference = max(difference, np.abs(one - other).max())
        spread = max(spread, np.abs((other - means) * real).max())
        largest = max(largest, np.abs(raw[real]).max(initial=0.0))
    return float(difference / max(spread, ROUNDINGS * largest / tolerance, TINY))


def _independent(values):
    """Whether scores are probabilities that do not share a row: of labels of which several may be true."""
    return values.min() >= 0 and values.max() <= 1 + SUM and np.abs(values.sum(axis=-1) - 1).max() > SUM


def _given(rows):
    """What rows of scores are: "probabilities", "log-probabilities" or "logits", of which a constant means nothing."""
    if rows.min() >= 0 and rows.max() <= 1 + SUM:
        return "probabilities"
    pieces = np.array_split(rows, -(-rows.size // PIECE))
    normalised = all(np.abs(_log_sum(piece.astype("float64"))).max() <= SUM for piece in pieces)
    return "log-probabilities" if normalised else "logits"


def _log_probabilities(rows, given):
    if given == "probabilities":
        return np.log(np.maximum(rows, SMALLEST))
    return np.maximum(rows - _log_sum(rows) if given == "logits" else rows, FLOOR)


def _log_sum(rows):
    largest = rows.max(axis=-1, keepdims=True)
    return largest + np.log(np.exp(rows - largest).sum(axis=-1, keepdims=True))


def agreement(received, wanted):
    """Share of the same answers over the last axis; the model's own near ties count as the same.

    With one unit, or independent ones, the answer is the side of the threshold: 0 of logits, 0.5 of probabilities.
    """
    if wanted.shape[-1] == 1:
        return agreement_of_units(received, wanted)
    best = wanted.max(axis=-1)
    chosen = np.take_along_axis(wanted, received.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    second = np.partition(wanted, -2, axis=-1)[..., -2]
    return float(np.mean(best - chosen <= TIE * np.median(best - second)))


def agreement_of_units(received, wanted):
    """Share of single or independent units on the same side of the threshold, near ties counting as the same."""
    threshold = 0.5 if wanted.min() >= 0 and wanted.max() <= 1 else 0.0
    distance = np.abs(wanted - threshold)
    same = (received > threshold) == (wanted > threshold)
    return float(np.mean(same | (distance <= TIE * np.median(distance))))


def score_outputs(model, metadata, names):
    """{output: "softmax", "span" or "sigmoid"} of those outputs that are scores, by their losses or the metadata.

    Args:
        model: a `keras.Model`; what a loss says of an output counts first.
        metadata: of the export: "labels" make an output of as many scores a classifier's; "output" of next tokens.
        names: {output: the size of its last axis}, in the model's order.
    """
    labels, found = metadata.get("labels"), {}
    losses = _losses(model, list(names))
    for name, size in names.items():
        form = _form(losses.get(name))
        if form is None and metadata.get("output") == NEXT_TOKEN and not name.startswith(CARRIED):
            form = "softmax"
        # A detector's raw heads are none, though one of them has a score for each label.
        fits = labels and (size == len(labels) or (size, len(labels)) == (1, 2))
        if form is None and fits and not hasattr(model, "heads"):
            form = "softmax"
        if form:
            found[name] = form
    return found


def _losses(model, names):
    """{output: its loss} of a compiled model."""
    losses = getattr(model, "loss", None)
    if isinstance(losses, dict):
        return losses
    if isinstance(losses, (list, tuple)):
        return dict(zip(names, losses))
    return dict.fromkeys(names, losses)


def _form(loss):
    """What scores a loss compares, a key of `FORMS`, or None."""
    own = loss if isinstance(loss, str) else getattr(loss, "__name__", None) or getattr(loss, "name", None) or ""
    names = [re.sub("[^a-z]", "", name.lower()) for name in (own, type(loss).__name__)]
    found = next((form for form, words in FORMS.items() if any(re.search(words, name) for name in names)), None)
    return found or next(filter(None, map(_form, getattr(loss, "losses", ()))), None)


def is_vacuous(inputs, reference):
    """Whether differing inputs get one and the same output: then agreement proves nothing."""
    if all(len(value) < 2 or (value == value[:1]).all() for value in inputs.values()):
        return False  # Nothing differs, so nothing can be said.
    floats = [value.astype("float64") for value in reference.values() if value.dtype.kind == "f"]
    return bool(floats) and all(
        np.ptp(value, axis=0).max() <= 1e-6 * max(np.abs(value).max(), TINY) for value in floats
    )
