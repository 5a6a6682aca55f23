"""A model's forward pass some tokens at a time: what came before is kept as state and not computed again.

Any functional model will do whose layers look at one position each, but for those that say how they go on: with
`initial_state(batch, length)` and `step(*inputs, state=, position=)`, or as a recurrent layer of Keras that returns its
sequences and its state. A layer whose first state comes from the source has `first_state(*inputs)` in its place. What
does not depend on the tokens (an encoder and all that is made of its answers) is computed once.

No list of layers and operations is complete (a cumulative sum, a softmax over time, a function of one's own mix
positions too), so that a `Stepper` compares its steps with the whole model on a few random tokens when it is made.
"""

import functools

import keras
import numpy as np
from keras import layers, ops

# Layers of Keras whose answer at one position depends on others, with nothing to go on from.
MIXING = (
    layers.AdditiveAttention,
    layers.Attention,
    layers.AveragePooling1D,
    layers.Bidirectional,
    layers.Conv1D,
    layers.Conv1DTranspose,
    layers.DepthwiseConv1D,
    layers.GlobalAveragePooling1D,
    layers.GlobalMaxPooling1D,
    layers.GroupQueryAttention,
    layers.MaxPooling1D,
    layers.MultiHeadAttention,
    layers.SeparableConv1D,
)
# Random tokens on which steps are compared with the whole model, as they are given: singly, as generation goes on, and
# several at once, as it begins, which soon reaches what mixes positions only from a distance or a length on.
PIECES = (1, 1, 1, 1, 1, 1, 2, 8, 16)
# Largest difference of logits over their largest distance from the mean: rounding in another order of operations.
TOLERANCE = 1e-3
HALF = 0.1  # In bfloat16 or float16.


