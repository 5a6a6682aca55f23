"""MiniRocket (Dempster et al., 2021, https://arxiv.org/abs/2012.08791): fixed convolutions and a linear classifier.

The features are the paper's and the same as in the authors' code, inside the graph. Differs from the paper: the
linear classifier is trained by gradient descent on batch-normalised features, as tsai's is, at any size of the data;
the authors take ridge regression for small ones. `adapt` takes the convolutions' thresholds from training series;
call it once before `fit`.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.minirocket_features import MiniRocketFeatures
from kerazoo.models.classes import compile_classes
from kerazoo.models.timeseries.classifier import sample_of, series_input
from kerazoo.registry import register

# `params`: trainable ones with two classes, whatever the series, as tsai's model has them.
VARIANTS = {"minirocket": {"params": 39_986}}
SMOKE = {"length": 24, "channels": 3, "num_classes": 4, "features": 336}


def adapt(model, series):
    """Adapts every layer of a model that learns from training series before training: (N, length, channels).

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.models.timeseries.minirocket import adapt
    >>> model = kerazoo.build("minirocket", length=30, features=168)
    >>> adapt(model, np.random.default_rng(0).normal(size=(8, 30, 1)))
    """
    for layer in model.layers:
        if isinstance(layer, MiniRocketFeatures):
            layer.adapt(series)


@register(
    domain="timeseries",
    task="series_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(length=24, channels=3, num_classes=4),
)
def minirocket(
    *,
    features=9_996,
    dilations=32,
    feature_seed=0,
    dropout=0.0,
    length=128,
    channels=1,
    num_classes=2,
    learning_rate=1e-3,
    name="minirocket",
):
    """MiniRocket features with a linear classifier, compiled with Adam and cross-entropy on integer labels.

    Args:
        features: how many, rounded down to a multiple of 84.
        dilations: of each kernel, at most.
        feature_seed: of the channels that a kernel sees, and of the series that `adapt` draws.
        dropout: of the features.
        length: time steps of a series, at least 9.
        channels: of a series.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: series (B, length, channels) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: fewer than 84 features, a series shorter than 9 steps, a size that is no positive integer, or
            fewer than two classes.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("minirocket", length=50, channels=2, num_classes=5, features=840).output_shape
    (None, 5)
    """
    series = series_input(length, channels, num_classes)
    x = MiniRocketFeatures(features, dilations, feature_seed, name="features")(series)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(num_classes, kernel_initializer="zeros", dtype="float32", name="logits")(x)
    return compile_classes(keras.Model(series, x, name=name), learning_rate)
