"""SSD object detector (Liu et al., 2015, https://arxiv.org/abs/1512.02325) on VGG16.

As torchvision has it: the fully connected layers of VGG16 become convolutions, dilated by 6; the features of its
fourth stage are brought to one length; pixels are taken as they are, less ImageNet's mean. Anchors of each size are
spread evenly over the image.
"""

import math

import keras
from keras import layers

from kerazoo.layers.anchor_heads import AnchorHeads
from kerazoo.layers.scaled_unit_norm import ScaledUnitNormalization
from kerazoo.losses.multibox import MultiBox
from kerazoo.models.vision.object_detector import ObjectDetector, sample_of
from kerazoo.registry import register

# `params`: trainable parameters for 90 classes; torchvision counts the background as the 91st.
VARIANTS = {"ssd300_vgg16": {"params": 35_641_826}}
# Filters of the 1x1 and of the 3x3 convolution of each further size; a stride of 1 goes without padding.
EXTRAS = ((256, 512, 2), (128, 256, 2), (128, 256, 1), (128, 256, 1))
# The side of a square anchor of each size of maps, in sides of the image, and the next one's; its further shapes.
SCALES = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
RATIOS = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
SMOKE = {"widths": (8, 8, 16, 16, 16), "fully": 32, "extras": ((8, 16, 2), (8, 16, 2)), "input_shape": (64, 64, 3)}
SMOKE |= {"scales": (0.4, 0.6, 0.75, 0.9, 1.0), "ratios": ((2,), (2,), (2,), (2,)), "num_classes": 3}
MEAN = (0.48235, 0.45882, 0.40784)  # Of the channels, in [0, 1].
DEPTHS = (2, 2, 3, 3, 3)


def _conv(x, filters, kernel, *, initializer="glorot_uniform", name, **options):
    """(B, H, W, C) -> (B, H, W, filters), never negative."""
    x = layers.Conv2D(filters, kernel, padding="same", kernel_initializer=initializer, name=name, **options)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _vgg(x, widths, fully):
    """Images less their mean -> the features at an eighth and at a sixteenth of the size."""
    for stage, (filters, depth) in enumerate(zip(widths, DEPTHS), start=1):
        for index in range(1, depth + 1):
            x = _conv(x, filters, 3, initializer="he_normal", name=f"stage{stage}_{index}")
        if stage == 4:
            fine = ScaledUnitNormalization(20.0, dtype="float32", name="stage4_norm")(x)
        if stage < 5:
            x = layers.MaxPooling2D(2, padding="same", name=f"stage{stage}_pool")(x)  # Odd sides are rounded up.
    x = layers.MaxPooling2D(3, strides=1, padding="same", name="stage5_pool")(x)
    x = _conv(x, fully, 3, dilation_rate=6, name="fully6")
    return fine, _conv(x, fully, 1, name="fully7")


def _smaller(x, middle, filters, stride, name):
    """(B, H, W, C) -> (B, H / 2, W / 2, filters), or 2 less in H and W for a stride of 1."""
    x = _conv(x, middle, 1, name=f"{name}_1")
    if stride > 1:  # Symmetric; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    if min(x.shape[1:3]) < 3:
        raise ValueError(f"`input_shape` must leave sides of at least 3 before {name!r}. Received: {x.shape[1:3]}.")
    x = layers.Conv2D(filters, 3, strides=stride, name=f"{name}_2")(x)
    return layers.ReLU(name=f"{name}_2_relu")(x)


def _shapes(scale, following, ratios):
    """[(width, height)] of a place's anchors, in sides of the image: two squares, and each ratio lying and standing."""
    shapes = [(scale, scale), (math.sqrt(scale * following),) * 2]
    for ratio in ratios:
        long, short = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
        shapes += [(long, short), (short, long)]
    return [(min(width, 1.0), min(height, 1.0)) for width, height in shapes]


