"""MobileNetV2 image classifier (Sandler et al., 2018, https://arxiv.org/abs/1801.04381).

As torchvision has it: 3x3 convolutions pad both sides alike, and batch norms take 1e-5. Channels are
normalised by ImageNet's mean and deviation. Trained with momentum SGD instead of the paper's RMSProp.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.models.features import last_match_of_each_stride
from kerazoo.registry import register

# `params` at the defaults below: trainable parameters, as torchvision publishes them.
VARIANTS = {"mobilenet_v2": {"params": 3_504_872}}
# Expansion, filters, blocks and stride of the first block: the paper's table 2.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
SMOKE = {"stages": ((1, 8, 1, 1), (6, 16, 2, 2)), "width": 0.5, "input_shape": (32, 32, 3), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 32, 32, 3)).astype("float32"), rng.integers(0, 4, batch)


def make_divisible(channels, divisor=8):
    """The multiple of `divisor` nearest to `channels`, at least one and at least 90% of it."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _conv_bn(x, filters, kernel, *, stride=1, dilation=1, depthwise=False, relu=True, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters), or C where depthwise."""
    if stride > 1:  # Symmetric, as the weights were trained; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    settings = {
        "strides": stride,
        "dilation_rate": dilation,
        "padding": "valid" if stride > 1 else "same",
        "use_bias": False,
        "name": f"{name}_conv",
    }
    initializer = keras.initializers.VarianceScaling(2.0, mode="fan_out")
    if depthwise:
        x = layers.DepthwiseConv2D(kernel, depthwise_initializer=initializer, **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, kernel_initializer=initializer, **settings)(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x


def _inverted_residual(x, filters, *, expansion, stride, dilation=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        x = _conv_bn(x, expansion * channels, 1, name=f"{name}_expand")
    x = _conv_bn(x, None, 3, stride=stride, dilation=dilation, depthwise=True, name=f"{name}_depthwise")
    x = _conv_bn(x, filters, 1, relu=False, name=f"{name}_project")
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def features(x, *, stages=STAGES, width=1.0, output_stride=32):
    """Normalised images -> ({stride: the last block's output of that size}, the last 1x1 convolution's output).

    Args:
        x: (B, H, W, 3).
        stages: (expansion, filters, blocks, stride of the first block) of each stage.
        width: multiplies the filters.
        output_stride: how much smaller than the image maps become at most; where a block would halve them once
            more, it and all later ones dilate their 3x3 convolutions instead.
    """
    x = _conv_bn(x, make_divisible(32 * width), 3, stride=2, name="stem")
    block, reached, dilation, maps = 0, 2, 1, {}
    for expansion, filters, blocks, first_stride in stages:
        for index in range(blocks):
            block += 1
            stride = first_stride if index == 0 else 1
            if reached * stride > output_stride:
                stride, dilation = 1, dilation * stride
            reached *= stride
            sizes = {"expansion": expansion, "stride": stride, "dilation": dilation}
            x = _inverted_residual(x, make_divisible(filters * width), name=f"block{block}", **sizes)
            maps[reached] = x
    return maps, _conv_bn(x, make_divisible(1280 * max(1.0, width)), 1, name="last")


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    weights={"imagenet": {"packaged": "mobilenet_v2"}},
    preprocessing="imagenet",
    features=last_match_of_each_stride(r"block\d+_(project_bn|add)"),
)
def mobilenet_v2(
    *,
    stages=STAGES,
    width=1.0,
    dropout=0.2,
    input_shape=(224, 224, 3),
    num_classes=1000,
    learning_rate=0.045,
    name="mobilenet_v2",
):
    """MobileNetV2 classifier, compiled with momentum SGD and cross-entropy on integer labels.

    Its features (`kerazoo.backbone`) are the outputs of the last block of each size: 16, 24, 32, 96 and
    320 channels at strides 2 to 32; the last 1x1 convolution belongs to the head.

    Args:
        stages: (expansion, filters, blocks, stride of the first block) of each stage.
        width: multiplies the filters, which are then rounded to multiples of 8; the last 1x1
            convolution has 1280 of them at least.
        dropout: share of the pooled features dropped while training.
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper starts at 0.045 and multiplies it by 0.98 each epoch.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a `width` that is not positive.

    Example:

    >>> from kerazoo.models.vision.mobilenet_v2 import mobilenet_v2
    >>> mobilenet_v2(width=0.5, input_shape=(96, 96, 3), num_classes=10).output_shape
    (None, 10)
    """
    if width <= 0:
        raise ValueError(f"`width` must be positive. Received: {width!r}.")
    image = keras.Input(input_shape, name="image")
    _, x = features(normalize(image, "imagenet"), stages=stages, width=width)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
