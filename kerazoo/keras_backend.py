"""Keras's backend: models build and train under each, what writes graphs or reads by tf.data needs TensorFlow."""

import os

from kerazoo.errors import one_line
from kerazoo.quiet import import_tensorflow


def problem():
    """What stands in the way of TensorFlow as Keras's backend, or None; starts both.

    Example:

    >>> from kerazoo.keras_backend import problem
    >>> problem()
    """
    try:
        import_tensorflow()  # First, because it keeps the banners back. It looks for Keras, and so may fail by it.
        import keras

        received = repr(keras.backend.backend())
    except (ImportError, ValueError) as error:  # An unknown backend, or a package is missing.
        received = f"{os.environ.get('KERAS_BACKEND')!r} ({one_line(error)})"
    return None if received == "'tensorflow'" else f"KERAS_BACKEND=tensorflow. Received: {received}"


def need_tensorflow(what):
    """Raises unless Keras runs on TensorFlow; imports both without their banners.

    Args:
        what: needs it; the subject of the message, in the singular.

    Raises:
        ValueError: it runs on another backend, or cannot start.
    """
    if received := problem():
        raise ValueError(f"{what} needs {received}.")
