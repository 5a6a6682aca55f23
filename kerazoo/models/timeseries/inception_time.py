"""InceptionTime (Fawaz et al., 2020, https://arxiv.org/abs/1909.04939): Inception modules along time.

As in the authors' code. This is one network; the paper's classifier is the mean answer of five that differ in their
initial weights: `kerazoo run series_classification --ensemble 5` trains and exports that.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.models.classes import compile_classes
from kerazoo.models.timeseries.classifier import pooled_head, sample_of, series_input
from kerazoo.models.timeseries.forecaster import check_sizes
from kerazoo.registry import register

# `params`: trainable ones with one channel and two classes, as the authors' code has them.
VARIANTS = {"inception_time": {"params": 420_450}}
SMOKE = {"length": 24, "channels": 3, "num_classes": 4, "filters": 8, "bottleneck": 8, "kernels": (8, 4, 2)}


def _norm(x, name, relu=True):
    """Batch normalisation, with Keras's defaults as the authors', and its activation."""
    x = BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _module(x, filters, kernels, bottleneck, name):
    """(B, T, C) -> (B, T, filters * (kernels + 1))."""
    narrow = x
    if bottleneck and x.shape[-1] > 1:
        narrow = layers.Conv1D(bottleneck, 1, use_bias=False, name=f"{name}_bottleneck")(x)
    parts = [
        layers.Conv1D(filters, kernel, padding="same", use_bias=False, name=f"{name}_conv{index}")(narrow)
        for index, kernel in enumerate(kernels, start=1)
    ]
    pooled = layers.MaxPooling1D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    parts.append(layers.Conv1D(filters, 1, use_bias=False, name=f"{name}_pool_conv")(pooled))
    return _norm(layers.Concatenate(name=f"{name}_concatenate")(parts), name)


@register(
    domain="timeseries",
    task="series_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=24, channels=3, num_classes=4),
)
def inception_time(
    *,
    depth=6,
    filters=32,
    kernels=(40, 20, 10),
    bottleneck=32,
    residual=True,
    length=128,
    channels=1,
    num_classes=2,
    learning_rate=1e-3,
    name="inception_time",
):
    """One InceptionTime network, compiled with Adam and cross-entropy on integer labels.

    Args:
        depth: Inception modules.
        filters: of each convolution of a module, which has one more than kernels.
        kernels: time steps of a module's kernels.
        bottleneck: channels that the kernels see, beyond one; 0 shows them all.
        residual: a shortcut around every three modules.
        length: time steps of a series.
        channels: of a series.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: series (B, length, channels) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a size that is no positive integer, fewer than two classes, or no kernel.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("inception_time", length=50, channels=2, num_classes=5).output_shape
    (None, 5)
    """
    series = x = shortcut = series_input(length, channels, num_classes)
    check_sizes(depth=depth, filters=filters)
    if not kernels or min(kernels) < 1 or bottleneck < 0:
        raise ValueError(
            f"`kernels` must be positive integers, `bottleneck` at least 0. Received: {kernels!r}, {bottleneck!r}."
        )
    for index in range(1, depth + 1):
        x = _module(x, filters, kernels, bottleneck, f"module{index}")
        if residual and index % 3 == 0:
            around = layers.Conv1D(x.shape[-1], 1, use_bias=False, name=f"shortcut{index // 3}")(shortcut)
            around = _norm(around, f"shortcut{index // 3}", relu=False)
            x = layers.Add(name=f"residual{index // 3}")([around, x])
            x = shortcut = layers.ReLU(name=f"residual{index // 3}_relu")(x)
    return compile_classes(keras.Model(series, pooled_head(x, num_classes), name=name), learning_rate)
