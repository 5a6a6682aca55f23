"""ConvMuon: the steps it takes, beside Keras's own optimizers."""

import keras
import numpy as np
import pytest

from kerazoo.training.muon import ConvMuon

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(12, 5)).astype("float32")
GRADIENTS = [RNG.normal(size=(12, 5)).astype("float32") for _ in range(3)]


def stepped(optimizer, shape, name="kernel"):
    """MATRIX as a variable of this shape, after a step along each of GRADIENTS."""
    variable = keras.Variable(MATRIX.reshape(shape), name=name)
    optimizer.build([variable])
    for gradient in GRADIENTS:
        optimizer.apply([gradient.reshape(shape)])
    return keras.ops.convert_to_numpy(variable).reshape(MATRIX.shape)


@pytest.mark.parametrize("shape", [(12, 5), (2, 2, 3, 5), (4, 3, 5)], ids=["dense", "conv2d", "conv1d"])
def test_a_kernel_of_any_rank_steps_as_a_matrix_does_in_keras(shape):
    expected = stepped(keras.optimizers.Muon(0.1, weight_decay=0.3), MATRIX.shape)
    np.testing.assert_allclose(stepped(ConvMuon(0.1, weight_decay=0.3), shape), expected, atol=1e-6)
    assert np.abs(expected - MATRIX).max() > 0.02


def test_the_step_is_nearly_orthogonal():
    variable = keras.Variable(MATRIX.reshape(2, 2, 3, 5), name="kernel")
    optimizer = ConvMuon(0.1, weight_decay=0.0)
    optimizer.build([variable])
    optimizer.apply([GRADIENTS[0].reshape(2, 2, 3, 5)])
    step = (MATRIX - keras.ops.convert_to_numpy(variable).reshape(MATRIX.shape)) / (0.1 * 0.2 * 12**0.5)
    values = np.linalg.svd(step, compute_uv=False)
    assert values.min() > 0.6 and values.max() < 1.3  # What five Newton-Schulz steps reach.


def test_excluded_layers_step_as_in_adamw():
    expected = stepped(keras.optimizers.AdamW(0.01, weight_decay=0.0), MATRIX.shape)
    optimizer = ConvMuon(0.1, weight_decay=0.0, adam_lr_ratio=0.1, exclude_layers=["logits"])
    for name in ("logits_kernel", "positions"):
        np.testing.assert_allclose(stepped(copied(optimizer), MATRIX.shape, name=name), expected, atol=1e-6)


def test_only_kernels_decay_also_after_a_round_trip():
    for optimizer in (ConvMuon(0.1, weight_decay=0.5), copied(ConvMuon(0.1, weight_decay=0.5))):
        kernel, gamma = keras.Variable(MATRIX, name="kernel"), keras.Variable(np.ones(5), name="gamma")
        optimizer.build([kernel, gamma])
        optimizer.apply([np.zeros((12, 5), "float32"), np.zeros(5, "float32")])
        np.testing.assert_allclose(keras.ops.convert_to_numpy(kernel), 0.95 * MATRIX, rtol=1e-6)
        assert keras.ops.convert_to_numpy(gamma).tolist() == [1] * 5


def copied(optimizer):
    return keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