def _steps(side, extras, cells):
    """Pixels from cell to cell of each size: what the strides make of 8, and where there is none, an even share."""
    steps = [8, 16]
    for (_, _, stride), count in zip(extras, cells[2:]):
        steps.append(steps[-1] * 2 if stride > 1 else side / count)
    return steps


@register(
    domain="vision",
    task="object_detection",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(64, 64, 3), num_classes=3),
    preprocessing="each channel less ImageNet's mean, (0.48235, 0.45882, 0.40784) * 255",
)
def ssd(
    *,
    widths=(64, 128, 256, 512, 512),
    fully=1024,
    extras=EXTRAS,
    scales=SCALES,
    ratios=RATIOS,
    input_shape=(300, 300, 3),
    num_classes=90,
    learning_rate=1e-3,
    name="ssd300_vgg16",
):
    """SSD detector, compiled with momentum SGD and its multibox loss.

    There is no batch norm: begin with weights (`kerazoo.weights.from_torch`), or slowly.

    Args:
        widths: filters of VGG16's five stages.
        fully: filters of the two convolutions that were fully connected.
        extras: filters of the 1x1 and of the 3x3 convolution, and stride, of each further size of maps.
        scales: side of the square anchor of each size of maps, in sides of the image, and one more.
        ratios: of width to height, of the other anchors of each size of maps; each is there lying and standing.
        input_shape: (H, W, 3) in pixels; the last convolution of the default `extras` wants sides of 257 or more.
        num_classes: kinds of objects, 0 and up, without the background.
        learning_rate: a rate or a schedule; the paper starts at 1e-3 with batches of 32.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> raw heads, {"boxes": (B, anchors, 4), "classes": (B, anchors, 1 +
        num_classes)}, float32; of 300 pixels 8,732 anchors; the first class is the background. `kerazoo.decoding.
        with_boxes` makes boxes of them. Targets {"boxes": (B, M, 4), [left, top, right, bottom] in pixels of the
        image, padded with zeros, "classes": (B, M), padded with -1}; any M.

    Raises:
        ValueError: an image too small for `extras`, or `scales` and `ratios` that do not fit them.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("ssd300_vgg16", num_classes=3)
    >>> {name: tensor.shape for name, tensor in model.output.items()}
    {'boxes': (None, 8732, 4), 'classes': (None, 8732, 4)}
    """
    if not len(scales) - 1 == len(ratios) == len(extras) + 2:
        raise ValueError(
            "`ratios` must have an entry for each size of maps, two more than `extras`, and `scales` one more still. "
            f"Received: {len(ratios)} ratios, {len(scales)} scales, {len(extras)} extras."
        )
    image = keras.Input(input_shape, name="image")
    x = layers.Rescaling(1.0, offset=[-255 * mean for mean in MEAN], dtype="float32", name="normalize")(image)
    maps = [*_vgg(x, widths, fully)]
    for index, row in enumerate(extras, start=1):
        maps.append(_smaller(maps[-1], *row, name=f"extra{index}"))
    raw, sizes = {"boxes": [], "classes": []}, []
    for level, (x, shapes) in enumerate(zip(maps, map(_shapes, scales, scales[1:], ratios)), start=1):
        sizes.append([(width * input_shape[1], height * input_shape[0]) for width, height in shapes])
        for kind, outputs in (("boxes", 4), ("classes", 1 + num_classes)):
            head = layers.Conv2D(outputs * len(shapes), 3, padding="same", dtype="float32", name=f"{kind}{level}")
            raw[kind].append(head(x))
    grids = [x.shape[1:3] for x in maps]
    steps = [_steps(side, extras, cells) for side, cells in zip(input_shape, zip(*grids))]
    heads = AnchorHeads(
        input_shape[:2],
        grids,
        list(zip(*steps)),
        sizes,
        offset=0.5,
        weights=(10.0, 10.0, 5.0, 5.0),
        background=True,
        dtype="float32",
        name="heads",
    )
    model = ObjectDetector(image, heads(raw), name=name)
    model.compile(optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, weight_decay=5e-4), loss=MultiBox())
    return model
