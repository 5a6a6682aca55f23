"""Multilayer perceptron on pixels (Rumelhart et al., 1986, https://doi.org/10.1038/323533a0).

Rectified linear units and He initialisation instead of the paper's sigmoids.
"""

import keras
from keras import layers

from kerazoo.layers.pixels import normalize
from kerazoo.registry import register

SMOKE = {"input_shape": (8, 8, 3), "hidden": (32, 16), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 8, 8, 3)).astype("float32"), rng.integers(0, 4, batch)


@register(domain="vision", task="image_classification", smoke=SMOKE, sample=_sample, preprocessing="inception")
def mlp(
    *,
    input_shape=(28, 28, 3),
    hidden=(512, 256),
    dropout=0.0,
    num_classes=10,
    learning_rate=1e-3,
    name="mlp",
):
    """Perceptron with hidden layers, compiled with Adam and cross-entropy on integer labels.

    Args:
        input_shape: (H, W, C) in pixels.
        hidden: units of each hidden layer.
        dropout: share of hidden units dropped while training.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: pixels in [0, 255], (B, H, W, C) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an empty `hidden`.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("mlp", input_shape=(8, 8, 3), hidden=(32,), num_classes=10).count_params()
    6506
    """
    if not hidden:
        raise ValueError(f"`hidden` must name at least one layer's units. Received: {hidden!r}.")
    image = keras.Input(input_shape, name="image")
    x = layers.Flatten(name="flatten")(normalize(image, "inception"))
    for index, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"hidden{index}")(x)
        if dropout:
            x = layers.Dropout(dropout, name=f"dropout{index}")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
