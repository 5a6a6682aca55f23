"""Distributions that a network can answer: their parameters, and random values of them."""

import keras
from keras import ops

from kerazoo.registry import unknown_choice

# Name -> what the last axis of the network's answer holds; the mean stands first.
DISTRIBUTIONS = {
    "gaussian": ("mean", "deviation"),
    "student_t": ("mean", "scale", "degrees of freedom"),
    "negative_binomial": ("mean", "dispersion"),
}


def check_distribution(name):
    """The name itself.

    Raises:
        ValueError: no such distribution.
    """
    if name not in DISTRIBUTIONS:
        raise ValueError(unknown_choice("distribution", name, DISTRIBUTIONS))
    return name


def parameters_of(distribution, x):
    """Any real numbers -> parameters; what must be positive stays away from zero.

    Shapes: (..., parameters) -> the same.
    """
    mean, *rest = ops.split(x, len(DISTRIBUTIONS[distribution]), axis=-1)
    rest = [ops.softplus(value) + 1e-4 for value in rest]
    if distribution == "negative_binomial":
        mean = ops.softplus(mean) + 1e-4
    if distribution == "student_t":  # Above two degrees of freedom there is a variance.
        rest[1] = rest[1] + 2.0
    return ops.concatenate([mean, *rest], axis=-1)


def rescale(distribution, parameters, scale):
    """The parameters of values that are `scale` times as large.

    A negative binomial's dispersion shrinks with the scale, as DeepAR has it.

    Shapes: (..., parameters) and (..., 1) -> (..., parameters).
    """
    mean, spread, *rest = ops.split(parameters, len(DISTRIBUTIONS[distribution]), axis=-1)
    spread = spread / ops.sqrt(scale) if distribution == "negative_binomial" else spread * scale
    return ops.concatenate([mean * scale, spread, *rest], axis=-1)


def draw(distribution, parameters, *, seed=None):
    """Random values with these parameters.

    Args:
        distribution: one of `DISTRIBUTIONS`.
        parameters: (..., one for each in `DISTRIBUTIONS[distribution]`), float32.
        seed: an int or a `keras.random.SeedGenerator`.

    Shapes: (..., parameters) -> (...).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.distribution import draw
    >>> draw("gaussian", numpy.ones((4, 2), "float32"), seed=0).shape
    TensorShape([4])
    """
    mean, spread, *rest = (parameters[..., i] for i in range(len(DISTRIBUTIONS[check_distribution(distribution)])))
    seed = keras.random.SeedGenerator(seed) if isinstance(seed, int) or seed is None else seed
    shape = ops.shape(mean)
    if distribution == "gaussian":
        return mean + spread * keras.random.normal(shape, seed=seed)
    if distribution == "student_t":
        half = rest[0] / 2
        chi = keras.random.gamma(shape, half, seed=seed) / half  # Chi-squared over its degrees of freedom.
        return mean + spread * keras.random.normal(shape, seed=seed) / ops.sqrt(chi)
    rate = keras.random.gamma(shape, 1 / spread, seed=seed) * mean * spread
    # Keras draws no Poisson numbers; very many very unlikely events make one, to a part in a million of the rate.
    events = 1e6
    return keras.random.binomial(shape, events, ops.minimum(rate / events, 1.0), seed=seed)
