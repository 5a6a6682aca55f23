"""U-Net on a ResNet's features: the decoder of segmentation-models-pytorch (Iakubovskii, 2019,
https://github.com/qubvel-org/segmentation_models.pytorch) in place of the paper's (https://arxiv.org/abs/1505.04597).

Features are enlarged by repeating pixels, joined with the encoder's of the same size and convolved twice; the last
stage, at full size, has nothing to join.
"""

import keras
from keras import layers

from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.residual import conv_bn, features
from kerazoo.models.vision.segmenter import check_sides, compile_segmenter, sample_of
from kerazoo.registry import register

# `params`: trainable parameters for one class, as segmentation-models-pytorch counts them.
VARIANTS = {
    "unet_resnet18": {"block": "basic", "depths": (2, 2, 2, 2), "params": 14_328_209},
    "unet_resnet34": {"block": "basic", "depths": (3, 4, 6, 3), "params": 24_436_369},
    "unet_resnet50": {"block": "bottleneck", "depths": (3, 4, 6, 3), "params": 32_521_105},
}
SMOKE = {"depths": (1, 1), "width": 8, "decoder": (16, 8, 8), "input_shape": (16, 16, 3), "num_classes": 3}


@register(
    domain="vision",
    task="semantic_segmentation",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(16, 16, 3), num_classes=3),
    preprocessing="imagenet",
)
def unet_resnet(
    *,
    block,
    depths,
    width=64,
    decoder=(256, 128, 64, 32, 16),
    input_shape=(256, 256, 3),
    num_classes=1,
    learning_rate=1e-4,
    name="unet_resnet",
):
    """U-Net with a ResNet encoder, compiled with Adam and the cross-entropy of every pixel.

    Args:
        block: "basic" or "bottleneck", of the encoder.
        depths: blocks in each of the encoder's stages.
        width: filters of the encoder's first stage.
        decoder: filters of the decoder's stages, one more than the encoder has; the last is at full size.
        input_shape: (H, W, 3) in pixels, multiples of 32 with four stages.
        num_classes: size of the output's last axis; with 1 the labels are 0 and 1, (B, H, W, 1).
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, H, W, num_classes).

    Raises:
        ValueError: sides that cannot be halved often enough, or a decoder of another length.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("unet_resnet18", input_shape=(64, 96, 3), num_classes=11).output_shape
    (None, 64, 96, 11)
    """
    if len(decoder) != len(depths) + 1:
        raise ValueError(f"`decoder` must have one stage more than `depths`. Received: {decoder!r} and {depths!r}.")
    check_sides(input_shape, 2 ** len(decoder))
    image = keras.Input(input_shape, name="image")
    *skips, x = features(normalize(image, "imagenet"), block=block, depths=depths, width=width)
    for stage, filters in enumerate(decoder, start=1):
        x = layers.UpSampling2D(2, name=f"decoder{stage}_enlarge")(x)
        if skips:
            x = layers.Concatenate(name=f"decoder{stage}_join")([x, skips.pop()])
        for index in (1, 2):
            x = conv_bn(x, filters, 3, name=f"decoder{stage}_{index}")
    x = layers.ZeroPadding2D(1, name="logits_pad")(x)
    logits = layers.Conv2D(num_classes, 3, dtype="float32", name="logits")(x)
    return compile_segmenter(keras.Model(image, logits, name=name), keras.optimizers.Adam(learning_rate))
