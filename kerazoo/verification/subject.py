"""The model under verification, at its smoke size, with real steps of training behind it."""

import functools
import random
import tempfile

import keras
import numpy as np

from kerazoo import catalog
from kerazoo.builder import build

BATCH = 8
STEPS = 80
RATES = (3e-3, 2e-4)
ENOUGH = 0.25  # of the initial loss: a batch this small can be learnt by heart
LEARNT = 0.5  # what counts as learnt after all the steps


class Broken(Exception):
    """A promise does not hold; the message says by how much."""


class NotApplicable(Exception):
    """A promise has no meaning here; the message says why."""


class Subject:
    """One entry of the registry, its smoke arguments and sample batch, built as often as needed."""

    def __init__(self, name):
        self.name = name
        self.entry = catalog.entry(name)
        if self.entry.sample is None:
            raise ValueError(f"Verification needs `sample` in the registration. Received: {name!r} without one.")
        self.inputs, self.targets = self.entry.sample(np.random.default_rng(0), BATCH)
        self.examples = len(keras.tree.flatten(self.targets)[0])
        self.folder = tempfile.TemporaryDirectory(prefix="kerazoo-verify-")

    def build(self, **overrides):
        """The smoke model, always with the same initial weights."""
        return build(self.name, seed=0, **(dict(self.entry.smoke) | overrides))

    @functools.cached_property
    def trained(self):
        """(model, first loss, last loss, what is left of it) after learning the sample batch; statistics have moved."""
        # Fixed rates: the promise is about the graph, the recipe's rate fits a real epoch. The lower one
        # is for deep networks without normalisation, which the higher one throws off.
        for rate in RATES:
            random.seed(0)
            model = self.build(optimizer=keras.optimizers.Adam(rate, clipnorm=1.0), metrics=[])
            first = last = _loss(model.train_on_batch(self.inputs, self.targets))
            for _ in range(STEPS):
                if _left(model, first, last) < ENOUGH:
                    break
                last = _loss(model.train_on_batch(self.inputs, self.targets))
            if _left(model, first, last) < LEARNT:
                break
        # Let the moving statistics catch up with the batch's, so that inference answers as training does.
        for layer in model._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.5
        for _ in range(8):
            model(self.inputs, training=True)
        return model, first, last, _left(model, first, last)

    def without_chance(self, model):
        """Switches dropout and its kin off, so that two runs of a training step can be compared."""
        for layer in model._flatten_layers():
            for attribute in ("rate", "drop_path_rate"):
                if isinstance(getattr(layer, attribute, None), float):
                    setattr(layer, attribute, 0.0)
        return model


def _left(model, first, last):
    """The share of the initial loss that is left; of the surprise, where the loss is its logarithm and has no zero."""
    if getattr(model.loss, "unbounded", False):
        return float(np.exp(last - first))
    return last / first


def _loss(result):
    return float(result[0] if isinstance(result, (list, tuple)) else result)


def flat(outputs) -> list:
    """Any structure of tensors -> a list of float64 arrays."""
    return [np.asarray(keras.ops.convert_to_numpy(y), "float64") for y in keras.tree.flatten(outputs)]


def relative_error(received, expected) -> float:
    """Largest difference over largest magnitude, over all arrays of two equal structures."""
    errors = []
    for a, b in zip(flat(received), flat(expected), strict=True):
        if a.shape != b.shape:
            raise Broken(f"shape {a.shape} in place of {b.shape}")
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise Broken("not finite")
        errors.append(np.abs(a - b).max() / max(np.abs(b).max(), 1e-12))
    return float(max(errors))


# Differences of a step that count as rounding, in terms of what moving the weights by their last digits does.
_ROUNDINGS = 10.0
# The share of the weights that must move by more than that. Others may not: a bias that the next batch norm takes away.
_SEEN = 0.75


def relative_step_error(received, expected, rounded) -> float:
    """Largest error of the change of any weight in a step, each by its norm and in terms of that weight's own change.

    Args:
        received: the change of each weight, a list of arrays.
        expected: what it should be.
        rounded: several such lists, of steps from weights that differ in their last digits: how far rounding alone
            moves each change. A bias before a batch norm, say, moves by rounding only.

    Returns:
        The largest error beyond rounding.

    Raises:
        Broken: a change is not finite, or too few weights move by more than their rounding to compare anything.

    Example: a weight that did not move is an error of 1, however small its change is beside the others'.

    >>> import numpy as np
    >>> moved = [np.array([100.0]), np.array([0.01])]
    >>> round(relative_step_error([moved[0], np.zeros(1)], moved, [moved]), 2)
    1.0
    """
    if not all(np.isfinite(change).all() for changes in (received, expected, *rounded) for change in changes):
        raise Broken("not finite")
    norm, errors, seen = np.linalg.norm, [], 0
    floor = np.finfo("float32").eps * max(map(norm, expected))  # Less is lost in the sums of the way back.
    for a, b, *moved in zip(received, expected, *rounded, strict=True):
        size, rounding = norm(b), max(_ROUNDINGS * max(norm(c - b) for c in moved), floor)
        errors.append(max(norm(a - b) - rounding, 0.0) / max(size, rounding))
        seen += bool(size > 2 * rounding)
    if seen < _SEEN * len(errors):
        raise Broken(f"only {seen} of {len(errors)} weights move by more than rounding")
    return float(max(errors))


def within(error, tolerance) -> float:
    """`error` if it is within `tolerance`.

    Raises:
        Broken: it is not.
    """
    if not error <= tolerance:
        raise Broken(f"relative error {error:.2e}, above {tolerance:.0e}")
    return error
