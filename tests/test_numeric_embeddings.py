"""Embeddings of numbers: values, and rtdl_num_embeddings' answers with its weights (extra `kerazoo[parity]`)."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.layers.column_dense import ColumnDense
from kerazoo.layers.periodic_encoding import PeriodicEncoding
from kerazoo.layers.piecewise_linear_encoding import PiecewiseLinearEncoding
from kerazoo.layers.quantile_scale import QuantileScale

EDGES = [[-2.0, -0.5, 0.0, 1.0], [-1.0, 1.0], [0.0, 0.1, 3.0]]
LAYERS = [
    PeriodicEncoding(5, 0.3),
    PiecewiseLinearEncoding(EDGES),
    QuantileScale([0.0] * 3, [[0.0, 1.0], [0.0, 1.0, 5.0], [-1.0, 0.0]], [[0.0, 2.0], [-1.0, 0.0, 1.0], [0.0, 0.0]]),
]
NUMBERS = np.random.default_rng(0).normal(0, 2, (64, 3)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_saved_and_loaded_in_safe_mode(tmp_path, layer):
    inputs = keras.Input((3,), name="numbers")
    outputs = type(layer).from_config(layer.get_config())(inputs)
    if outputs.shape[1:] != (3,):
        outputs = ColumnDense(4)(outputs)
    model = keras.Model(inputs, outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert np.array_equal(numpy(model(NUMBERS)), numpy(loaded(NUMBERS))) and np.ptp(numpy(model(NUMBERS))) > 0


def test_pieces_go_on_beyond_the_ends_and_stand_still_elsewhere():
    layer = PiecewiseLinearEncoding(EDGES)
    received = numpy(layer(np.array([[-0.25, 3.0, 0.05], [2.0, -3.0, -0.1], [-5.0, 0.0, 6.0]], "float32")))
    wanted = [
        [[1, 0.5, 0], [0, 0, 2], [0.5, 0, 0]],
        [[1, 1, 2], [0, 0, -1], [-1, 0, 0]],
        [[-2, 0, 0], [0, 0, 0.5], [1, 0, 5.9 / 2.9]],
    ]
    np.testing.assert_allclose(received, wanted, atol=1e-5)
    with pytest.raises(ValueError, match=r"`edges` must ascend.*Received: \[1.0, 1.0\]"):
        PiecewiseLinearEncoding([[0.0, 1.0], [1.0, 1.0]])


def test_every_column_has_its_own_layer():
    layer = ColumnDense(4)
    x = np.random.default_rng(0).normal(size=(6, 3, 5)).astype("float32")
    received, (kernel, bias) = numpy(layer(x)), [numpy(weight) for weight in layer.weights]
    for column in range(3):
        wanted = np.maximum(x[:, column] @ kernel[column] + bias[column], 0)
        np.testing.assert_allclose(received[:, column], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numeric_embedding": "fourier"}, "`numeric_embedding` must be one of .*Received: 'fourier'"),
        ({"bin_edges": [[0, 1]] * 8}, "`bin_edges` goes with numeric_embedding='piecewise'"),
        ({"numeric_embedding": "piecewise", "bin_edges": [[0, 1]]}, "each of the 8 columns. Received: 1"),
    ],
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("tab_mlp", **arguments)


def test_edges_are_the_users():
    model = kerazoo.build("tab_mlp_piecewise", numeric=2, bin_edges=[[0, 1], [0, 1, 2]])
    assert model.get_layer("piecewise").edges == [[0.0, 1.0], [0.0, 1.0, 2.0]]
    assert model.get_layer("embedded_numbers").output.shape == (None, 2 * 24)


# Parity.


@pytest.fixture(scope="module")
def reference():
    pytest.importorskip("torch")
    return pytest.importorskip("rtdl_num_embeddings")


def assert_same(encoding, module):
    import torch

    dense = ColumnDense(7)
    dense.build(encoding(NUMBERS).shape)
    dense.set_weights([module.linear.weight.detach().numpy(), module.linear.bias.detach().numpy()])
    expected = module(torch.tensor(NUMBERS)).detach().numpy()
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(numpy(dense(encoding(NUMBERS))), expected, atol=1e-5 * np.abs(expected).max())


def test_periodic_answers_as_rtdl(reference):
    import torch

    torch.manual_seed(0)
    module = reference.PeriodicEmbeddings(3, 7, n_frequencies=5, frequency_init_scale=0.3, lite=False)
    encoding = PeriodicEncoding(5, 0.3)
    encoding.build((None, 3))
    encoding.set_weights([module.periodic.weight.detach().numpy()])
    assert_same(encoding, module)


def test_piecewise_answers_as_rtdl(reference):
    import torch

    torch.manual_seed(0)
    edges = [torch.tensor(column) for column in EDGES]
    module = reference.PiecewiseLinearEmbeddings(edges, 7, activation=True, version="A")
    assert_same(PiecewiseLinearEncoding(EDGES), module)
