"""YOLOv8 object detectors: anchor-free, with one branch for classes and one for boxes (2023; no paper).

Written from public descriptions: the survey of Terven & Cordova-Esparza (2023, https://arxiv.org/abs/2304.00501) and
the papers its parts come from: the path aggregation network (Liu et al., 2018, https://arxiv.org/abs/1803.01534),
distances told as distributions (Li et al., 2020, https://arxiv.org/abs/2006.04388), points given to objects by how
classes and boxes agree (Feng et al., 2021, https://arxiv.org/abs/2108.07755), complete IoU (Zheng et al., 2019,
https://arxiv.org/abs/1911.08287).

Differs: AdamW instead of the descriptions' SGD; classes start at the score that would find five objects in an image
of the size at hand, not of 640 pixels.
"""

import math

import keras
from keras import layers, ops

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.grid_heads import GridHeads
from kerazoo.layers.pixels import normalize
from kerazoo.losses.task_aligned import TaskAligned
from kerazoo.models.vision.object_detector import ObjectDetector, sample_of
from kerazoo.models.vision.segmenter import check_sides
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

# `params`: trainable parameters for 80 classes. The published counts have 16 more: the fixed numbers 0 to 15, by which
# distributions become distances.
VARIANTS = {
    "yolov8_n": {"depth": 1 / 3, "width": 0.25, "widest": 1024, "params": 3_157_184},
    "yolov8_s": {"depth": 1 / 3, "width": 0.5, "widest": 1024, "params": 11_166_544},
    "yolov8_m": {"depth": 2 / 3, "width": 0.75, "widest": 768, "params": 25_902_624},
    "yolov8_l": {"depth": 1.0, "width": 1.0, "widest": 512, "params": 43_691_504},
    "yolov8_x": {"depth": 1.0, "width": 1.25, "widest": 512, "params": 68_229_632},
}
SMOKE = {"depth": 1 / 3, "width": 0.125, "widest": 256, "bins": 3, "input_shape": (64, 64, 3), "num_classes": 3}
STRIDES = (8, 16, 32)
STAGES = ((128, 3), (256, 6), (512, 6), (1024, 3))  # Filters and bottlenecks, before width and depth.
EXPECTED_OBJECTS = 5


def _conv_bn(x, filters, kernel, *, stride=1, name):
    """(B, H, W, C) -> (B, H / stride, W / stride, filters)."""
    if stride > 1:  # Symmetric; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="valid" if stride > 1 else "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = BatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.Activation("silu", name=f"{name}_silu")(x)


def _partial_stage(x, filters, depth, *, shortcut, name):
    """(B, H, W, C) -> (B, H, W, filters): half of the channels through bottlenecks, every one's output joined."""
    half = filters // 2
    x = _conv_bn(x, filters, 1, name=f"{name}_enter")
    found = ops.split(x, 2, axis=-1)
    for index in range(1, depth + 1):
        x = _conv_bn(found[-1], half, 3, name=f"{name}_block{index}_1")
        x = _conv_bn(x, half, 3, name=f"{name}_block{index}_2")
        found.append(layers.Add(name=f"{name}_block{index}_add")([found[-1], x]) if shortcut else x)
    return _conv_bn(layers.Concatenate(name=f"{name}_join")(found), filters, 1, name=f"{name}_leave")


