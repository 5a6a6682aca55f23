"""Keras's `fit`, `evaluate` and `predict` on several replicas, of one machine or of several workers.

Imports TensorFlow: it mends Keras's TensorFlow trainer, and reaches into its private functions for that.

In Keras 3.15 the first step takes the mean of the replicas' batches to learn their shape, which fails where their
sizes differ. With several workers each step takes the mean of its scalar results along an axis that scalars do not
have (keras-team/keras issue 20585). And a replica that has no example in a smaller batch runs the model on an empty
one, which many operations cannot take. The replacements below learn the shape from this worker's own batch, take the
mean over workers, and see to it that no replica's batch is empty.
"""

import contextlib

import keras
import tensorflow as tf

from kerazoo.training.distribution import parts
from kerazoo.versions import require_supported


@contextlib.contextmanager
def for_replicas():
    """Exchanges the trainer's functions; they are put back at the end, also after an error.

    Raises:
        RuntimeError: a Keras version that is not supported.
    """
    require_supported("keras", "training on several replicas exchanges private functions of Keras's trainer")
    from keras.src.backend.tensorflow import trainer

    before = {owner: {name: getattr(owner, name) for name in names} for owner, names in _names(trainer).items()}
    try:
        for owner, replacements in _replacements(trainer).items():
            for name, replacement in replacements.items():
                setattr(owner, name, replacement)
        yield
    finally:
        for owner, originals in before.items():
            for name, original in originals.items():
                setattr(owner, name, original)


def _names(trainer):
    return {owner: list(replacements) for owner, replacements in _replacements(trainer).items()}


def _replacements(trainer):
    """{module or class: {name: replacement}}."""
    keras_trainer = trainer.TensorFlowTrainer
    build_before = keras_trainer._maybe_symbolic_build
    test_before, predict_before = keras_trainer.make_test_function, keras_trainer.make_predict_function
    reduce_before, iterator_before = trainer.reduce_per_replica, trainer.TFEpochIterator

    class EpochIterator(iterator_before):
        def __init__(self, distribute_strategy=None, *args, **options):
            super().__init__(distribute_strategy, *args, **options)
            dataset = self.data_adapter.get_tf_dataset()
            training = "class_weight" in options  # `fit` alone gives it, for what it trains on.
            if training and _distributed(distribute_strategy) and isinstance(dataset, tf.data.Dataset):
                dataset = parts.without_empty(dataset, distribute_strategy.num_replicas_in_sync)
                self._distributed_dataset = distribute_strategy.experimental_distribute_dataset(dataset)

    def reduce_per_replica(values, strategy, reduction):
        if not _many_workers(strategy) or reduction == "concat":
            return reduce_before(values, strategy, reduction)
        operation = "MEAN" if reduction == "auto" else reduction.upper()
        return keras.tree.map_structure(lambda value: strategy.reduce(operation, value, axis=None), values)

    def maybe_symbolic_build(self, iterator=None, data_batch=None):
        strategy = self.distribute_strategy
        if iterator is None or not _distributed(strategy):
            return build_before(self, iterator=iterator, data_batch=data_batch)
        _, _, batches = next(iter(iterator))
        own = keras.tree.map_structure(lambda x: strategy.experimental_local_results(x)[0], next(batches))
        with strategy.scope():
            return self._symbolic_build(data_batch=own)

    def make_test_function(self, force=False):
        if not _distributed(self.distribute_strategy):
            return test_before(self, force)
        if self.test_function is None or force:
            self.test_function = self._make_function(parts.test_step(self))
        return self.test_function

    def make_predict_function(self, force=False):
        if not _distributed(self.distribute_strategy) or self.steps_per_execution > 1:
            return predict_before(self, force)
        if self.predict_function is None or force:
            step, strategy = self._autoconvert_optionals(parts.predict_step(self)), self.distribute_strategy

            def predict(data):
                return trainer.reduce_per_replica(strategy.run(step, args=(data[0],)), strategy, reduction="concat")

            self.predict_function = predict if self.run_eagerly else tf.function(predict, reduce_retracing=True)
        return self.predict_function

    return {
        trainer: {"TFEpochIterator": EpochIterator, "reduce_per_replica": reduce_per_replica},
        keras_trainer: {
            "_maybe_symbolic_build": maybe_symbolic_build,
            "make_test_function": make_test_function,
            "make_predict_function": make_predict_function,
        },
    }


def _distributed(strategy):
    return strategy is not None and strategy.num_replicas_in_sync > 1


def _many_workers(strategy):
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
