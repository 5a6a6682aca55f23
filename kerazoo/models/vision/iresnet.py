"""Improved ResNet for faces, trained with ArcFace (Deng et al., 2018, https://arxiv.org/abs/1801.07698).

As insightface's arcface_torch has it: blocks that begin with a batch norm, a leaky slope of each channel's own, no
pooling. Differs from it: the last batch norm's scale is learnt too, where theirs stays at one, and the embedding has
length one.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.face_embedder import check, compile_embedder, embed, prelu, sample_of
from kerazoo.registry import register

# `params` at the defaults below: what arcface_torch's backbones have, the last batch norm's scale included.
VARIANTS = {
    "arcface_iresnet18": {"depths": (2, 2, 2, 2), "params": 24_025_600},
    "arcface_iresnet34": {"depths": (3, 4, 6, 3), "params": 34_139_328},
    "arcface_iresnet50": {"depths": (3, 4, 14, 3), "params": 43_590_848},
    "arcface_iresnet100": {"depths": (3, 13, 30, 3), "params": 65_156_160},
}
SMOKE = {"depths": (1, 1, 1, 1), "width": 8, "dimension": 16, "input_shape": (32, 32, 3), "num_classes": 4}


def _bn(x, name):
    return BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _conv(x, filters, kernel, *, stride=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    if kernel > 1:  # Symmetric, as the weights were trained; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    initializer = keras.initializers.RandomNormal(stddev=0.1)
    return layers.Conv2D(
        filters, kernel, strides=stride, use_bias=False, kernel_initializer=initializer, name=f"{name}_conv"
    )(x)


def _block(x, filters, *, stride, name):
    """(B, H, W, C) -> (B, H / stride, W / stride, filters)."""
    shortcut = x
    if stride > 1:
        shortcut = _bn(_conv(x, filters, 1, stride=stride, name=f"{name}_shortcut"), f"{name}_shortcut_bn")
    x = _conv(_bn(x, f"{name}_1_bn"), filters, 3, name=f"{name}_1")
    x = prelu(_bn(x, f"{name}_2_bn"), f"{name}_prelu")
    x = _bn(_conv(x, filters, 3, stride=stride, name=f"{name}_2"), f"{name}_3_bn")
    return layers.Add(name=f"{name}_add")([x, shortcut])


@register(
    domain="vision",
    task="face_recognition",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=sample_of(input_shape=(32, 32, 3), num_classes=4),
    preprocessing="inception",
)
def iresnet(
    *,
    depths,
    width=64,
    dimension=512,
    dropout=0.0,
    input_shape=(112, 112, 3),
    num_classes=0,
    head="arcface",
    margin=None,
    scale=64.0,
    learning_rate=0.02,
    name="iresnet",
):
    """Improved ResNet of faces, compiled with momentum SGD and a margin loss on integer identities.

    Args:
        depths: blocks of the four stages; each stage halves H and W.
        width: filters of the first stage; each later stage doubles them.
        dimension: of the embedding.
        dropout: share of the last features dropped while training.
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
    >>> kerazoo.build("arcface_iresnet18", width=8, num_classes=30).output_shape
    (None, 512)
    """
    check(input_shape, num_classes=num_classes, head=head)
    if len(depths) != 4:
        raise ValueError(f"`depths` must be of four stages. Received: {depths!r}.")
    image = keras.Input(input_shape, name="image")
    x = _conv(normalize(image, "inception"), width, 3, name="stem")
    x = prelu(_bn(x, "stem_bn"), "stem_prelu")
    for stage, depth in enumerate(depths, start=1):
        for index in range(1, depth + 1):
            filters, stride = width * 2 ** (stage - 1), 2 if index == 1 else 1
            x = _block(x, filters, stride=stride, name=f"stage{stage}_block{index}")
    x = layers.Dropout(dropout, name="dropout")(_bn(x, "last_bn"))
    embedding = embed(x, dimension, use_bias=True, name="embedding")
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
