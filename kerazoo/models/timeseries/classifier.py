"""What all classifiers of series share: their input, their head, random series to test with."""

import keras
import numpy as np
from keras import layers

from kerazoo.models.timeseries.forecaster import check_sizes


def series_input(length, channels, num_classes):
    """The model's input: (B, length, channels), float32.

    Raises:
        ValueError: a size that is no positive integer, or fewer than two classes.
    """
    check_sizes(length=length, channels=channels, num_classes=num_classes)
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2. Received: {num_classes}.")
    return keras.Input((length, channels), name="series", dtype="float32")


def pooled_head(x, num_classes):
    """(B, T, C) -> (B, num_classes), logits of the mean over time."""
    x = layers.GlobalAveragePooling1D(name="mean_over_time")(x)
    return layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy


def sample_of(*, length, channels, num_classes):
    """`(rng, batch) -> (series, classes)`: waves of random period and phase, for `register(sample=)`."""

    def sample(rng, batch):
        shape = (batch, 1, channels)
        time = np.arange(length)[:, None]
        waves = np.sin(rng.uniform(0, 6.3, shape) + rng.uniform(0.2, 1.5, shape) * time)
        waves = waves + 0.3 * rng.normal(size=(batch, length, channels))
        # Short binary fractions: their sums are the same in any order, and so is a comparison of them.
        return (np.round(waves * 64) / 64).astype("float32"), rng.integers(0, num_classes, batch)

    return sample
