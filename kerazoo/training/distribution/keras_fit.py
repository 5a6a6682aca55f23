"""Keras's `fit`, `evaluate` and `predict` with more than one worker.

Imports TensorFlow: it mends Keras's TensorFlow trainer, and reaches into its private functions for that.

In Keras 3.15 two of them are wrong for MultiWorkerMirroredStrategy (keras-team/keras issue 20585): the
first step takes the mean of whole batches over workers to learn their shape, and each step takes the mean
of its scalar results along an axis that scalars do not have. The two replacements below take this worker's
own batch, and the mean over workers.
"""

import contextlib

import keras
import tensorflow as tf

# Versions whose trainer was read and tested with the replacements; others may need none, or other ones.
TESTED_KERAS = ("3.15.1",)


def require_tested_keras():
    """Raises RuntimeError unless this Keras is one that multi-worker training was tested with."""
    if keras.__version__ not in TESTED_KERAS:
        raise RuntimeError(
            "Multi-worker training exchanges private functions of Keras's trainer and does so only in versions "
            f"it was tested with: {', '.join(TESTED_KERAS)}. Received: Keras {keras.__version__}."
        )


@contextlib.contextmanager
def for_many_workers():
    """Exchanges the two functions; they are put back at the end, also after an error.

    Raises:
        RuntimeError: a Keras version that was not tested.
    """
    require_tested_keras()
    from keras.src.backend.tensorflow import trainer

    reduce_before = trainer.reduce_per_replica
    build_before = trainer.TensorFlowTrainer._maybe_symbolic_build

    def reduce_per_replica(values, strategy, reduction):
        if not _many_workers(strategy) or reduction == "concat":
            return reduce_before(values, strategy, reduction)
        operation = "MEAN" if reduction == "auto" else reduction.upper()
        return keras.tree.map_structure(lambda value: strategy.reduce(operation, value, axis=None), values)

    def maybe_symbolic_build(self, iterator=None, data_batch=None):
        strategy = self.distribute_strategy
        if iterator is None or not _many_workers(strategy):
            return build_before(self, iterator=iterator, data_batch=data_batch)
        _, _, batches = next(iter(iterator))
        data_batch = keras.tree.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], next(batches)
        )
        return build_before(self, data_batch=data_batch)

    trainer.reduce_per_replica = reduce_per_replica
    trainer.TensorFlowTrainer._maybe_symbolic_build = maybe_symbolic_build
    try:
        yield
    finally:
        trainer.reduce_per_replica = reduce_before
        trainer.TensorFlowTrainer._maybe_symbolic_build = build_before


def _many_workers(strategy):
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
