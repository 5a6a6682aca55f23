"""RetinaNet object detector (Lin et al., 2017, https://arxiv.org/abs/1708.02002) on a ResNet's feature pyramid (Lin et
al., 2016, https://arxiv.org/abs/1612.03144).

As torchvision has it: the maps at strides of 64 and 128 come from the pyramid's coarsest, not from the ResNet's;
anchors have their middles in the corners of cells, and whole numbers of pixels. Boxes learn by absolute error.
"""

import math

import keras
from keras import layers

from kerazoo.layers.anchor_heads import AnchorHeads
from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.losses.anchored_focal import AnchoredFocal
from kerazoo.models.vision.object_detector import ObjectDetector, sample_of
from kerazoo.models.vision.residual import features
from kerazoo.models.vision.segmenter import check_sides
from kerazoo.registry import register

# `params`: trainable parameters for 91 classes with the batch norms frozen, as torchvision publishes them.
VARIANTS = {"retinanet_resnet50_fpn": {"block": "bottleneck", "depths": (3, 4, 6, 3), "params": 34_014_999}}
SMOKE = {"depths": (1, 1, 1, 1), "width": 8, "filters": 32, "smallest": 8, "frozen_norms": False}
SMOKE |= {"input_shape": (64, 64, 3), "num_classes": 3}
RATIOS = (0.5, 1.0, 2.0)  # Height to width.
OCTAVE = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
PRIOR = 0.01  # The score of every class at the start.


def _pyramid(maps, filters):
    """The ResNet's maps, finest first -> as many with `filters` that have seen the coarser ones, and two more."""
    found = []
    for level in range(len(maps), 0, -1):
        x = layers.Conv2D(filters, 1, name=f"lateral{level}")(maps[level - 1])
        if found:
            larger = layers.UpSampling2D(name=f"enlarge{level}")(found[0])
            x = layers.Add(name=f"merge{level}")([x, larger])
        found.insert(0, x)
    found = [layers.Conv2D(filters, 3, padding="same", name=f"smooth{i}")(x) for i, x in enumerate(found, start=1)]
    for level in (len(maps) + 1, len(maps) + 2):
        x = found[-1] if level == len(maps) + 1 else layers.ReLU(name=f"coarse{level}_relu")(found[-1])
        x = layers.ZeroPadding2D(1, name=f"coarse{level}_pad")(x)  # Symmetric; "same" is lopsided under a stride.
        found.append(layers.Conv2D(filters, 3, strides=2, name=f"coarse{level}")(x))
    return found


def _head(maps, filters, outputs, *, bias=0.0, name):
    """Maps -> one (B, H, W, outputs) for each, float32, all through the same four convolutions."""
    options = {"padding": "same", "kernel_initializer": keras.initializers.RandomNormal(stddev=0.01)}
    tower = [layers.Conv2D(filters, 3, activation="relu", name=f"{name}_{index}", **options) for index in (1, 2, 3, 4)]
    bias = keras.initializers.Constant(bias)
    tower.append(layers.Conv2D(outputs, 3, bias_initializer=bias, dtype="float32", name=f"{name}_logits", **options))
    found = []
    for x in maps:
        for layer in tower:
            x = layer(x)
        found.append(x)
    return found


def _anchors(smallest, level):
    """[(width, height)] of a place's anchors in pixels: the ratios, each in three sizes of an octave."""
    sides = [int(smallest * 2**level * size) for size in OCTAVE]
    shapes = [(side / math.sqrt(ratio), side * math.sqrt(ratio)) for ratio in RATIOS for side in sides]
    return [(2.0 * round(width / 2), 2.0 * round(height / 2)) for width, height in shapes]


@register(
    domain="vision",
    task="object_detection",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(64, 64, 3), num_classes=3),
    preprocessing="imagenet",
)
def retinanet(
    *,
    block="bottleneck",
    depths=(3, 4, 6, 3),
    width=64,
    filters=256,
    smallest=32,
    frozen_norms=True,
    norm_epsilon=1e-5,
    input_shape=(800, 800, 3),
    num_classes=91,
    learning_rate=0.01,
    name="retinanet",
):
    """RetinaNet detector, compiled with momentum SGD, the focal loss of classes and the absolute error of boxes.

    Frozen batch norms are for weights that are loaded (`kerazoo.weights.from_torch`); to train from nothing, set
    `frozen_norms=False`.

    Args:
        block: "basic" or "bottleneck", of the ResNet.
        depths: blocks in each of the ResNet's four stages.
        width: filters of its first stage.
        filters: of the pyramid and of the heads.
        smallest: side of the smallest square anchor in pixels; each coarser size of maps doubles it.
        frozen_norms: batch norms keep their statistics and weights.
        norm_epsilon: of the batch norms; torchvision's published weights want 0.
        input_shape: (H, W, 3) in pixels, multiples of 32.
        num_classes: kinds of objects, 0 and up; torchvision's 91 have an unused one at 0.
        learning_rate: a rate or a schedule; the paper starts at 0.01 with batches of 16.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> raw heads, {"boxes": (B, anchors, 4), "classes": (B, anchors,
        num_classes)}, float32; nine anchors for each cell of maps at strides of 8 to 128. `kerazoo.decoding.
        with_boxes` makes boxes of them. Targets {"boxes": (B, M, 4), [left, top, right, bottom] in pixels of the
        image, padded with zeros, "classes": (B, M), padded with -1}; any M.

    Raises:
        ValueError: sides that are no multiples of 32.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("retinanet_resnet50_fpn", num_classes=3, input_shape=(128, 128, 3))
    >>> {name: tensor.shape for name, tensor in model.output.items()}
    {'boxes': (None, 3069, 4), 'classes': (None, 3069, 3)}
    """
    check_sides(input_shape, 32)
    image = keras.Input(input_shape, name="image")
    maps = features(normalize(image, "imagenet"), block=block, depths=depths, width=width)[2:]
    maps = _pyramid(maps, filters)
    sizes = [_anchors(smallest, level) for level in range(len(maps))]
    places = len(sizes[0])
    raw = {
        "boxes": _head(maps, filters, 4 * places, name="box"),
        "classes": _head(maps, filters, num_classes * places, bias=-math.log((1 - PRIOR) / PRIOR), name="class"),
    }
    grids = [x.shape[1:3] for x in maps]
    steps = [[side // cells for side, cells in zip(input_shape, grid)] for grid in grids]
    heads = AnchorHeads(input_shape[:2], grids, steps, sizes, dtype="float32", name="heads")(raw)
    model = ObjectDetector(image, heads, name=name)
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            layer.trainable, layer.epsilon = not frozen_norms, norm_epsilon
    model.compile(optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, weight_decay=1e-4), loss=AnchoredFocal())
    return model
