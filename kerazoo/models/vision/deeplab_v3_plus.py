"""DeepLabv3+ (Chen et al., 2018, https://arxiv.org/abs/1802.02611) on a ResNet.

As segmentation-models-pytorch has it: the last stage dilates instead of striding, so that its features are a
sixteenth of the image; separable convolutions at three rates, one by one and over the whole image; a decoder that
joins the features at a quarter. Maps are enlarged with their corners in place.
"""

import keras
from keras import layers

from kerazoo.layers.aligned_upsampling import AlignedUpsampling2D
from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.residual import conv_bn, features
from kerazoo.models.vision.segmenter import check_sides, compile_segmenter, sample_of
from kerazoo.registry import register

# `params`: trainable parameters for 21 classes, as segmentation-models-pytorch counts them.
VARIANTS = {
    "deeplabv3plus_resnet18": {"block": "basic", "depths": (2, 2, 2, 2), "params": 12_334_437},
    "deeplabv3plus_resnet34": {"block": "basic", "depths": (3, 4, 6, 3), "params": 22_442_597},
    "deeplabv3plus_resnet50": {"block": "bottleneck", "depths": (3, 4, 6, 3), "params": 26_682_725},
}
SMOKE = {"depths": (1, 1, 1, 1), "width": 8, "filters": 16, "low": 8, "rates": (1, 2, 3), "dropout": 0.0}
SMOKE |= {"input_shape": (32, 32, 3), "num_classes": 3}


def _separable(x, filters, *, dilation=1, name):
    """(B, H, W, C) -> (B, H, W, filters): each channel by itself, then all at each place."""
    x = layers.ZeroPadding2D(dilation, name=f"{name}_pad")(x)
    x = layers.DepthwiseConv2D(
        3, dilation_rate=dilation, use_bias=False, depthwise_initializer="he_normal", name=f"{name}_depthwise"
    )(x)
    return conv_bn(x, filters, 1, name=name)


def _pyramid(x, filters, rates, dropout):
    """(B, H, W, C) -> (B, H, W, filters), seen at several rates."""
    height, width = x.shape[1:3]
    parts = [conv_bn(x, filters, 1, name="pyramid1")]
    for index, rate in enumerate(rates, start=2):
        parts.append(_separable(x, filters, dilation=rate, name=f"pyramid{index}"))
    whole = layers.GlobalAveragePooling2D(keepdims=True, name="pyramid_pool")(x)
    whole = conv_bn(whole, filters, 1, name="pyramid_whole")
    parts.append(layers.UpSampling2D((height, width), name="pyramid_spread")(whole))
    x = conv_bn(layers.Concatenate(name="pyramid_join")(parts), filters, 1, name="pyramid_project")
    return layers.Dropout(dropout, name="pyramid_dropout")(x)


def decode(fine, coarse, *, num_classes, filters, low, rates, dropout):
    """Maps at a quarter and at a sixteenth of the image -> float32 logits, (B, H, W, num_classes)."""
    x = _pyramid(coarse, filters, rates, dropout)
    x = AlignedUpsampling2D(4, name="enlarge")(_separable(x, filters, name="context"))
    x = layers.Concatenate(name="join")([x, conv_bn(fine, low, 1, name="low")])
    x = _separable(x, filters, name="decoder")
    x = layers.Conv2D(num_classes, 1, name="classes")(x)
    return AlignedUpsampling2D(4, dtype="float32", name="logits")(x)


@register(
    domain="vision",
    task="semantic_segmentation",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(32, 32, 3), num_classes=3),
    preprocessing="imagenet",
)
def deeplab_v3_plus(
    *,
    block,
    depths,
    width=64,
    filters=256,
    low=48,
    rates=(12, 24, 36),
    dropout=0.5,
    input_shape=(512, 512, 3),
    num_classes=21,
    learning_rate=1e-4,
    name="deeplab_v3_plus",
):
    """DeepLabv3+ segmenter, compiled with Adam and the cross-entropy of every pixel; pixels labelled 255 do not count.

    Args:
        block: "basic" or "bottleneck", of the encoder.
        depths: blocks in each of the encoder's four stages.
        width: filters of the encoder's first stage.
        filters: of the pyramid and of the decoder.
        low: channels that the features at a quarter of the size are brought down to.
        rates: dilations of the pyramid's separable convolutions.
        dropout: after the pyramid.
        input_shape: (H, W, 3) in pixels, multiples of 16.
        num_classes: size of the output's last axis; with 1 the labels are 0 and 1, (B, H, W, 1).
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, H, W, num_classes).

    Raises:
        ValueError: sides that are no multiples of 16.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("deeplabv3plus_resnet18", input_shape=(64, 96, 3), num_classes=11).output_shape
    (None, 64, 96, 11)
    """
    check_sides(input_shape, 16)
    image = keras.Input(input_shape, name="image")
    last = len(depths)
    maps = features(normalize(image, "imagenet"), block=block, depths=depths, width=width, dilated=(last,))
    sizes = {"num_classes": num_classes, "filters": filters, "low": low, "rates": rates, "dropout": dropout}
    logits = decode(maps[1], maps[-1], **sizes)
    return compile_segmenter(keras.Model(image, logits, name=name), keras.optimizers.Adam(learning_rate))
