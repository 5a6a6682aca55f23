"""EfficientNetV2 image classifiers (Tan and Le, 2021, https://arxiv.org/abs/2104.00298).

As torchvision has them: convolutions pad both sides alike, batch norms take 1e-3, a squeeze-and-excitation
is sized from the channels that enter its block, and stochastic depth drops whole residual branches of
single images, more often the deeper they are.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.models.features import last_match_of_each_stride
from kerazoo.registry import register

# Block, expansion, filters, blocks and stride of the first block of each stage; the paper's table 4.
# `params`: trainable parameters, as torchvision publishes them.
VARIANTS = {
    "efficientnet_v2_s": {
        "stages": (
            ("fused", 1, 24, 2, 1),
            ("fused", 4, 48, 4, 2),
            ("fused", 4, 64, 4, 2),
            ("depthwise", 4, 128, 6, 2),
            ("depthwise", 6, 160, 9, 1),
            ("depthwise", 6, 256, 15, 2),
        ),
        "params": 21_458_488,
    },
    "efficientnet_v2_m": {
        "stages": (
            ("fused", 1, 24, 3, 1),
            ("fused", 4, 48, 5, 2),
            ("fused", 4, 80, 5, 2),
            ("depthwise", 4, 160, 7, 2),
            ("depthwise", 6, 176, 14, 1),
            ("depthwise", 6, 304, 18, 2),
            ("depthwise", 6, 512, 5, 1),
        ),
        "dropout": 0.3,
        "input_shape": (480, 480, 3),
        "params": 54_139_356,
    },
}
SMOKE = {
    "stages": (("fused", 1, 8, 1, 1), ("fused", 4, 16, 1, 2), ("depthwise", 4, 16, 2, 2)),
    "last_filters": 64,
    "input_shape": (32, 32, 3),
    "num_classes": 4,
}
BLOCKS = ("fused", "depthwise")


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 32, 32, 3)).astype("float32"), rng.integers(0, 4, batch)


def _conv_bn(x, filters, kernel, *, stride=1, depthwise=False, activation=True, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters), or C where depthwise."""
    if stride > 1:  # Symmetric, as the weights were trained; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    settings = {
        "strides": stride,
        "padding": "valid" if stride > 1 else "same",
        "use_bias": False,
        "name": f"{name}_conv",
    }
    initializer = keras.initializers.VarianceScaling(2.0, mode="fan_out")
    if depthwise:
        x = layers.DepthwiseConv2D(kernel, depthwise_initializer=initializer, **settings)(x)
    else:
        x = layers.Conv2D(filters, kernel, kernel_initializer=initializer, **settings)(x)
    x = BatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.Activation("silu", name=f"{name}_silu")(x) if activation else x


def _squeeze_excite(x, units, *, name):
    """(B, H, W, C) -> the same shape: channels weighted between 0 and 1 by what the whole image shows."""
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    weights = layers.Conv2D(units, 1, activation="silu", name=f"{name}_reduce")(weights)
    weights = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_expand")(weights)
    return layers.Multiply(name=f"{name}_scale")([x, weights])


def _block(x, filters, *, kind, expansion, stride, drop, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    shortcut, channels = x, x.shape[-1]
    if kind == "depthwise":
        x = _conv_bn(x, expansion * channels, 1, name=f"{name}_expand")
        x = _conv_bn(x, None, 3, stride=stride, depthwise=True, name=f"{name}_depthwise")
        x = _squeeze_excite(x, max(1, channels // 4), name=f"{name}_excite")
        x = _conv_bn(x, filters, 1, activation=False, name=f"{name}_project")
    elif expansion > 1:
        x = _conv_bn(x, expansion * channels, 3, stride=stride, name=f"{name}_expand")
        x = _conv_bn(x, filters, 1, activation=False, name=f"{name}_project")
    else:
        x = _conv_bn(x, filters, 3, stride=stride, name=f"{name}_project")
    if stride == 1 and channels == filters:
        if drop:
            x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="imagenet",
    features=last_match_of_each_stride(r"stage\d+_block\d+_(project_bn|project_silu|add)"),
)
def efficientnet_v2(
    *,
    stages,
    last_filters=1280,
    dropout=0.2,
    stochastic_depth=0.2,
    input_shape=(384, 384, 3),
    num_classes=1000,
    learning_rate=0.1,
    name="efficientnet_v2",
):
    """EfficientNetV2 classifier, compiled with Nesterov SGD and cross-entropy on integer labels.

    Its features (`kerazoo.backbone`) are the outputs of the last block of each size; the last 1x1
    convolution belongs to the head.

    Args:
        stages: (block, expansion, filters, blocks, stride of the first block) of each stage; a block is
            "fused" (3x3, 1x1) or "depthwise" (1x1, depthwise 3x3, squeeze-and-excitation, 1x1).
        last_filters: filters of the 1x1 convolution before pooling.
        dropout: share of the pooled features dropped while training.
        stochastic_depth: a residual branch is dropped while training at this rate times its block's place
            among all blocks, from 0 at the first towards 1 at the last.
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; torchvision's recipe starts at 0.5 with batches of 1024.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an unknown block.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("efficientnet_v2_s", input_shape=(64, 64, 3), num_classes=10).output_shape
    (None, 10)
    """
    unknown = {stage[0] for stage in stages} - set(BLOCKS)
    if unknown:
        raise ValueError(f"A stage's block must be one of {BLOCKS}. Received: {sorted(unknown)}.")
    image = keras.Input(input_shape, name="image")
    x = _conv_bn(normalize(image, "imagenet"), stages[0][2], 3, stride=2, name="stem")
    total, done = sum(blocks for *_, blocks, _ in stages), 0
    for stage, (kind, expansion, filters, blocks, first_stride) in enumerate(stages, start=1):
        for index in range(1, blocks + 1):
            x = _block(
                x,
                filters,
                kind=kind,
                expansion=expansion,
                stride=first_stride if index == 1 else 1,
                drop=stochastic_depth * done / total,
                name=f"stage{stage}_block{index}",
            )
            done += 1
    x = _conv_bn(x, last_filters, 1, name="last")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
