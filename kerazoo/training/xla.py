"""XLA: when to compile a model with it, and the error when it cannot.

Imports TensorFlow (inside functions): only its compiler knows which operations it takes.
"""

import re
import warnings

import keras
import numpy as np

from kerazoo import catalog, hardware
from kerazoo.errors import KerazooWarning


def resolve(model, name, wanted):
    """True, False or "auto" for `compile(jit_compile=)`.

    "auto" is what the catalog measured for this model on this model of device and in this precision; where nothing
    was measured it stays Keras's own "auto". Under a distribution strategy Keras cannot use XLA: False, with a
    warning for True.

    Raises:
        ValueError: `wanted` is True and XLA cannot compile the model; the message names the operation.
    """
    if keras.backend.backend() != "tensorflow":
        return wanted is not False
    import tensorflow as tf

    if tf.distribute.has_strategy():
        if wanted is True:
            warnings.warn(
                "jit_compile=True is switched off under a strategy, where Keras cannot use it.",
                category=KerazooWarning,
                stacklevel=3,
            )
        return False
    if wanted == "auto":
        measured = catalog.read()["models"].get(name, {}).get("measured", {}).get("xla_faster", {})
        return _measured(measured, hardware.device(), model.dtype_policy.name)
    if wanted:
        operation = unsupported_operation(model)
        if operation:
            raise ValueError(f"XLA cannot compile {name!r}: {operation} Received: jit_compile=True.")
    return wanted


def _measured(xla_faster, device, precision):
    """What {device: {precision: bool}} says, or "auto"; anything of another form says nothing."""
    there = xla_faster.get(device) if isinstance(xla_faster, dict) else None
    faster = there.get(precision) if isinstance(there, dict) else None
    return faster if isinstance(faster, bool) else "auto"


def unsupported_operation(model) -> str | None:
    """What XLA says against this model's forward and backward pass, or None; compiles nothing to machine code."""
    import tensorflow as tf

    inputs = keras.tree.map_structure(
        lambda tensor: tf.constant(np.zeros([size or 2 for size in tensor.shape]), tensor.dtype), model.input
    )

    @tf.function(jit_compile=True)
    def gradients(inputs):
        with tf.GradientTape() as tape:
            outputs = [tf.reduce_sum(tf.cast(y, "float32")) for y in tf.nest.flatten(model(inputs, training=True))]
        return [g for g in tape.gradient(outputs, model.trainable_variables) if g is not None]

    try:
        gradients.experimental_get_compiler_ir(inputs)(stage="hlo")
    except (tf.errors.OpError, ValueError) as error:
        message = str(error)
        found = re.search(r"(unsupported operations?[^\n]*|No registered '[^\n]*|[^\n]*not supported[^\n]*)", message)
        return (found.group(0) if found else message.splitlines()[0]).rstrip(".") + "."
    return None
