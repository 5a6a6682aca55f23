"""CIFAR ResNets (He et al., 2015, section 4.2, https://arxiv.org/abs/1512.03385): 6n + 2 layers, 16-32-64 filters.

Shortcuts are the paper's option A: where a stage halves the image, the identity is subsampled and
padded with zero channels, so it has no parameters. Differs from the paper: channels are scaled by
a fixed mean and deviation instead of subtracting the per-pixel mean.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.registry import register

# Trained here; the card says how.
CIFAR10 = {
    "file": "resnet20_cifar10.weights.h5",
    "sha256": "244143ec2cb54c41453424b6cf51e345002887e3f9a7a8406573477b2ffc4459",
    "card": "resnet20_cifar10.md",
    "arguments": {"num_classes": 10},
    "labels": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "accuracy": 0.8807,
}
# `params`: trainable parameters with option A and 10 classes. The paper's table rounds them to
# 0.27M, 0.46M, 0.66M, 0.85M and 1.7M.
VARIANTS = {
    "resnet20": {"depth": 20, "params": 269_722, "weights": {"cifar10": CIFAR10}},
    "resnet32": {"depth": 32, "params": 464_154},
    "resnet44": {"depth": 44, "params": 658_586},
    "resnet56": {"depth": 56, "params": 853_018},
    "resnet110": {"depth": 110, "params": 1_727_962},
}
SMOKE = {"depth": 8, "width": 8, "input_shape": (16, 16, 3), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


def _conv_bn(x, filters, *, stride=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters), 3x3."""
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")(
        x
    )
    return BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)


def _residual(x, filters, *, stride, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters); C is filters or half of them."""
    shortcut = x
    if stride > 1:  # Option A.
        shortcut = layers.MaxPooling2D(1, strides=stride, name=f"{name}_subsample")(x)  # A window of one: a pick.
        sides = (filters - x.shape[-1]) // 2
        shortcut = keras.ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (sides, sides)))
    x = layers.ReLU(name=f"{name}_1_relu")(_conv_bn(x, filters, stride=stride, name=f"{name}_1"))
    x = _conv_bn(x, filters, name=f"{name}_2")
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, shortcut]))


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="imagenet",
)
def resnet_cifar(
    *,
    depth,
    width=16,
    input_shape=(32, 32, 3),
    num_classes=10,
    learning_rate=0.1,
    name="resnet_cifar",
):
    """ResNet for small images, compiled with Nesterov SGD and cross-entropy on integer labels.

    Args:
        depth: weighted layers, 6n + 2: three stages of n blocks of two, the stem and the classifier.
        width: filters of the first stage; each later stage doubles them.
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper starts at 0.1 with batches of 128.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a depth that is not 6n + 2.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("resnet20", num_classes=10).output_shape
    (None, 10)
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"`depth` must be 6n + 2 with n at least 1 (8, 14, 20, ...). Received: {depth!r}.")
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "imagenet")
    x = layers.ReLU(name="stem_relu")(_conv_bn(x, width, name="stem"))
    for stage in (1, 2, 3):
        for index in range(1, blocks + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            x = _residual(x, width * 2 ** (stage - 1), stride=stride, name=f"stage{stage}_block{index}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
