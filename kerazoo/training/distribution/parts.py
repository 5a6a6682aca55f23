"""Each replica's part of a batch: never empty, whatever the batch's size, because many operations fail on no example.

Imports TensorFlow: only its trainer and its datasets run on several replicas.
"""

import tensorflow as tf


def without_empty(dataset, replicas):
    """Batches for training that leave no replica without an example.

    TensorFlow cuts a batch into parts of ceil(size / replicas), so that the last parts can be empty. Such a batch is
    filled up with its own examples again until all parts are equal.

    Args:
        dataset: a `tf.data.Dataset` of global batches.
        replicas: number of parts.

    Returns:
        A `tf.data.Dataset`.
    """

    def fill(*batch):
        size = _size(batch)
        part = -(-size // replicas)
        full = part * (replicas - 1) < size
        chosen = tf.range(part * replicas) % size
        filled = tf.nest.map_structure(
            lambda x: tf.cond(full, lambda: x, lambda: tf.gather(x, chosen)) if _has_rows(x) else x, batch
        )
        return filled if len(batch) > 1 else filled[0]

    return dataset.map(fill, num_parallel_calls=tf.data.AUTOTUNE)


def test_step(model):
    """The model's `test_step`; with an empty batch it runs on a row of zeros and leaves the metrics as they were."""

    def step(data):
        size = _size(data)
        variables = [variable for metric in model.metrics for variable in metric.variables]
        before = [tf.identity(variable.value) for variable in variables]
        logs = model.test_step(_padded(data, size))
        for variable, value in zip(variables, before):
            variable.assign(tf.where(size > 0, variable.value, value))
        return logs | {name: value for name, value in model.get_metrics_result().items() if name in logs}

    return step


def predict_step(model):
    """The model's `predict_step`; with an empty batch it runs on a row of zeros and answers with no row."""

    def step(data):
        size = _size(data)
        return tf.nest.map_structure(lambda output: output[:size], model.predict_step(_padded(data, size)))

    return step


def _padded(data, size):
    """The data, or one row of zeros where there is none."""

    def pad(x):
        row = tf.concat([[1], tf.shape(x)[1:]], axis=0)
        return tf.cond(size > 0, lambda: x, lambda: tf.zeros(row, x.dtype))

    return tf.nest.map_structure(lambda x: pad(x) if isinstance(x, tf.Tensor) else x, data)


def _size(data):
    """Examples in a batch."""
    first = next(x for x in tf.nest.flatten(data) if _has_rows(x))
    return tf.cast(first.nrows(), "int32") if isinstance(first, tf.RaggedTensor) else tf.shape(first)[0]


def _has_rows(x):
    return isinstance(x, tf.RaggedTensor) or (isinstance(x, tf.Tensor) and x.shape.rank != 0)