class Stepper:
    """Steps through a functional model that answers tokens with logits of the token after each.

    Args:
        model: with an input (B, T) of ids called `tokens`, and an output (B, T, V).
        tokens: that input's name.

    Raises:
        ValueError: a model without that input, with a layer of Keras that mixes positions, one that keeps a state
            and is called twice, or a model whose logits are others step by step than all at once.

    Example:

    >>> import kerazoo, numpy
    >>> model = kerazoo.build("gpt_nano")
    >>> stepper, tokens = Stepper(model), numpy.array([[5, 6, 7]], "int32")
    >>> state = stepper.initial_state(batch=1, length=8)
    >>> _, state = stepper(tokens[:, :2], state, position=0)
    >>> logits, _ = stepper(tokens[:, 2:], state, position=2)
    >>> bool(numpy.allclose(logits[:, 0], model(tokens)[:, 2], atol=1e-4))
    True
    """

    def __init__(self, model, tokens="tokens"):
        named = {tensor.name: tensor for tensor in model.inputs}
        if tokens not in named:
            raise ValueError(f"The model must have an input {tokens!r}. Received: {sorted(named)}.")
        others = [tensor for tensor in model.inputs if tensor.name != tokens]
        cut = _cut(model, named[tokens])
        self.encoder = keras.Model(others, cut) if others else None
        self.decoder = keras.Model([named[tokens], *cut], model.outputs[0]) if others else model
        nodes = list(_nodes(self.decoder))
        mixing = sorted({node.operation.name for node in nodes if _mixes(node.operation)})
        if mixing:
            raise ValueError(f"Every layer must look at one position or keep a state. Received: {', '.join(mixing)}.")
        self._keepers = [node.operation for node in nodes if _keeps(node.operation)]
        if len(set(map(id, self._keepers))) < len(self._keepers):
            raise ValueError("Every layer that keeps a state must be called once in the model.")
        self._compare(model, tokens)

    @property
    def context(self):
        """Positions that the model knows, or None for any number."""
        known = [getattr(layer, "positions", None) for layer in self._keepers]
        return min((count for count in known if isinstance(count, int)), default=None)

    def encode(self, *inputs):
        """What the steps need of the model's other inputs: a list of tensors."""
        if not self.encoder:
            return []
        inputs = [ops.cast(array, tensor.dtype) for array, tensor in zip(inputs, self.encoder.inputs, strict=True)]
        return keras.tree.flatten(self.encoder(inputs, training=False))

    def initial_state(self, batch, length, encoded=()):
        """The state before the first token: nested lists of tensors, (batch, ...) each, with room for `length`."""
        state = [
            None if hasattr(layer, "first_state") else _initial_state(layer, batch, length) for layer in self._keepers
        ]
        if None not in state:
            return state

        def begin(index, layer, *inputs, **options):
            if state[index] is None:
                state[index] = layer.first_state(*inputs)
            return _step(layer, *inputs, state=state[index], position=0, **options)[0]

        self._through(ops.zeros((batch, 1), "int32"), encoded, begin)  # What a layer is given is known on the way.
        return state

    def __call__(self, tokens, state, position, encoded=()):
        """Logits (B, S, V) of some tokens (B, S) that stand at `position` and after it, and the new state."""
        state = list(state)

        def step(index, layer, *inputs, **options):
            output, state[index] = _step(layer, *inputs, state=state[index], position=position, **options)
            return output

        return self._through(tokens, encoded, step), state

    def _compare(self, model, tokens):
        """Refuses a model whose logits are others step by step than all at once, on random tokens."""
        rng, count = np.random.default_rng(0), min(self.context or sum(PIECES), sum(PIECES))
        sizes = [getattr(layer, "input_dim", None) for layer in model._flatten_layers()]
        ids = max(min((size for size in sizes if isinstance(size, int)), default=model.outputs[0].shape[-1]), 2)

        def sample(tensor):
            shape = [1, *(count if size is None else size for size in tensor.shape[1:])]
            if "int" in tensor.dtype:
                return rng.integers(1, ids, shape).astype(tensor.dtype)  # Without 0, the padding.
            return rng.normal(size=shape).astype(tensor.dtype)

        given = {tensor.name: sample(tensor) for tensor in model.inputs}
        count = min(count, given[tokens].shape[1])
        answers = model(keras.tree.map_structure(lambda tensor: given[tensor.name], model.input), training=False)
        whole = ops.convert_to_numpy(ops.cast(keras.tree.flatten(answers)[0], "float32"))[:, :count]
        try:
            stepped = self._stepped(given, tokens, count)
        except Exception as error:  # Whatever an operation that needs all positions raises.
            raise ValueError(
                f"The model must be one that can be gone through token by token. Received: {model.name!r}, which fails "
                f"at one token: {' '.join(str(error).split())[:300]}"
            ) from error
        if stepped.shape != whole.shape:
            stepped = np.full_like(whole, np.inf)
        spread = np.abs(whole - whole.mean(axis=-1, keepdims=True)).max()
        error = np.abs(stepped - whole).max() / max(spread, 1e-6)
        dtypes = {layer.compute_dtype for layer in model._flatten_layers()}
        if not error <= (HALF if dtypes & {"bfloat16", "float16"} else TOLERANCE):
            raise ValueError(
                "The logits after a token must follow from it, those before it and states that are kept, as they do of "
                f"the whole model. Received: {model.name!r}, whose logits differ by {error:.1e} of their spread."
            )

    def _stepped(self, given, tokens, count):
        """Logits (1, count, V) of the first tokens of {input: array}, piece after piece."""
        encoded = self.encode(*(given[tensor.name] for tensor in self.encoder.inputs)) if self.encoder else []
        state, pieces = self.initial_state(1, count, encoded), []
        for end, size in zip(np.cumsum(PIECES).tolist(), PIECES):
            if end - size >= count:
                break
            piece = given[tokens][:, end - size : min(end, count)]
            logits, state = self(piece, state, end - size, encoded)
            pieces.append(ops.convert_to_numpy(ops.cast(logits, "float32")))
        return np.concatenate(pieces, axis=1)

    def _through(self, tokens, encoded, step):
        """The logits, with `step(index, layer, *inputs, **options)` in place of each layer that keeps a state."""
        place = {id(layer): index for index, layer in enumerate(self._keepers)}

        def operation(layer):
            return functools.partial(step, place[id(layer)], layer) if id(layer) in place else layer

        # It goes through the graph with a function in place of each layer; private, as the nodes below are: kerazoo's
        # bounds on Keras's version keep both.
        return keras.tree.flatten(self.decoder._run_through_graph([tokens, *encoded], operation_fn=operation))[0]


def _cut(model, tokens):
    """Tensors that do not depend on the tokens and are taken by an operation that does, each once."""
    depends, cut = {id(tokens)}, {}
    for node in _nodes(model):
        if any(id(tensor) in depends for tensor in node.input_tensors):
            depends.update(id(tensor) for tensor in node.outputs)
            cut.update({id(t): t for t in node.input_tensors if id(t) not in depends})
    return list(cut.values())


def _nodes(model):
    """The calls of a model's layers, each after those that it takes its inputs from."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from model._nodes_by_depth[depth]


def _mixes(layer):
    """Whether a layer of Keras looks at other positions in a way that cannot go on from a state."""
    if isinstance(layer, layers.RNN):
        return layer.go_backwards or not (layer.return_sequences and layer.return_state)
    return isinstance(layer, MIXING)


def _keeps(layer):
    return hasattr(layer, "step") or isinstance(layer, layers.RNN)


def _initial_state(layer, batch, length):
    if isinstance(layer, layers.RNN):
        return [ops.zeros((batch, size), layer.compute_dtype) for size in keras.tree.flatten(layer.state_size)]
    return layer.initial_state(batch, length)


def _step(layer, *inputs, state, position, **options):
    if isinstance(layer, layers.RNN):
        given = options.get("initial_state")  # Of an encoder: before the first token it stands in place of zeros.
        if given is not None:
            given = keras.tree.flatten(given)
            state = [ops.where(ops.equal(position, 0), first, now) for first, now in zip(given, state)]
        output, *state = layer(inputs[0], initial_state=state)
        return [output, *state], state
    return layer.step(*inputs, state=state, position=position)
