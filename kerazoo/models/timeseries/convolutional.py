"""Fully convolutional network and ResNet for series (Wang et al., 2017, https://arxiv.org/abs/1611.06455).

As in the code of the review by Fawaz et al. (2019, https://arxiv.org/abs/1809.04356), whose counts these are.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.models.classes import compile_classes
from kerazoo.models.timeseries.classifier import pooled_head, sample_of, series_input
from kerazoo.registry import register

# `params`: trainable ones with one channel and two classes.
FCN_VARIANTS = {"fcn1d": {"params": 264_962}}
RESNET_VARIANTS = {"resnet1d": {"params": 504_258}}
SMOKE = {"length": 24, "channels": 3, "num_classes": 4}
KERNELS = (8, 5, 3)
_sample = sample_of(length=24, channels=3, num_classes=4)


def _conv_norm(x, filters, kernel, name, relu=True):
    """(B, T, C) -> (B, T, filters)."""
    x = layers.Conv1D(filters, kernel, padding="same", name=f"{name}_conv")(x)
    x = BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _check(**sizes):
    """Refuses an empty tuple, or one with anything but positive integers."""
    for name, values in sizes.items():
        if not values or any(not isinstance(value, int) or value < 1 for value in values):
            raise ValueError(f"`{name}` must be positive integers. Received: {values!r}.")


@register(
    domain="timeseries",
    task="series_classification",
    variants=FCN_VARIANTS,
    smoke=SMOKE | {"filters": (16, 16, 8)},
    sample=_sample,
)
def fcn1d(
    *,
    filters=(128, 256, 128),
    kernels=KERNELS,
    length=128,
    channels=1,
    num_classes=2,
    learning_rate=1e-3,
    name="fcn1d",
):
    """Fully convolutional network for series, compiled with Adam and cross-entropy on integer labels.

    Args:
        filters: of each convolution.
        kernels: time steps of each convolution's kernel.
        length: time steps of a series.
        channels: of a series.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: series (B, length, channels) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: not as many filters as kernels, a size that is no positive integer, or fewer than two classes.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("fcn1d", length=50, channels=2, num_classes=5).output_shape
    (None, 5)
    """
    series = x = series_input(length, channels, num_classes)
    _check(filters=filters, kernels=kernels)
    if len(filters) != len(kernels):
        raise ValueError(f"There must be as many `filters` as `kernels`. Received: {filters!r} and {kernels!r}.")
    for index, (count, kernel) in enumerate(zip(filters, kernels), start=1):
        x = _conv_norm(x, count, kernel, f"layer{index}")
    return compile_classes(keras.Model(series, pooled_head(x, num_classes), name=name), learning_rate)


@register(
    domain="timeseries",
    task="series_classification",
    variants=RESNET_VARIANTS,
    smoke=SMOKE | {"filters": (8, 16, 16)},
    sample=_sample,
)
def resnet1d(
    *,
    filters=(64, 128, 128),
    kernels=KERNELS,
    length=128,
    channels=1,
    num_classes=2,
    learning_rate=1e-3,
    name="resnet1d",
):
    """ResNet for series, compiled with Adam and cross-entropy on integer labels.

    Args:
        filters: of each block; where they change, a convolution of one step lies in the shortcut.
        kernels: time steps of the kernels of a block's convolutions.
        length: time steps of a series.
        channels: of a series.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: series (B, length, channels) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, or fewer than two classes.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("resnet1d", length=50, channels=2, num_classes=5).output_shape
    (None, 5)
    """
    series = x = series_input(length, channels, num_classes)
    _check(filters=filters, kernels=kernels)
    for block, count in enumerate(filters, start=1):
        y = x
        for index, kernel in enumerate(kernels, start=1):
            y = _conv_norm(y, count, kernel, f"block{block}_{index}", relu=index < len(kernels))
        if x.shape[-1] != count:
            x = layers.Conv1D(count, 1, name=f"block{block}_shortcut_conv")(x)
        x = BatchNormalization(name=f"block{block}_shortcut_norm")(x)
        x = layers.ReLU(name=f"block{block}_relu")(layers.Add(name=f"block{block}_add")([x, y]))
    return compile_classes(keras.Model(series, pooled_head(x, num_classes), name=name), learning_rate)
