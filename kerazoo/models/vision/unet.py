"""U-Net (Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597).

The paper's network, for images of any number of channels; with padding "same" the answer is as large as the image,
with the paper's "valid" it is the middle of it. Dropout at the end of the contracting path, as the paper has it.
"""

import keras
from keras import layers

from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.segmenter import check_sides, compile_segmenter, sample_of
from kerazoo.registry import register

# `params`: trainable parameters of the paper's layers, for grey images and two classes.
VARIANTS = {"unet": {"params": 31_030_658}}
SMOKE = {"width": 8, "depth": 2, "dropout": 0.0, "input_shape": (16, 16, 3), "num_classes": 3}
PADDINGS = ("same", "valid")


def _two_convolutions(x, filters, padding, name):
    """(B, H, W, C) -> (B, H, W, filters), or 4 less in H and W without padding."""
    for index in (1, 2):
        x = layers.Conv2D(
            filters, 3, padding=padding, activation="relu", kernel_initializer="he_normal", name=f"{name}_{index}"
        )(x)
    return x


@register(
    domain="vision",
    task="semantic_segmentation",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(16, 16, 3), num_classes=3),
    preprocessing="unit",
)
def unet(
    *,
    width=64,
    depth=4,
    padding="same",
    dropout=0.5,
    input_shape=(512, 512, 1),
    num_classes=2,
    learning_rate=1e-4,
    name="unet",
):
    """U-Net segmenter, compiled with Adam and the cross-entropy of every pixel; pixels labelled 255 do not count.

    Args:
        width: filters of the first stage; each further one doubles them.
        depth: how often H and W are halved.
        padding: "same", or the paper's "valid", which answers the middle of the image.
        dropout: after the last two stages of the contracting path.
        input_shape: (H, W, C) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: pixels in [0, 255], (B, H, W, C) -> float32 logits, (B, H, W, num_classes), with "valid" padding of the
        middle. Labels (B, H, W), integers.

    Raises:
        ValueError: an unknown `padding`, or sides that cannot be halved `depth` times.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("unet", width=8, input_shape=(64, 64, 3), num_classes=11).output_shape
    (None, 64, 64, 11)
    >>> kerazoo.build("unet", width=8, padding="valid", input_shape=(572, 572, 1)).output_shape
    (None, 388, 388, 2)
    """
    if padding not in PADDINGS:
        raise ValueError(f"`padding` must be one of {PADDINGS}. Received: {padding!r}.")
    if padding == "same":
        check_sides(input_shape, 2**depth)
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "unit")
    skips = []
    for stage in range(1, depth + 2):
        x = _two_convolutions(x, width * 2 ** (stage - 1), padding, f"down{stage}")
        if stage >= depth:
            x = layers.Dropout(dropout, name=f"down{stage}_dropout")(x)
        if stage <= depth:
            skips.append(x)
            if min(x.shape[1:3]) < 2 or x.shape[1] % 2 or x.shape[2] % 2:
                raise ValueError(
                    f"`input_shape` must leave an even height and width after stage {stage}. "
                    f"Received: {tuple(input_shape)}, which leaves {x.shape[1:3]}."
                )
            x = layers.MaxPooling2D(2, name=f"down{stage}_pool")(x)
    for stage in range(depth, 0, -1):
        filters, skip = width * 2 ** (stage - 1), skips[stage - 1]
        x = layers.Conv2DTranspose(filters, 2, strides=2, kernel_initializer="he_normal", name=f"up{stage}_enlarge")(x)
        sides = [(big - small) // 2 for big, small in zip(skip.shape[1:3], x.shape[1:3])]
        if any(sides):
            ends = [(before, big - small - before) for before, big, small in zip(sides, skip.shape[1:3], x.shape[1:3])]
            skip = layers.Cropping2D(ends, name=f"up{stage}_crop")(skip)
        x = layers.Concatenate(name=f"up{stage}_join")([skip, x])
        x = _two_convolutions(x, filters, padding, f"up{stage}")
    logits = layers.Conv2D(num_classes, 1, dtype="float32", name="logits")(x)
    return compile_segmenter(keras.Model(image, logits, name=name), keras.optimizers.Adam(learning_rate))
