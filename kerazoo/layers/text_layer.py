"""What all layers that take texts share."""

# TensorFlow: strings are its business alone, and a SavedModel that takes raw texts cannot have Python in it.

import keras
import numpy as np

if keras.backend.backend() == "tensorflow":  # Elsewhere it may not be installed, and kerazoo does without.
    import tensorflow as tf


class TextLayer(keras.layers.Layer):
    """A layer from texts to ids, without weights; it takes a tensor, an array or a list of strings.

    Args:
        **options: of every Keras layer: `name`, `dtype`; `trainable` has no effect.

    Raises:
        ValueError: another backend than TensorFlow.
    """

    def __init__(self, **options):
        super().__init__(**({"dtype": "int32"} | options | {"trainable": False}))
        if keras.backend.backend() != "tensorflow":
            raise ValueError(f"Texts need KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()!r}.")
        self.built = True  # An export does not take it otherwise.

    def __call__(self, inputs, *rest, **options):
        # Keras takes a list of strings for several inputs, none of them a tensor.
        if isinstance(inputs, (list, tuple, np.ndarray)):
            inputs = tf.constant(inputs, tf.string, shape=(len(inputs),))
        return super().__call__(inputs, *rest, **options)

    def looked_up(self, words, default):
        """A table from each of some strings to its place, and from all others to `default`."""
        places = tf.range(len(words), dtype="int32")
        return tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(words, tf.string), places), default
        )
