"""SegFormer (Xie et al., 2021, https://arxiv.org/abs/2105.15203): a transformer of four sizes and a light decoder.

Overlapping patches, attention to a shrunken map, a depthwise convolution in each block instead of position
embeddings. As in the authors' code, whose norms take 1e-6 in blocks and 1e-5 elsewhere; the answer, a quarter of the
image, is enlarged to the whole, as the authors do before they compare. Stochastic depth grows with the depth.
"""

import keras
from keras import layers, ops

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.segmenter import check_sides, compile_segmenter, sample_of
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

# `params`: trainable parameters with the authors' 150 classes of ADE20K.
VARIANTS = {
    "segformer_b0": {"widths": (32, 64, 160, 256), "depths": (2, 2, 2, 2), "decoder": 256, "params": 3_752_694},
    "segformer_b1": {"widths": (64, 128, 320, 512), "depths": (2, 2, 2, 2), "decoder": 256, "params": 13_715_798},
    "segformer_b2": {"widths": (64, 128, 320, 512), "depths": (3, 4, 6, 3), "decoder": 768, "params": 27_461_974},
}
SMOKE = {"widths": (8, 16, 24, 32), "depths": (1, 1, 1, 1), "heads": (1, 2, 3, 4), "decoder": 16}
SMOKE |= {"stochastic_depth": 0.0, "dropout": 0.0, "input_shape": (64, 64, 3), "num_classes": 3}
SHRINK = (8, 4, 2, 1)  # How much smaller than its queries each stage's keys and values are, each way.
PATCHES = ((7, 4), (3, 2), (3, 2), (3, 2))  # Kernel and stride of each stage's patches.


def _norm(x, name, epsilon=1e-6):
    return layers.LayerNormalization(epsilon=epsilon, name=name)(x)


def _attention(x, heads, shrink, name):
    """(B, H, W, C) -> (B, H, W, C), every place attending to the places of a shrunken map."""
    _, height, width, channels = x.shape
    size = channels // heads
    seen = x
    if shrink > 1:
        seen = layers.Conv2D(channels, shrink, strides=shrink, name=f"{name}_shrink")(x)
        seen = _norm(seen, f"{name}_shrink_norm", 1e-5)
    query = layers.Dense(channels, name=f"{name}_query")(x)
    both = layers.Dense(2 * channels, name=f"{name}_key_value")(seen)

    def by_head(tensor):
        return ops.transpose(ops.reshape(tensor, (-1, tensor.shape[1] * tensor.shape[2], heads, size)), (0, 2, 1, 3))

    query, key, value = by_head(query), by_head(both[..., :channels]), by_head(both[..., channels:])
    scores = ops.matmul(query * size**-0.5, ops.transpose(key, (0, 1, 3, 2)))
    scores = layers.Softmax(name=f"{name}_softmax")(scores)
    x = ops.reshape(ops.transpose(ops.matmul(scores, value), (0, 2, 1, 3)), (-1, height, width, channels))
    return layers.Dense(channels, name=f"{name}_out")(x)


def _mixing(x, name):
    """(B, H, W, C) -> (B, H, W, C): four times as wide inside, each channel mixed with its neighbours."""
    channels = x.shape[-1]
    x = layers.Dense(4 * channels, name=f"{name}_inner")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name=f"{name}_depthwise")(x)
    return layers.Dense(channels, name=f"{name}_outer")(Gelu(name=f"{name}_gelu")(x))


def _block(x, *, heads, shrink, stochastic_depth, name):
    """(B, H, W, C) -> (B, H, W, C)."""
    for part in ("attention", "mixing"):
        branch = _norm(x, f"{name}_{part}_norm")
        if part == "attention":
            branch = _attention(branch, heads, shrink, f"{name}_attention")
        else:
            branch = _mixing(branch, f"{name}_mixing")
        if stochastic_depth:  # One draw for an image: its whole branch stays or goes.
            drop = {"noise_shape": (None, 1, 1, 1), "name": f"{name}_{part}_stochastic_depth"}
            branch = layers.Dropout(stochastic_depth, **drop)(branch)
        x = layers.Add(name=f"{name}_{part}_add")([x, branch])
    return x


@register(
    domain="vision",
    task="semantic_segmentation",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(64, 64, 3), num_classes=3),
    preprocessing="imagenet",
)
def segformer(
    *,
    widths,
    depths,
    heads=(1, 2, 5, 8),
    decoder=256,
    stochastic_depth=0.1,
    dropout=0.1,
    input_shape=(512, 512, 3),
    num_classes=150,
    learning_rate=6e-5,
    name="segformer",
):
    """SegFormer segmenter, compiled with AdamW and the cross-entropy of every pixel; pixels labelled 255 do not count.

    Args:
        widths: channels of the four stages.
        depths: blocks in each stage.
        heads: of each stage's attention; they divide its width.
        decoder: channels that every stage's features are brought to.
        stochastic_depth: share of the last block's branches that are left out in training.
        dropout: before the classifier.
        input_shape: (H, W, 3) in pixels, multiples of 32.
        num_classes: size of the output's last axis; with 1 the labels are 0 and 1, (B, H, W, 1).
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, H, W, num_classes).

    Raises:
        ValueError: sides that are no multiples of 32, or heads that do not divide a width.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("segformer_b0", input_shape=(64, 96, 3), num_classes=11).output_shape
    (None, 64, 96, 11)
    """
    check_sides(input_shape, 32)
    if any(width % count for width, count in zip(widths, heads)):
        raise ValueError(f"`heads` must divide `widths`, one by one. Received: {heads!r} and {widths!r}.")
    image = keras.Input(input_shape, name="image")
    x, maps, before, last = normalize(image, "imagenet"), [], 0, max(sum(depths) - 1, 1)
    for stage, (width, depth, (kernel, stride)) in enumerate(zip(widths, depths, PATCHES), start=1):
        x = layers.ZeroPadding2D(kernel // 2, name=f"stage{stage}_pad")(x)
        x = layers.Conv2D(width, kernel, strides=stride, name=f"stage{stage}_patches")(x)
        x = _norm(x, f"stage{stage}_patches_norm", 1e-5)
        for index in range(1, depth + 1):
            rate = stochastic_depth * before / last
            options = {"heads": heads[stage - 1], "shrink": SHRINK[stage - 1], "stochastic_depth": rate}
            x = _block(x, name=f"stage{stage}_block{index}", **options)
            before += 1
        x = _norm(x, f"stage{stage}_norm")
        maps.append(x)
    parts = []
    for stage, part in reversed(list(enumerate(maps, start=1))):
        part = layers.Dense(decoder, name=f"decoder{stage}")(part)
        if stage > 1:
            part = layers.UpSampling2D(2 ** (stage - 1), interpolation="bilinear", name=f"decoder{stage}_enlarge")(part)
        parts.append(part)
    x = layers.Conv2D(decoder, 1, use_bias=False, name="fuse_conv")(layers.Concatenate(name="fuse_join")(parts))
    x = layers.ReLU(name="fuse_relu")(BatchNormalization(momentum=0.9, epsilon=1e-5, name="fuse_bn")(x))
    x = layers.Dropout(dropout, name="fuse_dropout")(x)
    x = layers.Conv2D(num_classes, 1, name="classes")(x)
    logits = layers.UpSampling2D(4, interpolation="bilinear", dtype="float32", name="logits")(x)
    return compile_segmenter(keras.Model(image, logits, name=name), SelectiveAdamW(learning_rate, weight_decay=0.01))
