"""How many batches go into one call of the compiled training step."""

import math
import warnings

import keras

SMALL = 5_000_000  # multiply-adds an example; below, a step takes less time than calling it from Python
TOGETHER = 32


def resolve(model, wanted) -> int:
    """A value for `compile(steps_per_execution=)`: `wanted`, or by the size of the model for None.

    Callbacks and the progress bar hear of every so many batches only, so that large models, which
    gain nothing, take one at a time. Keras cannot join steps under a distribution strategy: there it is
    1, with a warning where more was asked for.
    """
    if wanted is not None and (not isinstance(wanted, int) or wanted < 1):
        raise ValueError(f"`steps_per_execution` must be a positive integer or None. Received: {wanted!r}.")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.distribute.has_strategy():
            if wanted not in (None, 1):
                warnings.warn(f"steps_per_execution={wanted} is switched off under a strategy.", stacklevel=3)
            return 1
    if wanted is not None:
        return wanted
    return TOGETHER if multiply_adds(model) < SMALL else 1


def multiply_adds(model) -> int:
    """Multiply-adds of one example through the convolutions and dense layers, by their kernels."""
    total = 0
    for layer in model._flatten_layers(include_self=False):
        kernel = getattr(layer, "kernel", None)
        if kernel is None or not layer._inbound_nodes:
            continue
        shape = layer._inbound_nodes[0].output_tensors[0].shape[1:-1]
        total += math.prod(kernel.shape) * math.prod(size or 1 for size in shape)
    return total
