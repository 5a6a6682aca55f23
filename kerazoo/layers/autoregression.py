"""A recurrent network that is fed what happened, and where nobody knows that, what it expects itself."""

import keras
from keras import layers, ops

from kerazoo.layers.distribution import DISTRIBUTIONS, check_distribution, draw, parameters_of, rescale


@keras.saving.register_keras_serializable(package="kerazoo")
class AutoregressiveCell(layers.Layer):
    """One step: the value before -> the distribution of the next one.

    Args:
        units: of each LSTM.
        depth: LSTMs, one on the other.
        dropout: of what enters each LSTM but the first.
        distribution: of the next value, one of `kerazoo.layers.distribution.DISTRIBUTIONS`.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (N, 2 + K): the value before, 1 where it is known and 0 where the cell's own mean stands in for it, and
        what is known of the step in advance -> (N, parameters), float32.

    Example:

    >>> import keras, numpy
    >>> from kerazoo.layers.autoregression import AutoregressiveCell
    >>> keras.layers.RNN(AutoregressiveCell(4), return_sequences=True)(numpy.ones((2, 5, 2), "float32")).shape
    TensorShape([2, 5, 3])
    """

    def __init__(self, units, depth=1, dropout=0.0, distribution="student_t", **options):
        super().__init__(**options)
        self.units, self.depth, self.dropout = units, depth, dropout
        self.distribution = check_distribution(distribution)
        self.cells = [layers.LSTMCell(units, name=f"lstm{i + 1}") for i in range(depth)]
        self.drop = layers.Dropout(dropout, name="dropout")
        self.head = layers.Dense(len(DISTRIBUTIONS[distribution]), dtype="float32", name="head")
        self.state_size = [units, units] * depth + [1]
        self.output_size = len(DISTRIBUTIONS[distribution])

    def build(self, input_shape):
        size = input_shape[-1] - 1
        for cell in self.cells:
            cell.build((None, size))
            size = self.units
        self.head.build((None, size))

    def call(self, inputs, states, training=None):
        *states, own = states
        known = inputs[:, 1:2]
        x = ops.concatenate([known * inputs[:, :1] + (1 - known) * own, inputs[:, 2:]], axis=-1)
        after = []
        for i, cell in enumerate(self.cells):
            x = self.drop(x, training=training) if i else x
            x, state = cell(x, states[2 * i : 2 * i + 2], training=training)
            after += state
        parameters = parameters_of(self.distribution, self.head(x))
        return parameters, [*after, ops.cast(parameters[:, :1], own.dtype)]

    def get_config(self):
        names = ("units", "depth", "dropout", "distribution")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable(package="kerazoo")
class Autoregression(layers.Layer):
    """The distributions of the steps ahead, each series divided by its mean size over the past.

    Called without the future, each step ahead is fed the mean of the one before. With it (training), each step is
    fed the true value before, and the distributions of all steps but the first come out, those of the past too.

    Args:
        horizon: steps ahead.
        units, depth, dropout, distribution: as in `AutoregressiveCell`.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: past (B, L, C), known (B, L + horizon, K) or None, future (B, horizon, C) or None ->
        (B, horizon, C, parameters), with the future (B, L + horizon - 1, C, parameters); float32.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.autoregression import Autoregression
    >>> Autoregression(3, 4)(numpy.ones((2, 6, 5), "float32")).shape
    TensorShape([2, 3, 5, 3])
    """

    def __init__(self, horizon, units, depth=1, dropout=0.0, distribution="student_t", **options):
        super().__init__(**options)
        self.horizon, self.distribution = horizon, distribution
        self.cell = AutoregressiveCell(units, depth, dropout, distribution, name="cell")
        self.network = layers.RNN(self.cell, return_sequences=True, return_state=True, name="network")

    def build(self, past_shape, known_shape=None, future_shape=None):
        self.network.build((None, None, 2 + (known_shape[-1] if known_shape else 0)))

    def call(self, past, known=None, future=None, training=None):
        lookback, channels = past.shape[1:]
        steps, scale = self._steps(past, known, future)
        parameters, *_ = self.network(steps, training=training)
        if future is None:
            parameters = parameters[:, lookback - 1 :]
        parameters = rescale(self.distribution, ops.cast(parameters, "float32"), scale)
        parameters = ops.reshape(parameters, (-1, channels, *parameters.shape[1:]))
        return ops.transpose(parameters, (0, 2, 1, 3))

    def draw_paths(self, past, known=None, *, paths=100, seed=0):
        """Random futures, each step drawn from the distribution that follows on the draws before it.

        Args:
            past, known: as in a call.
            paths: futures for each example.
            seed: of the draws.

        Shapes: -> (B, paths, horizon, C), float32.
        """
        channels = past.shape[2]
        steps, scale = self._steps(past, known)
        lookback, seed = past.shape[1], keras.random.SeedGenerator(seed)
        parameters, *states = self.network(steps[:, :lookback])
        states = [ops.repeat(state, paths, axis=0) for state in states]
        ahead, scale = (ops.repeat(each, paths, axis=0) for each in (steps[:, lookback:], scale))
        parameters, drawn = ops.repeat(parameters[:, -1], paths, axis=0), []
        for step in range(self.horizon):
            values = draw(self.distribution, rescale(self.distribution, parameters, scale[:, 0]), seed=seed)
            drawn.append(values)
            if step + 1 < self.horizon:
                fed = ops.expand_dims(values, -1) / scale[:, 0]
                fed = ops.cast(ops.concatenate([fed, ops.ones_like(fed)], axis=-1), self.compute_dtype)
                parameters, states = self.cell(ops.concatenate([fed, ahead[:, step, 2:]], axis=-1), states)
        drawn = ops.reshape(ops.stack(drawn, axis=-1), (-1, channels, paths, self.horizon))
        return ops.transpose(drawn, (0, 2, 3, 1))

    def _steps(self, past, known, future=None):
        """What the network reads, (B * C, L + horizon - 1, 2 + K), and the size of each series, (B * C, 1, 1)."""
        lookback, channels = past.shape[1:]
        past = ops.cast(past, "float32")
        ahead = ops.zeros_like(ops.repeat(past[:, -1:], self.horizon, axis=1)) if future is None else future
        values = ops.concatenate([past, ops.cast(ahead, "float32")], axis=1)[:, :-1]
        values = ops.reshape(ops.transpose(values, (0, 2, 1)), (-1, lookback + self.horizon - 1, 1))
        scale = ops.mean(ops.abs(values[:, :lookback]), axis=1, keepdims=True)
        scale = ops.where(scale > 1e-6, scale, 1.0)
        parts = [values / scale, ops.ones_like(values)]
        if future is None:
            parts[1] = ops.concatenate([parts[1][:, :lookback], ops.zeros_like(parts[1][:, lookback:])], axis=1)
        if known is not None:  # Of the step that is forecast, one after the value that is fed.
            known = ops.cast(known[:, 1:], "float32")
            parts.append(known if channels == 1 else ops.repeat(known, channels, axis=0))
        return ops.cast(ops.concatenate(parts, axis=-1), self.compute_dtype), scale

    def compute_output_spec(self, past, known=None, future=None, training=None):
        steps = self.horizon + (0 if future is None else past.shape[1] - 1)
        return keras.KerasTensor((past.shape[0], steps, past.shape[2], self.cell.output_size), "float32")

    def get_config(self):
        names = ("units", "depth", "dropout", "distribution")
        return super().get_config() | {"horizon": self.horizon} | {name: getattr(self.cell, name) for name in names}
