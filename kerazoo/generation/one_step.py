"""A model's step, from one token and a state to logits and the next state, as a model of its own: to be exported."""

import keras
from keras import ops

from kerazoo.generation.stepper import Stepper

STATE, ENCODED = "state_", "encoded_"


class _Begun(keras.layers.Layer):
    """The source -> what the steps need of it, and the state before the first token."""

    def __init__(self, stepper, length, **options):
        super().__init__(**options)
        self.encoder, self.decoder = stepper.encoder, stepper.decoder  # Their weights are this layer's.
        self.stepper, self.length = stepper, length

    def call(self, source):
        encoded = self.stepper.encode(*source)
        # As many rows as the source has, where a batch is open.
        state = self.stepper.initial_state(ops.shape(source[0])[0], self.length, encoded)
        return named(ENCODED, encoded) | named(STATE, state)


class _Stepped(keras.layers.Layer):
    """One token -> the logits of the next one, and the state."""

    def __init__(self, stepper, structure, **options):
        super().__init__(**options)
        self.decoder, self.stepper, self.structure = stepper.decoder, stepper, structure

    def call(self, inputs):
        encoded = [inputs[name] for name in inputs if name.startswith(ENCODED)]
        flat = [inputs[name] for name in inputs if name.startswith(STATE)]
        state = keras.tree.pack_sequence_as(self.structure, flat)
        logits, state = self.stepper(inputs["tokens"], state, inputs["position"][0], encoded)
        return {"logits": ops.cast(logits[:, 0], "float32")} | named(STATE, state)


def named(prefix, structure):
    """{prefix and a number of two digits at least: tensor} of nested lists, in an order that sorting keeps."""
    flat = keras.tree.flatten(structure)
    digits = max(2, len(str(len(flat))))
    return {f"{prefix}{index:0{digits}}": tensor for index, tensor in enumerate(flat)}


def one_step(model, *, length, source_length=None):
    """The two `keras.Model`s by which a language model or a translator writes, token for token, wherever they run.

    Args:
        model: of kerazoo, with an input `tokens` (B, T) and logits (B, T, V) out; of float32.
        length: tokens that there is room for, the given ones too.
        source_length: tokens of the source, for a model that has one and leaves its length open.

    Returns:
        `(begin, step)`. `step` takes {"tokens": (B, 1), "position": (B,), the same for all rows, "state_00": ...} and
        what `begin` gave of the source, "encoded_00": ...; it gives {"logits": (B, V), "state_00": ...}. `begin` takes
        the source and gives "encoded_00", ... and "state_00", ...; it is None for a model without a source, whose
        first state is zeros.

    Raises:
        ValueError: a model that `Stepper` refuses, more tokens than the model knows positions, or a source of open
            length.

    Example:

    >>> import kerazoo
    >>> begin, step = one_step(kerazoo.build("char_lstm", vocabulary_size=60, units=8), length=100)
    >>> begin, {name: tensor.shape for name, tensor in step.output.items()}["logits"]
    (None, (None, 60))
    """
    stepper = Stepper(model)
    if not isinstance(length, int) or not 0 < length <= (stepper.context or length):
        raise ValueError(
            f"`length` must be a positive integer, at most the model's positions. Received: {length!r}, "
            f"{stepper.context}."
        )
    begin, encoded = None, {}
    if stepper.encoder:
        lengths = {tensor.name: tensor.shape[1] or source_length for tensor in stepper.encoder.inputs}
        if None in lengths.values():
            raise ValueError(f"`source_length` must say how long the sources are. Received: {lengths}.")
        source = [
            keras.Input((lengths[tensor.name], *tensor.shape[2:]), dtype=tensor.dtype, name=tensor.name)
            for tensor in stepper.encoder.inputs
        ]
        answers = _Begun(stepper, length, name="begun")(source)
        begin = keras.Model({tensor.name: tensor for tensor in source}, answers, name=f"{model.name}_begin")
        encoded = {name: tensor for name, tensor in answers.items() if name.startswith(ENCODED)}
    zeros = [ops.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in encoded.values()]
    structure = stepper.initial_state(1, length, zeros)
    inputs = {
        "tokens": keras.Input((1,), dtype="int32", name="tokens"),
        "position": keras.Input((), dtype="int32", name="position"),
    }
    for name, tensor in (encoded | named(STATE, structure)).items():
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        inputs[name] = keras.Input(tuple(tensor.shape)[1:], dtype=dtype, name=name)
    step = keras.Model(inputs, _Stepped(stepper, structure, name="stepped")(inputs), name=f"{model.name}_step")
    return begin, step
