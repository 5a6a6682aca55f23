"""LeNet-5 (LeCun et al., 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf).

The form in use today, 61,706 parameters on 32x32 grey images: its third layer sees all six maps
(the paper's connects a subset), pooling averages without trainable coefficients, and the output is
a plain linear layer with softmax cross-entropy instead of radial basis functions.
"""

import keras
from keras import layers

from kerazoo.layers.pixels import normalize
from kerazoo.registry import register

VARIANTS = {"lenet5": {"params": 61_706}}
SMOKE = {"num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 32, 32, 3)).astype("float32"), rng.integers(0, 4, batch)


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="inception",
)
def lenet5(*, input_shape=(32, 32, 3), num_classes=10, learning_rate=1e-3, name="lenet5"):
    """LeNet-5 classifier, compiled with Adam and cross-entropy on integer labels.

    Args:
        input_shape: (H, W, 3), RGB, turned to grey by the luma weights of ITU-R BT.601; (H, W, 1) is
            taken as grey. At least 16 by 16.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an image smaller than the two convolutions and poolings need.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("lenet5").count_params()
    61706
    """
    height, width, channels = input_shape
    if min(height, width) < 16 or channels not in (1, 3):
        raise ValueError(f"`input_shape` must be (H, W, 3) or (H, W, 1), at least 16x16. Received: {input_shape!r}.")
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "inception")
    if channels == 3:
        x = keras.ops.image.rgb_to_grayscale(x)
    x = layers.Conv2D(6, 5, activation="tanh", name="c1")(x)
    x = layers.AveragePooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="tanh", name="c3")(x)
    x = layers.AveragePooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="tanh", name="c5")(x)
    x = layers.Dense(84, activation="tanh", name="f6")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
