"""Steps per execution: counted steps are exact by default; the work of a step is counted whatever it is made of."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import kerazoo
from kerazoo.models.anomaly.dev_net import balanced_batches
from kerazoo.training import steps

SMALL = {
    "lenet5": {"input_shape": (28, 28, 1)},
    "mlp": {"input_shape": (28, 28, 1), "hidden": (4,)},
}


class Batches(keras.callbacks.Callback):
    """Counts what callbacks hear of."""

    def __init__(self):
        super().__init__()
        self.heard = {"train": 0, "test": 0, "predict": 0}

    def on_train_batch_end(self, batch, logs=None):
        self.heard["train"] += 1

    def on_test_batch_end(self, batch, logs=None):
        self.heard["test"] += 1

    def on_predict_batch_end(self, batch, logs=None):
        self.heard["predict"] += 1


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("endless", [True, False])
def test_counted_steps_are_exact(name, endless):
    """Each image is another, so that a step too many would also be seen in what is predicted and measured."""
    images = np.random.default_rng(0).uniform(0, 255, (80, 28, 28, 1)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, np.arange(80) % 2)).batch(2)
    data = data.repeat() if endless else data
    model, heard = kerazoo.build(name, **SMALL[name]), Batches()
    model.fit(
        data, steps_per_epoch=10, epochs=2, validation_data=data, validation_steps=3, verbose=0, callbacks=[heard]
    )
    assert int(model.optimizer.iterations) == 20
    assert heard.heard == {"train": 20, "test": 6, "predict": 0}
    assert len(model.predict(data, steps=3, verbose=0, callbacks=[heard])) == 6
    assert heard.heard["predict"] == 3
    expected = model.evaluate(data.take(3), return_dict=True, verbose=0)
    assert model.evaluate(data, steps=3, return_dict=True, verbose=0) == pytest.approx(expected)


def test_steps_from_a_generator_are_exact():
    rows, labels = np.random.default_rng(0).random((40, 8)).astype("float32"), np.arange(40) < 5
    model = kerazoo.build("dev_net", hidden=(4,))
    model.fit(balanced_batches(rows, labels, batch_size=8), steps_per_epoch=20, epochs=5, verbose=0)
    assert int(model.optimizer.iterations) == 100


def test_training_stops_at_the_batch_that_says_so():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 4

    model = kerazoo.build("mlp", **SMALL["mlp"])
    model.fit(np.zeros((64, 28, 28, 1)), np.zeros(64), batch_size=2, epochs=2, verbose=0, callbacks=[Stop()])
    assert int(model.optimizer.iterations) == 5


def test_batches_of_other_lengths_are_predicted():
    model = kerazoo.build("char_lstm", vocabulary_size=9, length=None, units=4)
    data = tf.data.Dataset.from_generator(
        lambda: (np.zeros((2, size), "int32") for size in (3, 5)), output_signature=tf.TensorSpec((2, None), "int32")
    )
    assert [len(row) for row in model.predict(data, verbose=0)] == [3, 3, 5, 5]


def test_joined_steps_are_for_who_asks():
    assert kerazoo.build("mlp").steps_per_execution == 1
    assert kerazoo.build("mlp", steps_per_execution=7).steps_per_execution == 7
    assert kerazoo.build("mlp", steps_per_execution="auto").steps_per_execution == 32
    assert kerazoo.build("resnet20", steps_per_execution="auto").steps_per_execution == 1
    model = kerazoo.build("mlp", input_shape=(8, 8, 3), steps_per_execution="auto")
    model.fit(np.zeros((4, 8, 8, 3)), np.zeros(4), batch_size=1, epochs=3, verbose=0)
    assert int(model.optimizer.iterations) == 12, "an epoch shorter than the joined steps is run in full"
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert kerazoo.build("mlp", steps_per_execution="auto").steps_per_execution == 1


@pytest.mark.parametrize("wanted", [0, -1, True, 2.0, "all", "32"])
def test_another_number_of_steps_is_refused(wanted):
    with pytest.raises(ValueError, match="`steps_per_execution` must be a positive integer, 'auto' or None. Received"):
        kerazoo.build("mlp", steps_per_execution=wanted)


def test_multiply_adds_as_published():
    """ResNet-20 has 40.6 million (He 2015's architecture, counted by hand: kernels times positions)."""
    assert steps.multiply_adds(kerazoo.build("mlp", **SMALL["mlp"], num_classes=5)) == 28 * 28 * 4 + 4 * 5
    assert steps.multiply_adds(kerazoo.build("resnet20")) == 40_551_040


LENGTH, WIDTH = 50, 64
COUNTED = {
    "attention": (lambda x: layers.MultiHeadAttention(4, 16)(x, x), 4 * LENGTH * WIDTH**2 + 2 * LENGTH**2 * WIDTH),
    "product": (lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))), LENGTH**2 * WIDTH),
    "einsum": (lambda x: layers.EinsumDense("...c,cd->...d", output_shape=(32,))(x), LENGTH * WIDTH * 32),
    "convolution": (lambda x: layers.Conv1D(8, 3)(x), (LENGTH - 2) * 3 * WIDTH * 8),
    "groups": (lambda x: layers.Conv1D(8, 3, groups=2)(x), (LENGTH - 2) * 3 * WIDTH // 2 * 8),
    "transposed": (lambda x: layers.Conv1DTranspose(8, 3)(x), LENGTH * 3 * WIDTH * 8),
    "separable": (lambda x: layers.SeparableConv1D(8, 3)(x), (LENGTH - 2) * (3 * WIDTH + WIDTH * 8)),
    "inner model": (lambda x: keras.Sequential([layers.Dense(3)])(x), LENGTH * WIDTH * 3),
    "each time step": (lambda x: layers.TimeDistributed(layers.Dense(3))(x), LENGTH * WIDTH * 3),
}


@pytest.mark.parametrize("kind", COUNTED)
def test_every_kind_of_product_is_counted(kind):
    make, expected = COUNTED[kind]
    x = keras.Input((LENGTH, WIDTH))
    assert steps.multiply_adds(keras.Model(x, make(x))) == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.LSTM(3)(x),
        lambda x: layers.RNN([layers.GRUCell(3)])(x),
        lambda x: layers.Bidirectional(layers.SimpleRNN(3))(x),
    ],
    ids=["lstm", "cells", "bidirectional"],
)
def test_recurrent_steps_are_never_joined(make):
    x = keras.Input((5, 4))
    assert steps.resolve(keras.Model(x, make(x)), "auto") == 1


def test_open_lengths_and_large_tables_are_never_joined():
    x = keras.Input((None, 4))
    assert steps.resolve(keras.Model(x, layers.Dense(1)(x)), "auto") == 1
    ids = keras.Input((3,), dtype="int32")
    table = keras.Model(ids, layers.Embedding(100_000, 64)(ids))
    assert steps.resolve(table, "auto") == 1, "6.4 million parameters are updated in each step"
