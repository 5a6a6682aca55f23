"""Copies of the layers of other libraries' graphs, for models rebuilt flat behind kerazoo's contract."""

from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization


def fresh(operation, **changes):
    """A new layer of the same configuration, without weights; `changes` replace parts of it.

    Batch normalisation becomes kerazoo's, with the same configuration and weights, because it trains faster.
    """
    kind = BatchNormalization if type(operation) is layers.BatchNormalization else type(operation)
    return kind.from_config(operation.get_config() | changes)
