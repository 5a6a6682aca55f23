"""What ResNets are made of, for classifiers and for what stands on their features.

Differs from the paper (He et al., 2015, https://arxiv.org/abs/1512.03385), as torchvision does: a bottleneck strides
in its 3x3 convolution ("v1.5"), and the last batch norm of each block starts at zero (Goyal et al., 2017,
https://arxiv.org/abs/1706.02677).
"""

from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization

STEMS = {"imagenet": (7, 2, True), "small": (3, 1, False)}  # kernel, stride, pool
BLOCKS = ("basic", "bottleneck")


def conv_bn(x, filters, kernel, *, stride=1, dilation=1, gamma="ones", relu=True, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    if kernel > 1:  # Symmetric, as the paper's implementations pad; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2 * dilation, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def residual(x, filters, *, block, stride, dilation=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters, or four times as many)."""
    out = 4 * filters if block == "bottleneck" else filters
    shortcut = x
    if stride > 1 or x.shape[-1] != out:
        shortcut = conv_bn(x, out, 1, stride=stride, relu=False, name=f"{name}_shortcut")
    if block == "bottleneck":
        x = conv_bn(x, filters, 1, name=f"{name}_1")
        x = conv_bn(x, filters, 3, stride=stride, dilation=dilation, name=f"{name}_2")
        x = conv_bn(x, out, 1, gamma="zeros", relu=False, name=f"{name}_3")
    else:
        x = conv_bn(x, filters, 3, stride=stride, dilation=dilation, name=f"{name}_1")
        x = conv_bn(x, filters, 3, dilation=dilation, gamma="zeros", relu=False, name=f"{name}_2")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.ReLU(name=f"{name}_out")(x)


def features(x, *, block, depths, width=64, stem="imagenet", dilated=()):
    """Normalised images -> [after the stem, after each stage], finest first.

    Args:
        x: (B, H, W, 3).
        block: one of `BLOCKS`.
        depths: blocks in each stage; every stage after the first halves H and W.
        width: filters of the first stage; each later stage doubles them.
        stem: one of `STEMS`.
        dilated: stages, counted from 1, that keep H and W and dilate their 3x3 convolutions by 2 instead.
    """
    kernel, stride, pool = STEMS[stem]
    x = conv_bn(x, width, kernel, stride=stride, name="stem")
    found = [x]
    if pool:
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)  # Zeros are neutral: x is never negative.
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    for stage, depth in enumerate(depths, start=1):
        dilation = 2 if stage in dilated else 1
        for index in range(1, depth + 1):
            halve = stage > 1 and index == 1 and dilation == 1
            filters, place = width * 2 ** (stage - 1), f"stage{stage}_block{index}"
            x = residual(x, filters, block=block, stride=2 if halve else 1, dilation=dilation, name=place)
        found.append(x)
    return found
