"""ResNet image classifiers (He et al., 2015, https://arxiv.org/abs/1512.03385).

As torchvision has them; residual.py says how that differs from the paper. Channels are normalised by ImageNet's mean
and deviation.
"""

import keras
from keras import layers

from kerazoo.layers.pixels import normalize
from kerazoo.models.vision.residual import BLOCKS, STEMS, features
from kerazoo.registry import register

# `params` at the defaults below: trainable parameters, as torchvision publishes them.
VARIANTS = {
    "resnet18": {"block": "basic", "depths": (2, 2, 2, 2), "params": 11_689_512},
    "resnet34": {"block": "basic", "depths": (3, 4, 6, 3), "params": 21_797_672},
    "resnet50": {"block": "bottleneck", "depths": (3, 4, 6, 3), "params": 25_557_032},
    "resnet101": {"block": "bottleneck", "depths": (3, 4, 23, 3), "params": 44_549_160},
    "resnet152": {"block": "bottleneck", "depths": (3, 8, 36, 3), "params": 60_192_808},
}
SMOKE = {"depths": (1, 1), "width": 8, "stem": "small", "input_shape": (16, 16, 3), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="imagenet",
)
def resnet(
    *,
    block,
    depths,
    width=64,
    stem="imagenet",
    input_shape=(224, 224, 3),
    num_classes=1000,
    learning_rate=0.1,
    name="resnet",
):
    """ResNet classifier, compiled with Nesterov SGD and cross-entropy on integer labels.

    Args:
        block: "basic" (3x3, 3x3) or "bottleneck" (1x1, 3x3, 1x1, four times wider).
        depths: blocks in each stage; every stage after the first halves H and W.
        width: filters of the first stage; each later stage doubles them.
        stem: "imagenet" (7x7 stride 2, max-pool) or "small" (3x3, for sides up to 64).
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper starts at 0.1 with batches of 256.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an unknown `block` or `stem`.

    Example:

    >>> from kerazoo.models.vision.resnet import resnet
    >>> model = resnet(block="basic", depths=(1, 1), stem="small", input_shape=(32, 32, 3), num_classes=10)
    >>> model.output_shape
    (None, 10)
    """
    if stem not in STEMS:
        raise ValueError(f"`stem` must be one of {sorted(STEMS)}. Received: {stem!r}.")
    if block not in BLOCKS:
        raise ValueError(f"`block` must be one of {sorted(BLOCKS)}. Received: {block!r}.")
    image = keras.Input(input_shape, name="image")
    options = {"block": block, "depths": depths, "width": width, "stem": stem}
    x = features(normalize(image, "imagenet"), **options)[-1]
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
