"""Fast-SCNN (Poudel et al., 2019, https://arxiv.org/abs/1902.04502): segmentation in real time, for driving.

Two branches that share their first three convolutions: details at an eighth of the image, context at a thirty-second.
As the paper's tables have it, with what they leave open taken from the best known PyTorch version (Tramac's): norms
and activations after both halves of a separable convolution, biases in the fusion, maps enlarged with their corners
in place. The fusion's depthwise convolution dilates by 4, as the paper says and that version does not.
"""

import keras
from keras import layers

from kerazoo.layers.adaptive_pooling import AdaptivePooling2D
from kerazoo.layers.aligned_upsampling import AlignedResizing2D, AlignedUpsampling2D
from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.segmenter import check_sides, compile_segmenter, sample_of
from kerazoo.registry import register

# `params`: trainable parameters for Cityscapes' 19 classes, as Tramac's version has them; the paper says 1.11 million.
VARIANTS = {"fast_scnn": {"params": 1_138_051}}
SMOKE = {"stem": (8, 8, 16), "stages": ((16, 1, 2), (16, 1, 2), (16, 1, 1)), "filters": 16, "dropout": 0.0}
SMOKE |= {"input_shape": (64, 64, 3), "num_classes": 3}
BINS = (1, 2, 3, 6)


def _conv_bn(x, filters, kernel, *, stride=1, dilation=1, bias=False, relu=True, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters); without filters each channel by itself."""
    if kernel > 1:  # Symmetric, as the reference pads; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2 * dilation, name=f"{name}_pad")(x)
    settings = {"strides": stride, "dilation_rate": dilation, "use_bias": bias, "name": f"{name}_conv"}
    if filters is None:
        x = layers.DepthwiseConv2D(kernel, depthwise_initializer="he_normal", **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, kernel_initializer="he_normal", **settings)(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _separable(x, filters, *, stride=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    x = _conv_bn(x, None, 3, stride=stride, name=f"{name}_depthwise")
    return _conv_bn(x, filters, 1, name=f"{name}_pointwise")


def _bottleneck(x, filters, *, stride, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters): six times as wide inside."""
    shortcut, channels = x, x.shape[-1]
    x = _conv_bn(x, 6 * channels, 1, name=f"{name}_expand")
    x = _conv_bn(x, None, 3, stride=stride, name=f"{name}_depthwise")
    x = _conv_bn(x, filters, 1, relu=False, name=f"{name}_project")
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _pyramid(x, filters):
    """(B, H, W, C) -> (B, H, W, filters): joined with its means over grids of several sizes."""
    parts = [x]
    for count in BINS:
        part = AdaptivePooling2D(count, name=f"pyramid{count}_pool")(x)
        part = _conv_bn(part, x.shape[-1] // len(BINS), 1, name=f"pyramid{count}")
        parts.append(AlignedResizing2D(x.shape[1:3], name=f"pyramid{count}_enlarge")(part))
    return _conv_bn(layers.Concatenate(name="pyramid_join")(parts), filters, 1, name="pyramid")


@register(
    domain="vision",
    task="semantic_segmentation",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(64, 64, 3), num_classes=3),
    preprocessing="imagenet",
)
def fast_scnn(
    *,
    stem=(32, 48, 64),
    stages=((64, 3, 2), (96, 3, 2), (128, 3, 1)),
    filters=128,
    dropout=0.1,
    input_shape=(512, 1024, 3),
    num_classes=19,
    learning_rate=0.045,
    name="fast_scnn",
):
    """Fast-SCNN segmenter, compiled with momentum SGD and the cross-entropy of every pixel; 255 does not count.

    Args:
        stem: filters of the three convolutions that both branches share; each halves H and W.
        stages: (filters, bottlenecks, stride of the first) of each stage of the context branch.
        filters: of the pyramid, the fusion and the classifier.
        dropout: before the last convolution.
        input_shape: (H, W, 3) in pixels, multiples of 32.
        num_classes: size of the output's last axis; with 1 the labels are 0 and 1, (B, H, W, 1).
        learning_rate: a rate or a schedule; the paper starts at 0.045 and lets it fall to zero.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, H, W, num_classes).

    Raises:
        ValueError: sides that are no multiples of 32.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("fast_scnn", input_shape=(64, 128, 3)).output_shape
    (None, 64, 128, 19)
    """
    check_sides(input_shape, 32)
    image = keras.Input(input_shape, name="image")
    x = _conv_bn(normalize(image, "imagenet"), stem[0], 3, stride=2, name="stem1")
    for index, channels in enumerate(stem[1:], start=2):
        x = _separable(x, channels, stride=2, name=f"stem{index}")
    details, block = x, 0
    for channels, count, stride in stages:
        for index in range(count):
            block += 1
            x = _bottleneck(x, channels, stride=1 if index else stride, name=f"block{block}")
    x = _pyramid(x, filters)
    x = AlignedUpsampling2D(4, name="context_enlarge")(x)
    x = _conv_bn(x, None, 3, dilation=4, name="context_depthwise")
    x = _conv_bn(x, filters, 1, bias=True, relu=False, name="context")
    details = _conv_bn(details, filters, 1, bias=True, relu=False, name="details")
    x = layers.ReLU(name="fusion_relu")(layers.Add(name="fusion")([x, details]))
    for index in (1, 2):
        x = _separable(x, filters, name=f"classifier{index}")
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(num_classes, 1, name="classes")(x)
    logits = AlignedUpsampling2D(8, dtype="float32", name="logits")(x)
    return compile_segmenter(keras.Model(image, logits, name=name), keras.optimizers.SGD(learning_rate, momentum=0.9))
