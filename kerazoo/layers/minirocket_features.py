"""MiniRocket's features of a series: how often fixed convolutions exceed fixed thresholds."""

import itertools
from statistics import NormalDist

import keras
import numpy as np
from keras import ops

TAPS = 9
# A row for each kernel: 2 at three of nine places, -1 at the others, in the order of the places.
KERNELS = np.full((84, TAPS), -1.0, "float32")
for _row, _places in enumerate(itertools.combinations(range(TAPS), 3)):
    KERNELS[_row, list(_places)] = 2.0
GOLDEN = (np.sqrt(5) + 1) / 2


def dilations_of(length, features, most):
    """Dilations up to the length of the series, and how many features a kernel has at each: two lists."""
    per_kernel = features // len(KERNELS)
    count = min(per_kernel, most)
    exponents = np.linspace(0, np.log2((length - 1) / (TAPS - 1)), count)
    dilations, shares = np.unique((2.0**exponents).astype(int), return_counts=True)
    shares = (shares * (per_kernel / count)).astype(int)
    missing = per_kernel - shares.sum()
    shares += missing // len(shares) + (np.arange(len(shares)) < missing % len(shares))
    return dilations.tolist(), shares.tolist()


@keras.saving.register_keras_serializable(package="kerazoo")
class MiniRocketFeatures(keras.layers.Layer):
    """The transform of MiniRocket (Dempster et al., 2021, https://arxiv.org/abs/2012.08791), with fixed weights.

    84 kernels of nine steps are laid over the series at many dilations; a feature is the share of the time in which
    a kernel's answer lies above a bias. `adapt` takes the biases from training series: quantiles of the answers on a
    series drawn for each kernel and dilation. Until then they are those of white noise of deviation 1. With several
    channels every kernel and dilation adds up the answers on a random few of them. It computes in float32 under any
    precision: a comparison has no rounding to spare.

    Args:
        features: how many, rounded down to a multiple of 84.
        dilations: at most, for each kernel.
        seed: of the draws of series and channels.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, T, C), T at least 9 -> (B, features).

    Raises:
        ValueError: fewer than 84 features, no dilation, or a series shorter than nine steps.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.minirocket_features import MiniRocketFeatures
    >>> layer = MiniRocketFeatures(features=168)
    >>> series = numpy.random.default_rng(0).normal(size=(4, 30, 1)).astype("float32")
    >>> layer.adapt(series)
    >>> tuple(layer(series).shape)
    (4, 168)
    """

    def __init__(self, features=9_996, dilations=32, seed=0, **options):
        super().__init__(**({"dtype": "float32"} | options))
        if features < len(KERNELS) or dilations < 1:
            raise ValueError(
                f"`features` must be at least {len(KERNELS)} and `dilations` at least 1. "
                f"Received: {features!r} and {dilations!r}."
            )
        self.features, self.dilations, self.seed = features // len(KERNELS) * len(KERNELS), dilations, seed

    def build(self, input_shape):
        length, channels = input_shape[1:]
        if length is None or length < TAPS:
            raise ValueError(f"A series must have a fixed length of at least {TAPS} steps. Received: {length}.")
        self.length = length
        self.steps, self.shares = dilations_of(length, self.features, self.dilations)
        combinations = (len(self.steps) * len(KERNELS), channels)
        chosen = self._draw_channels(*combinations)
        noise = np.sqrt((KERNELS[0] ** 2).sum() * chosen.sum(axis=1))
        noise = np.repeat(noise, np.repeat(self.shares, len(KERNELS)))
        normal = NormalDist()
        start = noise * [normal.inv_cdf(quantile) for quantile in self._quantiles()]
        self.channels = self.add_weight(
            name="channels", shape=combinations, initializer=_constant(chosen), trainable=False
        )
        self.biases = self.add_weight(
            name="biases", shape=(self.features,), initializer=_constant(start), trainable=False
        )

    def _draw_channels(self, combinations, channels):
        """(combinations, channels), 1 where a channel counts: few of them, rarely many, never more than nine."""
        rng = np.random.default_rng(self.seed)
        counts = (2 ** rng.uniform(0, np.log2(min(channels, 9) + 1), combinations)).astype(int)
        return (rng.random((combinations, channels)).argsort(axis=1) < counts[:, None]).astype("float32")

    def _quantiles(self):
        """(features,) in (0, 1), evenly spread wherever one starts and ends."""
        return np.arange(1, self.features + 1) * GOLDEN % 1

    def _of_dilations(self):
        """[(dilation, rows of `channels`, features of a kernel, slice of `biases`)]."""
        parts, first = [], 0
        for index, (step, share) in enumerate(zip(self.steps, self.shares)):
            last = first + len(KERNELS) * share
            rows = slice(index * len(KERNELS), (index + 1) * len(KERNELS))
            parts.append((step, rows, share, slice(first, last)))
            first = last
        return parts

    def adapt(self, series):
        """Takes the biases from training series, (N, T, C), as the layer will see them.

        Raises:
            ValueError: no series, or others than the layer was built for.
        """
        series = np.asarray(series, "float32")
        if series.ndim != 3 or not len(series) or (self.built and series.shape[1] != self.length):
            raise ValueError(f"`series` must be (N, T, C), as the layer's input. Received: {series.shape}.")
        if not self.built:
            self.build(series.shape)
            self.built = True
        rng = np.random.default_rng(self.seed)
        channels, quantiles = ops.convert_to_numpy(self.channels), self._quantiles()
        biases = np.empty(self.features)
        for step, rows, share, place in self._of_dilations():
            drawn = series[rng.integers(len(series), size=len(KERNELS))]
            reach = TAPS // 2 * step
            padded = np.pad(drawn, ((0, 0), (reach, reach), (0, 0)))
            taps = np.stack([padded[:, i * step : i * step + self.length] for i in range(TAPS)], axis=-1)
            answers = np.einsum("ktci,ki,kc->kt", taps, KERNELS, channels[rows])
            wanted = quantiles[place].reshape(len(KERNELS), share)
            biases[place] = [value for row, q in zip(answers, wanted) for value in np.quantile(row, q)]
        self.biases.assign(biases.astype("float32"))

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        features = []
        for index, (step, rows, share, place) in enumerate(self._of_dilations()):
            reach = TAPS // 2 * step
            padded = ops.pad(x, ((0, 0), (reach, reach), (0, 0)))
            taps = ops.concatenate([padded[:, i * step : i * step + self.length] for i in range(TAPS)], axis=-1)
            kernels = KERNELS[:, :, None] * self.channels[rows][:, None, :]
            answers = ops.matmul(taps, ops.transpose(ops.reshape(kernels, (len(KERNELS), -1))))
            biases = ops.reshape(self.biases[place], (len(KERNELS), share))
            # Every other kernel counts the edges too, where it reaches into the padding.
            whole, inside = index % 2, 1 - index % 2
            shares = {
                whole: _share_above(answers[:, :, whole::2], biases[whole::2]),
                inside: _share_above(answers[:, reach : self.length - reach, inside::2], biases[inside::2]),
            }
            both = ops.stack([shares[0], shares[1]], axis=2)
            features.append(ops.reshape(both, (-1, len(KERNELS) * share)))
        return ops.concatenate(features, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.features)

    def get_config(self):
        sizes = {"features": self.features, "dilations": self.dilations, "seed": self.seed}
        return super().get_config() | sizes


def _share_above(answers, biases):
    """(B, T, K), (K, F) -> (B, K, F): the share of the time."""
    return ops.mean(ops.cast(ops.expand_dims(answers, -1) > biases, "float32"), axis=1)


def _constant(values):
    """An initializer that gives these values."""
    return lambda shape, dtype=None: ops.convert_to_tensor(values, dtype=dtype)
