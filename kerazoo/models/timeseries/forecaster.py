"""What all forecasters share: their input, their checks, how they are compiled, random series to test with."""

import keras
import numpy as np

# PyTorch's start of a linear layer, uniform up to 1 / sqrt(inputs): the references' figures were reached with it.
TORCH_UNIFORM = {"class_name": "VarianceScaling", "config": {"scale": 1 / 3, "distribution": "uniform"}}

# For models with LSTMs.
NO_INT8 = {
    "tflite_int8": "TensorFlow 2.21's converter crashes on LSTMs in full int8; the dynamic form has 8-bit weights"
}


def past_input(lookback, channels):
    """The model's input: (B, lookback, channels), float32."""
    return keras.Input((lookback, channels), name="past", dtype="float32")


def check_sizes(**sizes):
    """Refuses sizes that are not positive integers.

    Raises:
        ValueError: one of them is not.
    """
    for name, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"`{name}` must be a positive integer. Received: {value!r}.")


def compile_point(model, learning_rate):
    """Compiles a point forecaster with Adam and the mean squared error; returns it."""
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.MeanSquaredError(),
        metrics=[keras.metrics.MeanAbsoluteError(name="mae")],
    )
    return model


def sample_of(*, lookback, horizon, channels):
    """`(rng, batch) -> (past, future)`: waves of random period, phase and level, for `register(sample=)`."""

    def sample(rng, batch):
        shape = (batch, 1, channels)
        time = np.arange(lookback + horizon)[:, None]
        waves = np.sin(rng.uniform(0, 6.3, shape) + rng.uniform(0.3, 0.9, shape) * time) + rng.normal(0, 1, shape)
        waves = waves.astype("float32")
        return waves[:, :lookback], waves[:, lookback:]

    return sample
