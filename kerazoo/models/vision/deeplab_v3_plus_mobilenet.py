"""DeepLabv3+ (Chen et al., 2018, https://arxiv.org/abs/1802.02611) on MobileNetV2, for machines without a GPU.

As segmentation-models-pytorch has it: the pyramid stands on MobileNetV2's last 1x1 convolution, the blocks of its
last halving dilate instead, and the decoder joins the features at a quarter.
"""

import keras

from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.deeplab_v3_plus import decode
from kerazoo.models.vision.mobilenet_v2 import STAGES, features
from kerazoo.models.vision.segmenter import check_sides, compile_segmenter, sample_of
from kerazoo.registry import register

# `params`: trainable parameters for 21 classes, as segmentation-models-pytorch counts them.
VARIANTS = {"deeplabv3plus_mobilenet_v2": {"params": 4_383_653}}
SMOKE = {"stages": ((1, 8, 1, 1), (2, 8, 1, 2), (2, 8, 1, 2), (2, 16, 1, 2), (2, 16, 1, 2)), "width": 0.25}
SMOKE |= {"filters": 16, "low": 8, "rates": (1, 2, 3), "dropout": 0.0, "input_shape": (32, 32, 3), "num_classes": 3}


@register(
    domain="vision",
    task="semantic_segmentation",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(32, 32, 3), num_classes=3),
    preprocessing="imagenet",
)
def deeplab_v3_plus_mobilenet(
    *,
    stages=STAGES,
    width=1.0,
    filters=256,
    low=48,
    rates=(12, 24, 36),
    dropout=0.5,
    input_shape=(512, 512, 3),
    num_classes=21,
    learning_rate=1e-4,
    name="deeplab_v3_plus_mobilenet",
):
    """DeepLabv3+ segmenter, compiled with Adam and the cross-entropy of every pixel; pixels labelled 255 do not count.

    Args:
        stages: of MobileNetV2: (expansion, filters, blocks, stride of the first block) of each.
        width: multiplies MobileNetV2's filters.
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
    >>> kerazoo.build("deeplabv3plus_mobilenet_v2", input_shape=(64, 96, 3), num_classes=11).output_shape
    (None, 64, 96, 11)
    """
    check_sides(input_shape, 16)
    image = keras.Input(input_shape, name="image")
    maps, last = features(normalize(image, "imagenet"), stages=stages, width=width, output_stride=16)
    sizes = {"num_classes": num_classes, "filters": filters, "low": low, "rates": rates, "dropout": dropout}
    logits = decode(maps[4], last, **sizes)
    return compile_segmenter(keras.Model(image, logits, name=name), keras.optimizers.Adam(learning_rate))
