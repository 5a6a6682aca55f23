"""An exported SavedModel is read by TensorFlow's and Keras's own means, its inputs as the model's call takes them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo


def two_inputs(structure):
    ids, extra = keras.Input((5,), dtype="int32", name="z_ids"), keras.Input((2,), name="a_extra")
    x = keras.layers.Concatenate()([keras.layers.Flatten()(keras.layers.Embedding(11, 3)(ids)), extra])
    inputs = {"list": [ids, extra], "dict": {"z_ids": ids, "a_extra": extra}}[structure]
    return keras.Model(inputs, {"class": keras.layers.Dense(3)(x), "value": keras.layers.Dense(1)(x)}, name="two")


IDS, EXTRA = np.arange(15, dtype="int32").reshape(3, 5) % 11, np.array([[1, 2], [3, 4], [-5, 6]], "float32")


def test_one_input_is_given_by_position(tmp_path):
    inputs = keras.Input((4,), name="features")
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(inputs))
    path = kerazoo.export(model, tmp_path, formats="saved_model", verify=False).path
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    wanted = model(x).numpy()
    loaded = tf.saved_model.load(path)
    for answer in (
        loaded.serve(x),
        loaded.serve(tf.constant(x)),
        loaded.serve(features=x),
        loaded.signatures["serving_default"](tf.constant(x)),
        loaded.signatures["serve"](features=tf.constant(x)),
        keras.layers.TFSMLayer(path)(x),
        keras.layers.TFSMLayer(path, call_endpoint="serving_default")(x),
    ):
        np.testing.assert_allclose(answer["logits"], wanted, rtol=1e-5)
    outer = keras.Input((4,))
    wrapped = keras.Model(outer, keras.layers.TFSMLayer(path)(outer)["logits"])
    np.testing.assert_allclose(wrapped.predict(x, verbose=0), wanted, rtol=1e-5)


@pytest.mark.parametrize("structure", ["list", "dict"])
def test_several_inputs_are_given_as_the_model_takes_them(structure, tmp_path):
    model = two_inputs(structure)
    path = kerazoo.export(model, tmp_path, formats="saved_model", verify=False).path
    given = {"list": [IDS, EXTRA], "dict": {"z_ids": IDS, "a_extra": EXTRA}}[structure]
    loaded = tf.saved_model.load(path)
    wanted = model(given)
    for answer in (
        loaded.serve(keras.tree.map_structure(tf.constant, given)),
        loaded.serve(z_ids=IDS, a_extra=EXTRA),
        loaded.signatures["serving_default"](z_ids=tf.constant(IDS), a_extra=tf.constant(EXTRA)),
        keras.layers.TFSMLayer(path)(keras.tree.map_structure(tf.constant, given)),
        kerazoo.load(path)({"z_ids": IDS, "a_extra": EXTRA}),
    ):
        for name in ("class", "value"):
            np.testing.assert_allclose(answer[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_a_kerazoo_model_is_read_by_keras(tmp_path):
    model = kerazoo.build("lenet5", num_classes=3, seed=0)
    path = kerazoo.export(model, tmp_path, formats="saved_model", verify=False).path
    x = np.random.default_rng(0).uniform(0, 255, (2, *model.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(keras.layers.TFSMLayer(path)(x)["logits"], model(x), rtol=1e-4, atol=1e-5)
