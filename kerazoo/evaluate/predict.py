"""Answers of several forms of one model on the same images, each image read once."""

import keras
import numpy as np


def collect(functions, data):
    """Runs every function on every batch.

    Args:
        functions: {name: function from (B, H, W, 3) float32 to (B, C)}.
        data: a dataset of (pixels, labels) batches, in a fixed order.

    Returns:
        `({name: (N, C) float32}, labels)`.
    """
    outputs, labels = {name: [] for name in functions}, []
    for pixels, batch_labels in data.as_numpy_iterator():
        labels.append(batch_labels)
        for name, function in functions.items():
            outputs[name].append(np.asarray(function(pixels), "float32"))
    return {name: np.concatenate(parts) for name, parts in outputs.items()}, np.concatenate(labels)


def compiled(model):
    """The model's inference as one compiled function on numpy arrays: `predict` costs 40 ms a call more."""
    import tensorflow as tf

    signature = keras.tree.map_structure(lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), model.input)
    run = tf.function(lambda x: model(x, training=False), input_signature=[signature])

    def call(inputs):
        tensors = keras.tree.map_structure(lambda array, spec: tf.constant(array, spec.dtype), inputs, signature)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, run(tensors))

    return call


def difference(reference, other):
    """Largest absolute difference of two arrays, over the largest value of the reference."""
    return float(np.abs(other - reference).max() / max(np.abs(reference).max(), 1e-12))
