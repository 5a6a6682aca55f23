"""Models whose layers mix positions are no models to step through, whatever mixes them."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import kerazoo
from kerazoo.generation.generator import Generator
from kerazoo.generation.stepper import Stepper


@keras.saving.register_keras_serializable("test_stepper_refusals")
class Reversed(keras.layers.Layer):
    def call(self, x):
        return ops.flip(x, axis=1)


@keras.saving.register_keras_serializable("test_stepper_refusals")
class MeanOfLong(keras.layers.Layer):
    """Mixes positions in sequences of more than six."""

    def call(self, x):
        return ops.where(ops.shape(x)[1] > 6, ops.mean(x, axis=1, keepdims=True) + x, x)


MIXERS = {
    "cumulative_sum": lambda x: ops.cumsum(x, axis=1),
    "global_pooling": lambda x: x + ops.expand_dims(layers.GlobalAveragePooling1D()(x), 1),
    "global_max_pooling": lambda x: x + layers.GlobalMaxPooling1D(keepdims=True)(x),
    "mean": lambda x: x - ops.mean(x, axis=1, keepdims=True),
    "separable_convolution": lambda x: layers.SeparableConv1D(8, 3, padding="same")(x),
    "depthwise_convolution": lambda x: layers.DepthwiseConv1D(3, padding="same")(x),
    "convolution": lambda x: layers.Conv1D(8, 2, padding="causal")(x),
    "pooling": lambda x: layers.AveragePooling1D(3, strides=1, padding="same")(x),
    "softmax_over_time": lambda x: ops.softmax(x, axis=1),
    "softmax_layer_over_time": lambda x: layers.Softmax(axis=1)(x),
    "normalisation_over_time": lambda x: layers.LayerNormalization(axis=1)(ops.pad(x, ((0, 0), (0, 0), (0, 0)))),
    "flip": lambda x: Reversed()(x),
    "shift": lambda x: ops.roll(x, 1, axis=1),
    "shift_from_afar": lambda x: x + ops.pad(x, ((0, 0), (9, 0), (0, 0)))[:, :-9],
    "mean_of_long_sequences": lambda x: MeanOfLong()(x),
    "matrix_product": lambda x: ops.matmul(ops.matmul(x, ops.transpose(x, (0, 2, 1))), x),
}


def model_of(mixer, length=20):
    tokens = keras.Input((length,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 8, embeddings_initializer=keras.initializers.RandomNormal(seed=0))(tokens)
    return keras.Model(tokens, layers.Dense(11, kernel_initializer=keras.initializers.RandomNormal(seed=1))(mixer(x)))


@pytest.mark.parametrize("name", MIXERS)
def test_a_model_that_mixes_positions_is_refused(name):
    with pytest.raises(
        ValueError, match="must look at one position or keep a state|whose logits differ by|which fails at one token"
    ):
        Stepper(model_of(MIXERS[name]))
    with pytest.raises(ValueError, match="Received: "):
        Generator(model_of(MIXERS[name]))


@pytest.mark.parametrize(
    "mixer",
    [
        lambda x: layers.Dense(8, activation="gelu")(x) + x,
        lambda x: layers.LayerNormalization()(ops.softmax(x, axis=-1)),
        lambda x: layers.GRU(8, return_sequences=True, return_state=True)(x)[0],
        lambda x: ops.cumsum(x, axis=-1),
    ],
)
def test_a_model_that_looks_at_one_position_is_stepped_through(mixer):
    model = model_of(mixer, length=None)
    stepper, tokens = Stepper(model), np.array([[3, 4, 5]], "int32")
    state, found = stepper.initial_state(1, 3), []
    for position in range(3):
        logits, state = stepper(tokens[:, position : position + 1], state, position)
        found.append(logits)
    np.testing.assert_allclose(np.concatenate(found, axis=1), model(tokens), atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["gpt_nano", "char_lstm", "pointer_generator"])
def test_kerazoos_models_are_stepped_through(name, precision):
    Stepper(kerazoo.build(name, seed=0, precision=precision))
