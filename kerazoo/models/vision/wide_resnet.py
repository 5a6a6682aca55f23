"""Wide residual networks for small images (Zagoruyko and Komodakis, 2016, https://arxiv.org/abs/1605.07146).

The form of the authors' code: norm and activation stand before each convolution, and a block that
changes the width shares its first norm and activation with the 1x1 convolution on its shortcut. The
count of parameters is that of implementations without biases on convolutions, such as
github.com/xternalz/WideResNet-pytorch. Differs from the paper: weight decay acts beside the momentum
instead of through it, at the rate that in the long run takes as much away.
"""

import keras
from keras import layers

from kerazoo.layers.batch_normalization import BatchNormalization
from kerazoo.layers.pixels import normalize
from kerazoo.registry import register

# `params`: trainable parameters with 10 classes; the paper's table says 36.5M.
VARIANTS = {"wide_resnet28_10": {"depth": 28, "widen": 10, "params": 36_479_194}}
SMOKE = {"depth": 10, "widen": 1, "input_shape": (16, 16, 3), "num_classes": 4}
MOMENTUM = 0.9


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


def _bn_relu(x, *, name):
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _conv(x, filters, kernel, *, stride=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    if kernel > 1:  # Symmetric, as the authors' code pads; "same" is lopsided under a stride.
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(
        filters, kernel, strides=stride, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)


def _residual(x, filters, *, stride, dropout, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters)."""
    branch = _bn_relu(x, name=f"{name}_1")
    shortcut = x
    if stride > 1 or x.shape[-1] != filters:
        shortcut = _conv(branch, filters, 1, stride=stride, name=f"{name}_shortcut")
    branch = _conv(branch, filters, 3, stride=stride, name=f"{name}_1")
    branch = _bn_relu(branch, name=f"{name}_2")
    if dropout:
        branch = layers.Dropout(dropout, name=f"{name}_dropout")(branch)
    branch = _conv(branch, filters, 3, name=f"{name}_2")
    return layers.Add(name=f"{name}_add")([shortcut, branch])


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="cifar10",
)
def wide_resnet(
    *,
    depth,
    widen,
    dropout=0.0,
    input_shape=(32, 32, 3),
    num_classes=10,
    learning_rate=0.1,
    name="wide_resnet",
):
    """Wide ResNet, compiled with Nesterov SGD and cross-entropy on integer labels.

    Args:
        depth: convolutions, 6n + 4: three stages of n blocks of two, the stem and the three shortcuts.
        widen: filters of the stages over 16, 32 and 64.
        dropout: rate between a block's convolutions; the paper's second setting is 0.3.
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper starts at 0.1 with batches of 128.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: a depth that is not 6n + 4.

    Example:

    >>> from kerazoo.models.vision.wide_resnet import wide_resnet
    >>> wide_resnet(depth=16, widen=2, num_classes=100).output_shape
    (None, 100)
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"`depth` must be 6n + 4 with n at least 1 (10, 16, 22, ...). Received: {depth!r}.")
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "cifar10")
    x = _conv(x, 16, 3, name="stem")
    for stage in (1, 2, 3):
        for index in range(1, blocks + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            filters = 16 * widen * 2 ** (stage - 1)
            x = _residual(x, filters, stride=stride, dropout=dropout, name=f"stage{stage}_block{index}")
    x = _bn_relu(x, name="last")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    # The paper adds 5e-4 times the weights to the gradients, which momentum sums to 1 / (1 - 0.9) of it.
    decay = 5e-4 / (1 - MOMENTUM)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=MOMENTUM, nesterov=True, weight_decay=decay),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
