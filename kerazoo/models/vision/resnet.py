"""ResNet image classifiers (He et al., 2015, https://arxiv.org/abs/1512.03385).

Differs from the paper, as torchvision does: a bottleneck strides in its 3x3 convolution ("v1.5"),
and the last batch norm of each block starts at zero (Goyal et al., 2017,
https://arxiv.org/abs/1706.02677). Channels are normalised by ImageNet's mean and deviation.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.registry import register

# `params` at the defaults below: trainable parameters, as torchvision publishes them.
VARIANTS = {
    "resnet18": {"block": "basic", "depths": (2, 2, 2, 2), "params": 11_689_512},
    "resnet34": {"block": "basic", "depths": (3, 4, 6, 3), "params": 21_797_672},
    "resnet50": {"block": "bottleneck", "depths": (3, 4, 6, 3), "params": 25_557_032},
    "resnet101": {"block": "bottleneck", "depths": (3, 4, 23, 3), "params": 44_549_160},
    "resnet152": {"block": "bottleneck", "depths": (3, 8, 36, 3), "params": 60_192_808},
}
SMOKE = {"depths": (1, 1), "width": 8, "stem": "small", "input_shape": (16, 16, 3), "num_classes": 4}
STEMS = {"imagenet": (7, 2, True), "small": (3, 1, False)}  # kernel, stride, pool
BLOCKS = ("basic", "bottleneck")


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


def _conv_bn(x, filters, kernel, *, stride=1, gamma="ones", relu=True, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    if kernel > 1:  # Symmetric, as the paper's implementations pad; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters, kernel, strides=stride, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residual(x, filters, *, block, stride, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters, or four times as many)."""
    out = 4 * filters if block == "bottleneck" else filters
    shortcut = x
    if stride > 1 or x.shape[-1] != out:
        shortcut = _conv_bn(x, out, 1, stride=stride, relu=False, name=f"{name}_shortcut")
    if block == "bottleneck":
        x = _conv_bn(x, filters, 1, name=f"{name}_1")
        x = _conv_bn(x, filters, 3, stride=stride, name=f"{name}_2")
        x = _conv_bn(x, out, 1, gamma="zeros", relu=False, name=f"{name}_3")
    else:
        x = _conv_bn(x, filters, 3, stride=stride, name=f"{name}_1")
        x = _conv_bn(x, filters, 3, gamma="zeros", relu=False, name=f"{name}_2")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_out")(x)


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="imagenet",
)
def resnet(
    *,
    block,
    depths,
    width=64,
    stem="imagenet",
    input_shape=(224, 224, 3),
    num_classes=1000,
    learning_rate=0.1,
    name="resnet",
):
    """ResNet classifier, compiled with Nesterov SGD and cross-entropy on integer labels.

    Args:
        block: "basic" (3x3, 3x3) or "bottleneck" (1x1, 3x3, 1x1, four times wider).
        depths: blocks in each stage; every stage after the first halves H and W.
        width: filters of the first stage; each later stage doubles them.
        stem: "imagenet" (7x7 stride 2, max-pool) or "small" (3x3, for sides up to 64).
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper starts at 0.1 with batches of 256.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an unknown `block` or `stem`.

    Example:

    >>> from kerazoo.models.vision.resnet import resnet
    >>> model = resnet(block="basic", depths=(1, 1), stem="small", input_shape=(32, 32, 3), num_classes=10)
    >>> model.output_shape
    (None, 10)
    """
    if stem not in STEMS:
        raise ValueError(f"`stem` must be one of {sorted(STEMS)}. Received: {stem!r}.")
    if block not in BLOCKS:
        raise ValueError(f"`block` must be one of {sorted(BLOCKS)}. Received: {block!r}.")
    kernel, stride, pool = STEMS[stem]
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "imagenet")
    x = _conv_bn(x, width, kernel, stride=stride, name="stem")
    if pool:
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # Zeros are neutral: x is never negative.
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, depth in enumerate(depths, start=1):
        for index in range(1, depth + 1):
            halve = stage > 1 and index == 1
            filters = width * 2 ** (stage - 1)
            x = _residual(x, filters, block=block, stride=2 if halve else 1, name=f"stage{stage}_block{index}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