def _pyramid_pool(x, filters, name):
    """(B, H, W, C) -> (B, H, W, filters), each place with the largest values within 2, 4 and 6 cells."""
    found = [_conv_bn(x, x.shape[-1] // 2, 1, name=f"{name}_enter")]
    for index in (1, 2, 3):
        found.append(layers.MaxPooling2D(5, strides=1, padding="same", name=f"{name}_{index}")(found[-1]))
    return _conv_bn(layers.Concatenate(name=f"{name}_join")(found), filters, 1, name=f"{name}_leave")


def _head(x, *, hidden, outputs, bias, name):
    """(B, H, W, C) -> logits, (B, H, W, outputs), that start at `bias`."""
    for index in (1, 2):
        x = _conv_bn(x, hidden, 3, name=f"{name}_{index}")
    return layers.Conv2D(
        outputs,
        1,
        kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
        bias_initializer=keras.initializers.Constant(bias),
        dtype="float32",
        name=f"{name}_logits",
    )(x)


def _pyramid(x, sizes, depths):
    """Normalised images -> maps at strides of 8, 16 and 32 that have seen each other."""
    x = _conv_bn(x, sizes[0] // 2, 3, stride=2, name="stem")
    found = []
    for stage, (filters, depth) in enumerate(zip(sizes, depths), start=1):
        x = _conv_bn(x, filters, 3, stride=2, name=f"stage{stage}_down")
        x = _partial_stage(x, filters, depth, shortcut=True, name=f"stage{stage}")
        found.append(x)
    _, fine, middle, _ = found
    coarse = _pyramid_pool(x, sizes[3], "pool")
    neck = depths[0]
    join = layers.Concatenate(name="up1_meet")([layers.UpSampling2D(name="up1_enlarge")(coarse), middle])
    middle = _partial_stage(join, sizes[2], neck, shortcut=False, name="up1")
    join = layers.Concatenate(name="up2_meet")([layers.UpSampling2D(name="up2_enlarge")(middle), fine])
    fine = _partial_stage(join, sizes[1], neck, shortcut=False, name="up2")
    smaller = _conv_bn(fine, sizes[1], 3, stride=2, name="down1_down")
    join = layers.Concatenate(name="down1_meet")([smaller, middle])
    middle = _partial_stage(join, sizes[2], neck, shortcut=False, name="down1")
    smaller = _conv_bn(middle, sizes[2], 3, stride=2, name="down2_down")
    join = layers.Concatenate(name="down2_meet")([smaller, coarse])
    return fine, middle, _partial_stage(join, sizes[3], neck, shortcut=False, name="down2")


@register(
    domain="vision",
    task="object_detection",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(64, 64, 3), num_classes=3),
    preprocessing="unit",
)
def yolov8(
    *,
    depth,
    width,
    widest,
    bins=16,
    class_filters=None,
    input_shape=(640, 640, 3),
    num_classes=80,
    learning_rate=1e-3,
    name="yolov8",
):
    """YOLOv8 detector, compiled with AdamW and its task-aligned loss; gradients are cut at a norm of 10.

    Args:
        depth: multiplies the bottlenecks of each stage.
        width: multiplies the filters.
        widest: filters of a stage, before `width`, are no more than these.
        bins: whole numbers of cells that a distance from a point to a box's side is told by.
        class_filters: of the branch of classes; None takes the filters of the finest maps, or as many as there are
            classes, up to 100, if that is more. Weights of a model of 80 classes want that model's.
        input_shape: (H, W, 3) in pixels, multiples of 32.
        num_classes: kinds of objects, 0 and up.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> raw heads, {"boxes": (B, points, 4 * bins), "classes":
        (B, points, num_classes)}, float32 logits; the points are the cells of 8, then of 16 and of 32 pixels.
        `kerazoo.decoding.with_boxes` makes boxes of them. Targets {"boxes": (B, M, 4), [left, top, right, bottom] in
        pixels of the image, padded with zeros, "classes": (B, M), padded with -1}; any M.

    Raises:
        ValueError: sides that are no multiples of 32.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("yolov8_n", num_classes=3, input_shape=(320, 320, 3))
    >>> {name: tensor.shape for name, tensor in model.output.items()}
    {'boxes': (None, 2100, 64), 'classes': (None, 2100, 3)}
    """
    check_sides(input_shape, STRIDES[-1])
    sizes = [math.ceil(min(filters, widest) * width / 8) * 8 for filters, _ in STAGES]
    depths = [max(1, round(count * depth)) for _, count in STAGES]
    image = keras.Input(input_shape, name="image")
    maps = _pyramid(normalize(image, "unit"), sizes, depths)
    box_filters = max(64, sizes[1] // 4)
    class_filters = class_filters or max(sizes[1], min(num_classes, 100))
    raw = {"boxes": [], "classes": []}
    for level, x in enumerate(maps, start=1):
        raw["boxes"].append(_head(x, hidden=box_filters, outputs=4 * bins, bias=1.0, name=f"box{level}"))
        cells = x.shape[1] * x.shape[2]
        bias = math.log(EXPECTED_OBJECTS / num_classes / cells)
        raw["classes"].append(_head(x, hidden=class_filters, outputs=num_classes, bias=bias, name=f"class{level}"))
    heads = GridHeads(input_shape[:2], STRIDES, dtype="float32", name="heads")(raw)
    model = ObjectDetector(image, heads, name=name)
    model.compile(optimizer=SelectiveAdamW(learning_rate, weight_decay=0.01, global_clipnorm=10.0), loss=TaskAligned())
    return model
