"""Layers and the optimizer of the transformer-era vision models: values, gradients' targets, serialisation."""

import math
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerazoo import serializable
from kerazoo.layers.class_token import ClassToken
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.layer_scale import LayerScale
from kerazoo.layers.position_embedding import PositionEmbedding
from kerazoo.training.adamw import SelectiveAdamW

LAYERS = [ClassToken(), Gelu(), LayerScale(0.3), PositionEmbedding(0.5)]


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def randomize(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_saved_and_loaded_in_safe_mode(tmp_path, layer):
    tokens = keras.Input((5, 4), name="tokens")
    model = keras.Model(tokens, type(layer).from_config(layer.get_config())(tokens))
    randomize(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    inputs = np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32")
    assert np.array_equal(numpy(model(inputs)), numpy(loaded(inputs)))
    assert np.ptp(numpy(model(inputs))) > 0
    assert loaded.layers[-1].get_config() == layer.get_config() | {"name": loaded.layers[-1].name}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_stays_half(layer, precision):
    layer = type(layer)(dtype=precision)
    outputs = layer(np.ones((2, 5, 4), "float32"))
    assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
    assert layer.compute_output_shape((2, 5, 4)) == tuple(outputs.shape)
    assert all(weight.dtype == "float32" for weight in layer.weights)


def test_gelu_is_exact():
    points = np.linspace(-6, 6, 101, dtype="float32")
    wanted = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in points.tolist()]
    np.testing.assert_allclose(numpy(Gelu()(points)), wanted, atol=1e-6)  # A few units of float32's last place.


def test_class_token_comes_first():
    layer = ClassToken()
    inputs = np.random.default_rng(0).normal(size=(3, 2, 4)).astype("float32")
    layer.build(inputs.shape)
    layer.token.assign(np.full((1, 1, 4), 7.0))
    outputs = numpy(layer(inputs))
    assert (outputs[:, 0] == 7).all() and np.array_equal(outputs[:, 1:], inputs)


def test_positions_differ_and_are_added():
    layer = PositionEmbedding()
    outputs = numpy(layer(np.ones((2, 3, 4), "float32")))
    assert np.array_equal(outputs[0], outputs[1]) and np.abs(outputs[0, 0] - outputs[0, 1]).max() > 1e-4
    np.testing.assert_allclose(outputs - 1, np.repeat(numpy(layer.positions), 2, axis=0), atol=1e-6)
    with pytest.raises(ValueError, match="number of positions must be known"):
        PositionEmbedding()(keras.Input((None, 4)))


def test_layer_scale_is_by_channel():
    layer = LayerScale()
    layer.build((None, 2))
    assert numpy(layer.gamma).tolist() == pytest.approx([1e-6, 1e-6])
    layer.gamma.assign([2.0, 3.0])
    assert numpy(layer(np.ones((1, 2, 2), "float32"))).tolist() == [[[2, 3], [2, 3]]]


def test_only_kernels_decay():
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    dense.bias.assign([1.0, 1.0])
    before = numpy(dense.kernel)
    for optimizer in (SelectiveAdamW(0.1, weight_decay=0.5), copied(SelectiveAdamW(0.1, weight_decay=0.5))):
        dense.kernel.assign(before)
        optimizer.build(dense.trainable_variables)
        optimizer.apply([np.zeros(v.shape, "float32") for v in dense.trainable_variables])
        np.testing.assert_allclose(numpy(dense.kernel), 0.95 * before, rtol=1e-6)
        assert numpy(dense.bias).tolist() == [1, 1]


def copied(optimizer):
    return keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))


def test_models_load_where_only_kerazoo_was_imported(tmp_path):
    tokens = keras.Input((4, 8), name="tokens")
    model = keras.Model(tokens, LayerScale()(PositionEmbedding()(ClassToken()(Gelu()(tokens)))))
    model.compile(optimizer=SelectiveAdamW(), loss="mse")
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, kerazoo\n"
        "assert 'keras' not in sys.modules\n"
        "import keras\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "assert type(model.optimizer).__name__ == 'SelectiveAdamW' and 'kerazoo.builder' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.keras")], check=True)


def test_every_registered_class_is_known():
    """All classes that say they are serialisable are found, whatever was imported before."""
    assert {"kerazoo.layers.gelu", "kerazoo.training.adamw"} <= set(serializable.modules())
    serializable.import_all()
    for layer in LAYERS:
        assert keras.saving.get_registered_object(f"kerazoo>{type(layer).__name__}") is type(layer)
