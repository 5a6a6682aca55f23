"""DeepLOB (Zhang, Zohren & Roberts, 2019, https://arxiv.org/abs/1808.03668): where a limit order book's price goes.

Convolutions join price and size, then the two sides, then the levels of the book; an inception module looks over time
at three scales; an LSTM reads what it found. As in the authors' TensorFlow notebook, whose count this is: padding
keeps all time steps, and whole columns are dropped out before the LSTM. Differs from it: dropout is for training
alone, and logits come out.
"""

import keras
from keras import layers

from kerazoo.models.classes import compile_classes
from kerazoo.models.timeseries.classifier import sample_of, series_input
from kerazoo.models.timeseries.forecaster import NO_INT8, check_sizes
from kerazoo.registry import register

VARIANTS = {"deeplob": {"params": 142_435}}
SMOKE = {"length": 16, "levels": 2, "filters": 8, "units": 16}
SIDES = 2 * 2  # Price and size of the ask, price and size of the bid.


def _conv(x, filters, kernel, name, *, strides=1, padding="same"):
    """(B, T, W, C) -> (B, T, W / strides, filters)."""
    x = layers.Conv2D(filters, kernel, strides=strides, padding=padding, name=f"{name}_conv")(x)
    return layers.LeakyReLU(0.01, name=f"{name}_relu")(x)


@register(
    domain="finance",
    task="series_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=16, channels=8, num_classes=3),
    unsupported=NO_INT8,
)
def deeplob(
    *,
    levels=10,
    filters=32,
    units=64,
    dropout=0.2,
    length=100,
    num_classes=3,
    learning_rate=1e-4,
    name="deeplob",
):
    """DeepLOB, compiled with Adam and cross-entropy on integer labels.

    Args:
        levels: of the order book.
        filters: of the convolutions; the inception module has twice as many in each of its three branches.
        units: of the LSTM.
        dropout: share of columns left out before the LSTM, each for all time steps.
        length: states of the book, one after the other.
        num_classes: down, level and up, in the paper.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: states (B, length, 4 * levels), of each level the ask's price and size and the bid's, standardised
        -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, or fewer than two classes.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("deeplob").output_shape
    (None, 3)
    """
    check_sizes(levels=levels, filters=filters, units=units, length=length)
    states = series_input(length, SIDES * levels, num_classes)
    x = layers.Reshape((length, SIDES * levels, 1), name="as_image")(states)
    # Price with size; ask with bid; all levels.
    for index, width in enumerate((2, 2, levels), start=1):
        x = _conv(x, filters, (1, width), f"block{index}_1", strides=(1, width), padding="valid")
        for step in (2, 3):
            x = _conv(x, filters, (4, 1), f"block{index}_{step}")
    branches = []
    for kernel in (3, 5):
        branch = _conv(x, 2 * filters, 1, f"inception{kernel}_1")
        branches.append(_conv(branch, 2 * filters, (kernel, 1), f"inception{kernel}_2"))
    pooled = layers.MaxPooling2D((3, 1), strides=1, padding="same", name="inception_pool")(x)
    branches.append(_conv(pooled, 2 * filters, 1, "inception_pool_1"))
    x = layers.Concatenate(name="inception")(branches)
    x = layers.Reshape((length, 6 * filters), name="as_series")(x)
    x = layers.Dropout(dropout, noise_shape=(None, 1, 6 * filters), name="dropout")(x)
    x = layers.LSTM(units, name="lstm")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    return compile_classes(keras.Model(states, logits, name=name), learning_rate)
