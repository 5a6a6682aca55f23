"""How unlikely a distribution finds what happened."""

import math

import keras
from keras import ops

from kerazoo.layers.distribution import DISTRIBUTIONS, check_distribution


@keras.saving.register_keras_serializable(package="kerazoo")
class NegativeLogLikelihood(keras.losses.Loss):
    """Mean negative logarithm of the likelihood of what happened.

    A dispersion of a is a variance of mean + a * mean^2 (Salinas et al., 2017, https://arxiv.org/abs/1704.04110).

    Args:
        distribution: one of `DISTRIBUTIONS`.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: truth (...), parameters (..., one for each in `DISTRIBUTIONS[distribution]`).

    Raises:
        ValueError: no such distribution.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.likelihood import NegativeLogLikelihood
    >>> round(float(NegativeLogLikelihood("gaussian")(numpy.array([[0.0]]), numpy.array([[[0.0, 1.0]]]))), 3)
    0.919
    """

    unbounded = True  # Densities have no largest value: this loss goes below zero.

    def __init__(self, distribution="gaussian", name="negative_log_likelihood", **options):
        super().__init__(name=name, **options)
        self.distribution = check_distribution(distribution)

    def call(self, y_true, y_pred):
        parameters = [y_pred[..., i] for i in range(len(DISTRIBUTIONS[self.distribution]))]
        return -_LOG_LIKELIHOODS[self.distribution](y_true, *parameters)

    def get_config(self):
        return super().get_config() | {"distribution": self.distribution}


# The parameters of Lanczos's series with g = 7 (Godfrey's nine terms): 15 digits in double precision.
_LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)


def log_gamma(x):
    """Logarithm of the gamma function of positive numbers, which `keras.ops` lacks.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.likelihood import log_gamma
    >>> round(float(log_gamma(numpy.float32(5.0))), 4)
    3.1781
    """
    # At x + 1, where the series is exact, and one step back by the recursion.
    total = _LANCZOS[0] + sum(term / (x + i) for i, term in enumerate(_LANCZOS[1:], start=1))
    base = x + 7.5
    return 0.5 * math.log(2 * math.pi) + (x + 0.5) * ops.log(base) - base + ops.log(total) - ops.log(x)


def _gaussian(y, mean, deviation):
    return -0.5 * ops.square((y - mean) / deviation) - ops.log(deviation) - 0.5 * math.log(2 * math.pi)


def _student_t(y, location, scale, degrees):
    half = degrees / 2
    peak = log_gamma(half + 0.5) - log_gamma(half) - 0.5 * ops.log(math.pi * degrees) - ops.log(scale)
    return peak - (half + 0.5) * ops.log1p(ops.square((y - location) / scale) / degrees)


def _negative_binomial(y, mean, dispersion):
    count, product = 1 / dispersion, mean * dispersion
    ways = log_gamma(y + count) - log_gamma(y + 1) - log_gamma(count)
    return ways - count * ops.log1p(product) + y * (ops.log(product) - ops.log1p(product))


_LOG_LIKELIHOODS = {"gaussian": _gaussian, "student_t": _student_t, "negative_binomial": _negative_binomial}
