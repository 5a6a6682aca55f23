"""MobileFaceNet (Chen et al., 2018, https://arxiv.org/abs/1804.07573).

As insightface's arcface_torch has it: twice the paper's channels outside the blocks, a second convolution in 64
groups, embeddings of 512. Differs from it: the embedding has length one.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.models.features import last_match_of_each_stride
from kerazoo.models.vision.face_embedder import check, compile_embedder, embed, prelu, sample_of
from kerazoo.registry import register

# `params` at the defaults below: what arcface_torch's `get_mbf` and `get_mbf_large` have.
VARIANTS = {
    "mobilefacenet": {"blocks": (1, 4, 6, 2), "scale_channels": 2, "params": 2_059_520},
    "mobilefacenet_large": {"blocks": (2, 8, 12, 4), "scale_channels": 4, "params": 6_314_880},
}
SMOKE = {
    "blocks": (1, 1, 1, 1),
    "width": 8,
    "scale_channels": 2,
    "dimension": 16,
    "input_shape": (32, 32, 3),
    "num_classes": 4,
}


def _conv_bn(x, filters, kernel, *, stride=1, groups=1, active=True, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters), or C where `filters` is None: depthwise."""
    if kernel > 1:  # Symmetric, as the weights were trained; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    settings = {"strides": stride, "use_bias": False, "name": f"{name}_conv"}
    initializer = keras.initializers.VarianceScaling(2.0, mode="fan_out")
    if filters is None:
        x = layers.DepthwiseConv2D(kernel, depthwise_initializer=initializer, **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, groups=groups, kernel_initializer=initializer, **settings)(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return prelu(x, f"{name}_prelu") if active else x


def _block(x, filters, expanded, *, stride=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters); with a shortcut where the stride is one."""
    shortcut = x
    x = _conv_bn(x, expanded, 1, name=f"{name}_expand")
    x = _conv_bn(x, None, 3, stride=stride, name=f"{name}_depthwise")
    x = _conv_bn(x, filters, 1, active=False, name=f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, shortcut]) if stride == 1 else x


@register(
    domain="vision",
    task="face_recognition",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(32, 32, 3), num_classes=4),
    preprocessing="inception",
    features=last_match_of_each_stride(r"stage\d_block\d+_add|second_prelu"),
)
def mobilefacenet(
    *,
    blocks,
    scale_channels,
    width=64,
    dimension=512,
    input_shape=(112, 112, 3),
    num_classes=0,
    head="arcface",
    margin=None,
    scale=64.0,
    learning_rate=0.02,
    name="mobilefacenet",
):
    """MobileFaceNet, compiled with momentum SGD and a margin loss on integer identities.

    Args:
        blocks: with a shortcut, of the four stages; one in the first stage is a convolution in groups instead.
        scale_channels: multiplies the channels between blocks.
        width: channels between the first blocks, before `scale_channels`; the groups of the second convolution.
        dimension: of the embedding.
        input_shape: (H, W, 3) in pixels, multiples of 16.
        num_classes: identities to train on; 0 is the network alone, without what only training needs.
        head: "arcface" or "cosface".
        margin: of the head; None is its paper's.
        scale: of the head's cosines; fewer identities than thousands want a smaller one.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: pixels of aligned faces in [0, 255], (B, H, W, 3) -> float32 embeddings of length one, (B, dimension).
        Identities (B,), integers.

    Raises:
        ValueError: other than four stages, or as `kerazoo.models.vision.face_embedder.check`.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("mobilefacenet", input_shape=(64, 64, 3), num_classes=30).output_shape
    (None, 512)
    """
    check(input_shape, num_classes=num_classes, head=head)
    if len(blocks) != 4 or blocks[0] < 1:
        raise ValueError(f"`blocks` must be of four stages, the first of one at least. Received: {blocks!r}.")
    narrow, wide = width * scale_channels, 2 * width * scale_channels
    image = keras.Input(input_shape, name="image")
    x = _conv_bn(normalize(image, "inception"), narrow, 3, stride=2, name="stem")
    if blocks[0] == 1:
        x = _conv_bn(x, narrow, 3, groups=width, name="second")
    # Channels, expanded channels of the block that halves, and of the others.
    stages = ((narrow, None, 2 * width), (narrow, 2 * width, 2 * width), (wide, 4 * width, 4 * width))
    stages += ((wide, 8 * width, 4 * width),)
    for stage, (count, (filters, halving, expanded)) in enumerate(zip(blocks, stages), start=1):
        if halving:
            x = _block(x, filters, halving, stride=2, name=f"stage{stage}_down")
        elif count == 1:
            continue
        for index in range(1, count + 1):
            x = _block(x, filters, expanded, name=f"stage{stage}_block{index}")
    x = _conv_bn(x, 8 * width, 1, name="separate")
    # One kernel as large as the map: a mean that knows where in a face it is.
    x = layers.DepthwiseConv2D(x.shape[1:3], use_bias=False, name="global_conv")(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name="global_bn")(x)
    embedding = embed(x, dimension, use_bias=False, name="embedding")
    return compile_embedder(
        image,
        embedding,
        num_classes=num_classes,
        head=head,
        margin=margin,
        scale=scale,
        learning_rate=learning_rate,
        name=name,
    )
