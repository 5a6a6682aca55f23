"""What a model from one sequence to another looks at in its source, and what it copies."""

import keras
import numpy as np
from keras import ops


def looked_at(model, source, tokens):
    """The shares of attention that each token of the target gives to those of the source.

    Args:
        model: a functional model of the inputs `source` and `tokens`, with layers that say their `shares`.
        source: (B, S) ids.
        tokens: (B, T) ids.

    Shapes: -> (layers, B, heads, T, S) float32; every row of S sums to 1.

    Raises:
        ValueError: a model without such a layer.

    Example:

    >>> import kerazoo, numpy
    >>> model = kerazoo.build("transformer_tiny", vocabulary_size=50)
    >>> looked_at(model, numpy.array([[5, 6, 2]]), numpy.array([[1, 7]])).shape
    (4, 1, 4, 2, 3)
    """
    inputs = {tensor.name: tensor for tensor in model.inputs}
    text = inputs["tokens"]
    # Those of the encoder look from the source to itself; they do not need the tokens.
    layers = [layer for layer in model.layers if hasattr(layer, "shares") and _needs(layer, text)]
    if not layers:
        raise ValueError(f"The model must have layers with `shares`, from the tokens to the source: {model.name!r}.")
    held = keras.Model(model.input, [tensor for layer in layers for tensor in layer.input])
    answers = iter(held({"source": np.asarray(source), "tokens": np.asarray(tokens)}, training=False))
    shares = []
    for layer, (queries, keys, _, there) in zip(layers, zip(*[answers] * 4)):  # Four inputs each.
        shares.append(layer.shares(queries, keys, there))
    return np.stack([ops.convert_to_numpy(share) for share in shares])


def copied(model, source, tokens):
    """What a pointer-generator looks at for each word, and how much of it is copied.

    Args:
        model: as `pointer_generator` builds it.
        source: (B, S) ids.
        tokens: (B, T) ids.

    Shapes: -> attention (B, T, S), the share that is copied (B, T), float32.

    Example:

    >>> import kerazoo, numpy
    >>> model = kerazoo.build("pointer_generator", vocabulary_size=50, units=8)
    >>> [part.shape for part in copied(model, numpy.array([[5, 60, 2]]), numpy.array([[1, 60]]))]
    [(1, 2, 3), (1, 2)]
    """
    held = keras.Model(model.input, [model.get_layer("decoder").output[-1], model.get_layer("generated").output])
    shares, generate = held({"source": np.asarray(source), "tokens": np.asarray(tokens)}, training=False)
    return ops.convert_to_numpy(shares), ops.convert_to_numpy(ops.sigmoid(-generate))[..., 0]


def _needs(layer, tensor):
    """Whether what the layer asks with depends on an input."""
    seen, waiting = set(), [layer.input[0]]
    while waiting:
        one = waiting.pop()
        if one is tensor:
            return True
        operation, index, _ = one._keras_history
        node = operation._inbound_nodes[index]
        waiting += [other for other in node.input_tensors if id(other) not in seen]
        seen.update(id(other) for other in node.input_tensors)
    return False
