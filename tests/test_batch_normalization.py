"""The fused batch normalisation against Keras's own: answers, gradients, statistics, and when it steps aside."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerazoo.layers.batch_normalization import BatchNormalization

OPTIONS = {"momentum": 0.9, "epsilon": 1e-5}
SHAPE = (6, 5, 4, 3)


def images(seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, SHAPE).astype("float32")


def step(layer, inputs, **options):
    """(outputs, gradients of inputs, gamma and beta) of a training call, as arrays."""
    if not layer.built:
        layer.build(inputs.shape)
        layer.gamma.assign([0.5, 1.5, -2.0])
        layer.beta.assign([0.1, -0.2, 0.3])
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True, **options)
        loss = tf.reduce_sum(tf.sin(tf.cast(outputs, "float32")))  # A sum alone has no gradient here.
    gradients = tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])
    return [tf.cast(tensor, "float32").numpy() for tensor in (outputs, *gradients)]


def test_a_training_step_is_the_one_of_keras():
    ours, theirs = BatchNormalization(**OPTIONS), keras.layers.BatchNormalization(**OPTIONS)
    for received, expected in zip(step(ours, images()), step(theirs, images())):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4)  # Float32 sums of 120 values.
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-5)
    assert np.abs(ours.moving_mean).min() > 0.1


def test_the_moving_variance_follows_the_unbiased_one():
    layer = BatchNormalization(**OPTIONS)
    layer(images(), training=True)
    unbiased = images().reshape(-1, 3).var(axis=0, ddof=1)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * unbiased, rtol=1e-5)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_takes_float32_statistics(precision):
    layer = BatchNormalization(**OPTIONS, dtype=precision)
    inputs = images().astype("float16")
    outputs = layer(inputs, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == layer.compute_dtype
    rounded = tf.cast(tf.cast(inputs, layer.compute_dtype), "float32").numpy().reshape(-1, 3)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * rounded.mean(axis=0), rtol=1e-5)
    expected = (rounded - rounded.mean(axis=0)) / rounded.std(axis=0)
    # An eighth of a bit of bfloat16 near 3.
    np.testing.assert_allclose(tf.cast(outputs, "float32").numpy().reshape(-1, 3), expected, atol=2e-2)


def test_training_runs_the_fused_kernel_and_inference_does_not():
    layer = BatchNormalization(**OPTIONS)
    layer.build(SHAPE)
    for training, expected in ((True, True), (False, False)):
        graph = tf.function(lambda x, training=training: layer(x, training=training)).get_concrete_function(
            tf.TensorSpec(SHAPE)
        )
        kinds = {operation.type for operation in graph.graph.get_operations()}
        assert ("FusedBatchNormV3" in kinds) is expected


def test_a_frozen_layer_keeps_its_statistics_and_answers_with_them():
    layer = BatchNormalization(**OPTIONS)
    layer(images(), training=True)
    layer.trainable = False
    before = [weight.numpy() for weight in layer.weights]
    np.testing.assert_array_equal(layer(images(1), training=True), layer(images(1), training=False))
    assert all(np.array_equal(weight, kept) for weight, kept in zip(layer.weights, before))


@pytest.mark.parametrize("options", [{"axis": 1}, {"renorm": True}])
def test_other_configurations_are_those_of_keras(options):
    ours, theirs = (kind(**OPTIONS, **options) for kind in (BatchNormalization, keras.layers.BatchNormalization))
    np.testing.assert_allclose(ours(images(), training=True), theirs(images(), training=True), atol=1e-6)
    for received, expected in zip(ours.weights, theirs.weights):
        np.testing.assert_allclose(received, expected, atol=1e-6)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}])
def test_without_scale_or_center(options):
    ours, theirs = (kind(**OPTIONS, **options) for kind in (BatchNormalization, keras.layers.BatchNormalization))
    np.testing.assert_allclose(ours(images(), training=True), theirs(images(), training=True), atol=1e-5)
    assert [weight.name for weight in ours.weights] == [weight.name for weight in theirs.weights]


@pytest.mark.parametrize("shape", [(8, 3), (8, 5, 3), (2, 3, 2, 2, 3)])
def test_other_ranks(shape):
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    ours, theirs = BatchNormalization(), keras.layers.BatchNormalization()
    np.testing.assert_allclose(ours(inputs, training=True), theirs(inputs, training=True), atol=1e-5)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, atol=1e-6)
    free = tf.function(lambda x: ours(x, training=True), input_signature=[tf.TensorSpec((None, *shape[1:]))])
    assert "FusedBatchNormV3" in {operation.type for operation in free.get_concrete_function().graph.get_operations()}
    assert free(inputs).shape == shape


def test_a_mask_leaves_padding_out():
    inputs, mask = images(), np.ones(SHAPE[:3], bool)
    inputs[:, 3:] = 1e6
    mask[:, 3:] = False
    layer = BatchNormalization(momentum=0.0)
    layer(inputs, training=True, mask=mask)
    np.testing.assert_allclose(layer.moving_mean, inputs[:, :3].reshape(-1, 3).mean(axis=0), rtol=1e-4)


def test_xla_takes_the_same_step():
    plain, compiled = BatchNormalization(**OPTIONS), BatchNormalization(**OPTIONS)
    for layer in (plain, compiled):
        layer.build(SHAPE)
    run = tf.function(lambda x: compiled(x, training=True), jit_compile=True)
    np.testing.assert_allclose(run(images()), plain(images(), training=True), atol=1e-5)
    for received, expected in zip(compiled.weights, plain.weights):
        np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_saved_and_loaded_in_safe_mode(tmp_path):
    image = keras.Input(SHAPE[1:], name="image")
    model = keras.Model(image, BatchNormalization(**OPTIONS)(image))
    model(images(), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(loaded.layers[-1]) is BatchNormalization
    np.testing.assert_array_equal(loaded(images(), training=True), model(images(), training=True))
    np.testing.assert_array_equal(loaded(images()), model(images()))
