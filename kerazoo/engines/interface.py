"""The named inputs and outputs of any `keras.Model`, and arrays that fit them."""

import inspect
import re

import keras
import numpy as np

from kerazoo.engines.base import Signature, TensorFacts

# Sizes for a random input where the model takes any.
ANY_LENGTH, ANY_SIDE = 16, 64


class Interface:
    """Names, shapes and dtypes of a model's inputs; its call as a function from dict to dict.

    Args:
        model: a built `keras.Model`.
        example: one batch of inputs, as the model takes them: it describes a subclassed model's
            inputs, and the sizes that a model leaves open.

    Raises:
        ValueError: a subclassed model without an example, or inputs without a batch axis.
    """

    def __init__(self, model, example=None):
        self.model = model
        symbolic = getattr(model, "inputs", None)
        if symbolic:
            # A Functional model's `input` keeps the structure that its call takes.
            self._structure = getattr(model, "input", symbolic[0])  # A `Sequential` that was never called has none.
        elif example is not None:
            self._structure = example
        else:
            raise ValueError(
                "A subclassed model does not know its inputs: give `representative_data`, one batch of inputs. "
                f"Received: {type(model).__name__} {model.name!r}."
            )
        tensors = keras.tree.flatten(self._structure)
        names = _names(self._structure, [getattr(t, "name", None) for t in tensors], default="input")
        shapes = [(None, *tuple(t.shape)[1:]) for t in tensors]
        self.inputs = {
            name: TensorFacts(shape, keras.backend.standardize_dtype(tensor.dtype))
            for name, tensor, shape in zip(names, tensors, shapes)
        }
        self._takes_training = bool(symbolic) or "training" in inspect.signature(model.call).parameters

    def pack(self, named):
        """{name: tensor} -> the structure that the model's call takes."""
        return keras.tree.pack_sequence_as(self._structure, [named[name] for name in self.inputs])

    def named(self, structure):
        """The structure that the model's call takes -> {name: tensor}."""
        return dict(zip(self.inputs, keras.tree.flatten(structure), strict=True))

    def unpack(self, batch):
        """One batch as the model takes it (or a dict by input names) -> {name: array}.

        Raises:
            ValueError: another number of inputs, or shapes that do not fit.
        """
        if isinstance(batch, dict) and set(batch) == set(self.inputs):
            arrays = [batch[name] for name in self.inputs]
        elif hasattr(batch, "shape"):
            arrays = [batch]
        else:
            arrays = keras.tree.flatten(batch)
        if len(arrays) != len(self.inputs):
            raise ValueError(f"The model has the inputs {list(self.inputs)}. Received: {len(arrays)} arrays.")
        named = {}
        for (name, facts), array in zip(self.inputs.items(), arrays):
            array = np.asarray(array)
            if facts.dtype != "string":
                array = array.astype(facts.dtype)
            fits = len(array.shape) == len(facts.shape) and all(
                wanted in (None, size) for wanted, size in zip(facts.shape[1:], array.shape[1:])
            )
            if not fits:
                raise ValueError(f"Data for {name!r} must have shape {facts.shape}. Received: {array.shape}.")
            named[name] = array
        return named

    def serve(self, **named):
        """The forward pass in inference mode: {name: tensor} -> {name: tensor}."""
        training = {"training": False} if self._takes_training else {}
        outputs = self.model(self.pack(named), **training)
        flat = keras.tree.flatten(outputs)
        names = _names(outputs, getattr(self.model, "output_names", None) or [None] * len(flat), default="output")
        return dict(zip(names, flat))

    def signature(self) -> Signature:
        """Names, shapes and dtypes of the inputs and of what `serve` gives, traced."""
        import tensorflow as tf

        from kerazoo.engines import graph

        traced = tf.function(self.serve, autograph=False).get_concrete_function(**self.tensor_specs())
        return Signature(self.inputs, graph.facts(traced.structured_outputs))

    def tensor_specs(self, batch_size=None, shapes=None):
        """{name: tf.TensorSpec}; `shapes` ({name: shape}) fills in sizes that the model leaves open."""
        import tensorflow as tf

        specs = {}
        for name, facts in self.inputs.items():
            rest = (shapes or {}).get(name, facts.shape)[1:]
            specs[name] = tf.TensorSpec((batch_size, *rest), facts.dtype, name=name)
        return specs

    def open_sizes(self):
        """Names of the inputs with a size, other than the batch, that the model leaves open."""
        return [name for name, facts in self.inputs.items() if None in facts.shape[1:]]

    def random(self, batch, seed=0):
        """{name: array} of random inputs: pixels for images, ids below the smallest vocabulary, bits.

        Raises:
            ValueError: an input of strings, which cannot be made up.
        """
        rng = np.random.default_rng(seed)
        return {name: self._random(name, facts, batch, rng) for name, facts in self.inputs.items()}

    def _random(self, name, facts, batch, rng):
        image = len(facts.shape) == 4 and facts.shape[-1] in (1, 3)
        fill = ANY_SIDE if image else ANY_LENGTH
        shape = (batch, *(fill if size is None else size for size in facts.shape[1:]))
        if facts.dtype == "bool":
            return rng.random(shape) < 0.5
        if facts.dtype.startswith(("int", "uint")):
            return rng.integers(0, 256 if image else self._vocabulary(), shape).astype(facts.dtype)
        if facts.dtype == "string":
            raise ValueError(f"Input {name!r} takes strings, which cannot be made up: give `representative_data`.")
        values = rng.uniform(0, 255, shape) if image else rng.normal(size=shape)
        return values.astype(facts.dtype)

    def _vocabulary(self):
        """The smallest number of ids that any layer of the model takes; 2 where none says."""
        sizes = (getattr(layer, "input_dim", None) for layer in self.model._flatten_layers())
        return min((size for size in sizes if isinstance(size, int) and size > 1), default=2)


def _names(structure, tensor_names, *, default):
    """One name for each flat item: the dict's keys, else the tensors' own, else numbered ones."""
    if isinstance(structure, dict) and all(hasattr(value, "shape") for value in structure.values()):
        names = sorted(structure)  # As keras.tree flattens it.
    else:
        names = list(tensor_names)
    if len(names) == 1 and names[0] is None:
        return [default]
    names = [re.sub(r"\W", "_", str(name)) if name else "" for name in names]
    if len(set(names)) < len(names) or "" in names or any(name[0].isdigit() for name in names):
        return [f"{default}_{index}" for index in range(len(names))]
    return names
