"""A recurrent decoder that looks at its source at every step and remembers where it has looked."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="kerazoo")
class PointingCell(layers.Layer):
    """One step of `PointingDecoder`: its state is the LSTM's, the context, and the coverage so far.

    What does not change from step to step (the source) comes along as further states, as Keras's RNN has no other way.

    Args:
        units: of the LSTM.
        coverage: whether attention knows where it has looked before.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: an embedded token (B, E); states: hidden and cell (B, units), context (B, M), coverage (B, S), memory
        (B, S, M), keys (B, S, A), present (B, S), 1 where there is a token -> (B, M + 2 * units + E + S): the context,
        hidden and cell, what the LSTM was fed, the attention.
    """

    def __init__(self, units, coverage=True, **options):
        super().__init__(**options)
        self.units, self.coverage = units, coverage
        self.lstm = layers.LSTMCell(units, name="lstm")
        self.state_size = [units, units]  # RNN asks for it, and is always given all states.
        self.output_size = units

    def build(self, token_shape, memory_shape, keys_shape):
        size, self.width = token_shape[-1], keys_shape[-1]
        self.fed = layers.Dense(size, dtype=self.dtype_policy, name="fed")
        self.queries = layers.Dense(self.width, dtype=self.dtype_policy, name="queries")
        self.fed.build((None, memory_shape[-1] + size))
        self.lstm.build((None, size))
        self.queries.build((None, 2 * self.units))
        self.scoring = self.add_weight(shape=(self.width,), initializer="glorot_uniform", name="scoring")
        if self.coverage:
            self.covering = self.add_weight(shape=(self.width,), initializer="glorot_uniform", name="covering")

    def call(self, inputs, states, training=False):
        hidden, cell, context, coverage, memory, keys, present = states
        x = self.fed(ops.concatenate([inputs, context], axis=-1))
        hidden, (_, cell) = self.lstm(x, [hidden, cell], training=training)
        features = keys + self.queries(ops.concatenate([cell, hidden], axis=-1))[:, None]
        if self.coverage:
            features = features + coverage[..., None] * self.covering
        scores = ops.cast(ops.sum(ops.tanh(features) * self.scoring, axis=-1), "float32")
        shares = ops.softmax(ops.where(present > 0, scores, -1e9), axis=-1)
        shares = ops.cast(shares, self.compute_dtype)
        context = ops.squeeze(ops.matmul(shares[:, None], memory), axis=1)
        answer = ops.concatenate([context, hidden, cell, x, shares], axis=-1)
        return answer, [hidden, cell, context, coverage + shares, memory, keys, present]

    def get_config(self):
        return super().get_config() | {"units": self.units, "coverage": self.coverage}


@keras.saving.register_keras_serializable(package="kerazoo")
class PointingDecoder(layers.Layer):
    """LSTM with additive attention, fed its last context, and coverage (See et al., 2017, https://arxiv.org/abs/1704.04368).

    In training the loss grows by the attention that a step gives again to what had some before, equation 12 there:
    its sum over the source, as a mean over the tokens that are there.

    Args:
        units: of the LSTM.
        coverage: whether attention knows where it has looked before.
        coverage_weight: of that loss.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: embedded tokens (B, T, E), there (B, T) bool, which of them count in the loss; hidden and cell (B, units)
        to begin with; memory (B, S, M), keys (B, S, A), present (B, S) bool, which of the source are there -> context
        (B, T, M), hidden (B, T, units), cell (B, T, units), what the LSTM was fed (B, T, E), attention (B, T, S).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.pointing_decoder import PointingDecoder
    >>> ones = numpy.ones
    >>> answers = PointingDecoder(4)(ones((2, 3, 5)), ones((2, 3)) > 0, ones((2, 4)), ones((2, 4)), ones((2, 6, 8)),
    ...                              ones((2, 6, 8)), ones((2, 6)) > 0)
    >>> [tuple(answer.shape) for answer in answers]
    [(2, 3, 8), (2, 3, 4), (2, 3, 4), (2, 3, 5), (2, 3, 6)]
    """

    def __init__(self, units, coverage=True, coverage_weight=1.0, **options):
        super().__init__(**options)
        self.units, self.coverage, self.coverage_weight = units, coverage, coverage_weight
        self.cell = PointingCell(units, coverage, dtype=self.dtype_policy, name="cell")
        self.network = layers.RNN(self.cell, return_sequences=True, dtype=self.dtype_policy, name="network")

    def build(self, tokens_shape, there_shape, hidden_shape, cell_shape, memory_shape, keys_shape, present_shape):
        self.cell.build((None, tokens_shape[-1]), memory_shape, keys_shape)
        self.network.built = True  # All of its weights are the cell's.
        self.sizes = [memory_shape[-1], self.units, self.units, tokens_shape[-1]]

    def call(self, tokens, there, hidden, cell, memory, keys, present, training=False):
        states = [*self._begin(hidden, cell, memory), *self._source(memory, keys, present)]
        *answers, shares = self._parts(self.network(tokens, initial_state=states, training=training))
        if training and self.coverage and self.coverage_weight:
            now, there = ops.cast(shares, "float32"), ops.cast(there, "float32")
            again = ops.sum(ops.minimum(ops.cumsum(now, axis=1) - now, now), axis=-1)
            self.add_loss(self.coverage_weight * ops.sum(again * there) / ops.maximum(ops.sum(there), 1.0))
        return *answers, shares

    def first_state(self, tokens, there, hidden, cell, memory, keys, present):
        """The state before the first token."""
        return self._begin(hidden, cell, memory)

    def step(self, tokens, there, hidden, cell, memory, keys, present, *, state, position):
        """The answers to some more tokens, and the state after them."""
        states, parts = [*state, *self._source(memory, keys, present)], []
        for index in range(tokens.shape[1]):
            answer, states = self.cell(tokens[:, index], states)
            parts.append(answer)
        return self._parts(ops.stack(parts, axis=1)), states[:4]

    def _begin(self, hidden, cell, memory):
        """Nothing has been looked at, and no context seen."""
        return [hidden, cell, ops.zeros_like(memory[:, 0]), ops.zeros_like(memory[:, :, 0])]

    def _source(self, memory, keys, present):
        return [memory, keys, ops.cast(present, self.compute_dtype)]

    def _parts(self, answer):
        parts, start = [], 0
        for size in self.sizes:
            parts.append(answer[..., start : start + size])
            start += size
        return [*parts, answer[..., start:]]

    def compute_output_spec(self, tokens, there, hidden, cell, memory, keys, present, training=False):
        shape = tuple(tokens.shape[:2])
        sizes = [memory.shape[-1], self.units, self.units, tokens.shape[-1], memory.shape[1]]
        return tuple(keras.KerasTensor((*shape, size), self.compute_dtype) for size in sizes)

    def get_config(self):
        names = ("units", "coverage", "coverage_weight")
        return super().get_config() | {name: getattr(self, name) for name in names}
