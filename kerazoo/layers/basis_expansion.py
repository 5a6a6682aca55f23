"""Coefficients -> a series in time, by a fixed basis."""

import keras
import numpy as np
from keras import ops


def polynomials(steps, *, degree):
    """(degree + 1, steps): the powers of time, which runs from 0 to just below 1."""
    return np.power(np.arange(steps) / steps, np.arange(degree + 1)[:, None])


def harmonics(steps, *, horizon, harmonics, backward=False):
    """(2 F, steps): cosines, then sines, of F frequencies from 0 to half the horizon.

    Args:
        steps: time steps.
        horizon: time steps of one period of frequency 1.
        harmonics: frequencies are multiples of one over this.
        backward: time runs backward from the start.
    """
    frequencies = np.append(0.0, np.arange(harmonics, harmonics / 2 * horizon) / harmonics)
    angles = 2 * np.pi * frequencies[:, None] * np.arange(steps) / horizon * (-1 if backward else 1)
    return np.concatenate([np.cos(angles), np.sin(angles)])


def interpolation(steps, *, knots):
    """(knots, steps): linear between evenly spaced knots, each in the middle of its stretch; flat at the ends."""
    places = np.clip((np.arange(steps) + 0.5) * knots / steps - 0.5, 0, knots - 1)
    return np.maximum(1 - np.abs(places - np.arange(knots)[:, None]), 0)


BASES = {"polynomials": polynomials, "harmonics": harmonics, "interpolation": interpolation}


@keras.saving.register_keras_serializable(package="kerazoo")
class BasisExpansion(keras.layers.Layer):
    """A sum of fixed functions of time, weighted by the input (Oreshkin et al., 2019, https://arxiv.org/abs/1905.10437).

    Args:
        basis: "polynomials", "harmonics" or "interpolation", the functions of this module.
        steps: time steps of the output.
        options: the basis function's other arguments, a dict.
        **layer_options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (..., coefficients) -> (..., steps).

    Raises:
        ValueError: an unknown basis, or another number of coefficients than it has.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.basis_expansion import BasisExpansion
    >>> BasisExpansion("interpolation", 4, {"knots": 2})(numpy.array([[0.0, 4.0]])).numpy().tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """

    def __init__(self, basis, steps, options, **layer_options):
        super().__init__(**layer_options)
        if basis not in BASES:
            raise ValueError(f"`basis` must be one of {sorted(BASES)}. Received: {basis!r}.")
        self.basis, self.steps, self.options = basis, steps, dict(options)
        self.matrix = BASES[basis](steps, **self.options).astype("float32")

    @property
    def coefficients(self):
        """How many the input must have."""
        return len(self.matrix)

    def build(self, input_shape):
        if input_shape[-1] != self.coefficients:
            raise ValueError(f"The basis takes {self.coefficients} coefficients. Received: inputs {input_shape!r}.")

    def call(self, inputs):
        return ops.matmul(inputs, ops.cast(self.matrix, self.compute_dtype))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.steps)

    def get_config(self):
        return super().get_config() | {"basis": self.basis, "steps": self.steps, "options": self.options}
