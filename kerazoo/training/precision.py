"""Precision: one policy for a model, Keras's global policy left as it was."""

import contextlib

import keras

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@contextlib.contextmanager
def scope(precision):
    """Layers and models made inside get this policy; the global one is restored, also after an error.

    The model itself must be made inside too: with a policy on its layers alone it would train
    float16 without a loss scaler.

    Args:
        precision: "float32", "mixed_bfloat16", "mixed_float16", or None for the current policy.

    Raises:
        ValueError: another precision.
    """
    if precision is None:
        yield
        return
    if precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {PRECISIONS}. Received: {precision!r}.")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
