"""Strided 1x1 convolutions of few channels, whose gradient ends the process in TensorFlow's own kernel."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.layers.strided_pointwise_conv import SAFE_CHANNELS, StridedPointwiseConv2D

# Builds a narrow ResNet, whose shortcuts are such convolutions, and trains it on odd batches.
SCRIPT = """
import numpy as np, kerazoo
for width in (1, 4, 12):
    model = kerazoo.build("resnet18", width=width, stem="small", input_shape=(32, 32, 3), num_classes=3)
    for batch in (1, 3, 5):
        model.train_on_batch(np.zeros((batch, 32, 32, 3), "float32"), np.zeros(batch))
print("trained")
"""


def test_narrow_networks_train_on_odd_batches():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "trained\n"), done.stderr[-2000:]


@pytest.mark.parametrize(("strides", "side"), [(2, 8), (2, 7), ((1, 3), 10)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_it_computes_what_the_plain_layer_does(strides, side, padding):
    """Outputs and gradients for an even batch, where the plain layer is right."""
    import tensorflow as tf

    x = tf.constant(np.random.default_rng(0).normal(size=(4, side, side, 6)).astype("float32"))
    plain = keras.layers.Conv2D(5, 1, strides=strides, padding=padding)
    ours = StridedPointwiseConv2D.from_config(plain.get_config())
    results = []
    for layer in (plain, ours):
        layer.build(x.shape)
        layer.set_weights(plain.get_weights())
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * y)
        results.append([y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])])
    for expected, received in zip(*results, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4)


def test_only_narrow_ones_are_replaced(tmp_path):
    """At published widths the graph is as it was; a saved narrow model opens with the layer in it."""

    def replaced(model):
        return [layer.name for layer in model._flatten_layers() if isinstance(layer, StridedPointwiseConv2D)]

    options = {"stem": "small", "input_shape": (32, 32, 3), "num_classes": 3}
    assert not replaced(kerazoo.build("resnet18", width=SAFE_CHANNELS, **options))
    narrow = kerazoo.build("resnet18", width=4, **options)
    assert replaced(narrow)
    narrow.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(loaded(x), narrow(x), rtol=1e-5, atol=1e-6)
    assert replaced(loaded) == replaced(narrow)


def test_another_kernel_is_refused():
    with pytest.raises(ValueError, match="must be 1x1 and the channels last. Received: kernel_size=.3, 3."):
        StridedPointwiseConv2D(4, 3, strides=2)
