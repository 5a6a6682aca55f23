"""Whether a written file answers as the model does.

The reference is `model(x, training=False)`. The error of an output is its largest difference over
its largest absolute value; agreement is the share of answers (argmax over the last axis, or the
side of the threshold for one unit) that are the same.
"""

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
# Answers whose scores the model itself holds within this share of its largest score count as equal.
TIE = 0.02
# Outputs that are boxes by falling score, as `kerazoo.decoding.with_boxes` gives them; rounding swaps near ties.
DETECTIONS = {"boxes", "scores", "classes"}
# Share of the boxes that must be the model's: suppression decides between nearly equal ones by their last digits.
SAME_BOXES = 0.98
# The error of a box that is not there, or of another class.
OTHER_BOX = 10.0
NEXT_TOKEN = "next_token"  # What the metadata says of a model whose answers are scores of it.
# Outputs that a model's next call takes: no answers, so that quantised ones may differ where the answers are the same.
CARRIED = (STATE, ENCODED)
# Below this, an output is compared absolutely: it is zero but for rounding.
TINY = 1e-6


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
        classifier: the outputs are scores of classes.
    """
    if set(received) != set(reference):
        return Parity(np.inf, None, f"the outputs are {sorted(received)} in place of {sorted(reference)}")
    if set(reference) == DETECTIONS:
        return _compare_detections(received, reference, kind)
    errors, agreements = {}, []
    for name, wanted in reference.items():
        got = received[name]
        if got.shape != wanted.shape:
            return Parity(np.inf, None, f"output {name!r} has shape {got.shape} in place of {wanted.shape}")
        errors[name] = relative_error(got, wanted)
        if classifier and wanted.ndim > 1 and wanted.dtype.kind == "f" and not name.startswith(CARRIED):
            agreements.append(agreement(got, wanted))
    error = max(errors.values())
    agreed = min(agreements, default=None)
    tolerance = TOLERANCES[kind]
    if not np.isfinite(error):
        return Parity(error, agreed, "an output is not finite")
    if error <= tolerance or (kind[1] in ("dynamic", "int8") and agreed is not None and agreed >= AGREEMENT):
        return Parity(error, agreed, None)
    worst = max(errors, key=errors.get)
    also = f" and the same answer for {agreed:.1%} (at least {AGREEMENT:.0%})" if kind[1] and agreed is not None else ""
    return Parity(
        error, agreed, f"output {worst!r} has a relative error of {error:.2e} (at most {tolerance:.0e}){also}"
    )


def _compare_detections(received, reference, kind):
    """One box of the one with one of the other of the same class and image, the nearest pairs first, in any order.

    The error is the one within which the demanded share of the boxes lies: the last digits decide on the rest.
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
    wanted, tolerance = AGREEMENT if kind[1] in ("dynamic", "int8") else SAME_BOXES, TOLERANCES[kind]
    if not errors:
        return Parity(0.0, 1.0, None)  # No box on either side: `is_vacuous` says so.
    share = float(np.mean(np.array(errors) <= tolerance))
    error = float(np.sort(errors)[int(np.ceil(wanted * len(errors))) - 1])
    if error <= tolerance:
        return Parity(error, share, None)
    words = f"{share:.1%} of the boxes, by class, place and score, are the model's (at least {wanted:.0%})"
    return Parity(error, share, words)


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


def agreement(received, wanted):
    """Share of the same answers; the model's own near ties count as the same."""
    if wanted.shape[-1] == 1:
        threshold = 0.0 if wanted.min() < 0 else 0.5
        return float(np.mean((received > threshold) == (wanted > threshold)))
    chosen = np.take_along_axis(wanted, received.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return float(np.mean(chosen >= wanted.max(axis=-1) - TIE * np.max(np.abs(wanted))))


def is_classifier(model, metadata):
    """Whether the model's outputs are scores of classes, by its loss or what the metadata says."""
    if metadata.get("labels") or metadata.get("output") == NEXT_TOKEN:
        return True
    losses = getattr(model, "loss", None)
    losses = losses.values() if isinstance(losses, dict) else losses if isinstance(losses, (list, tuple)) else [losses]
    names = [loss if isinstance(loss, str) else getattr(loss, "name", None) or type(loss).__name__ for loss in losses]
    return any("crossentropy" in str(name).lower() for name in names)


def is_vacuous(inputs, reference):
    """Whether differing inputs get one and the same output: then agreement proves nothing."""
    if all(len(value) < 2 or (value == value[:1]).all() for value in inputs.values()):
        return False  # Nothing differs, so nothing can be said.
    floats = [value.astype("float64") for value in reference.values() if value.dtype.kind == "f"]
    return bool(floats) and all(
        np.ptp(value, axis=0).max() <= 1e-6 * max(np.abs(value).max(), TINY) for value in floats
    )
