"""ConvNeXt image classifiers (Liu et al., 2022, https://arxiv.org/abs/2201.03545).

Differs from the paper: none in the graph; training is compiled without its exponential moving average,
label smoothing and MixUp, which belong to a recipe.
"""

import keras
from keras import layers

from kerazoo.layers.gelu import Gelu
from kerazoo.layers.layer_scale import LayerScale
from kerazoo.layers.pixels import normalize
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

# `params` at the defaults below: trainable parameters, as torchvision publishes them. Rates of
# stochastic depth are the paper's for ImageNet-1k.
VARIANTS = {
    "convnext_tiny": {
        "depths": (3, 3, 9, 3),
        "widths": (96, 192, 384, 768),
        "stochastic_depth": 0.1,
        "params": 28_589_128,
    },
    "convnext_small": {
        "depths": (3, 3, 27, 3),
        "widths": (96, 192, 384, 768),
        "stochastic_depth": 0.4,
        "params": 50_223_688,
    },
    "convnext_base": {
        "depths": (3, 3, 27, 3),
        "widths": (128, 256, 512, 1024),
        "stochastic_depth": 0.5,
        "params": 88_591_464,
    },
}
SMOKE = {"depths": (1, 1), "widths": (8, 16), "input_shape": (16, 16, 3), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


def _features(model):
    """The output of each stage's last block, before the norm that follows: (B, H / stride, W / stride, width)."""
    height = model.input_shape[1]
    blocks = [layer.output for layer in model.layers if layer.name.endswith("_add")]
    return {height // block.shape[1]: block for block in blocks}


def _initializer():
    return keras.initializers.TruncatedNormal(stddev=0.02)


def _norm(x, *, name):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _residual(x, *, layer_scale, stochastic_depth, name):
    """(B, H, W, C) -> (B, H, W, C)."""
    width = x.shape[-1]
    branch = layers.DepthwiseConv2D(7, padding="same", depthwise_initializer=_initializer(), name=f"{name}_conv")(x)
    branch = _norm(branch, name=f"{name}_norm")
    branch = layers.Dense(4 * width, kernel_initializer=_initializer(), name=f"{name}_1")(branch)
    branch = Gelu(name=f"{name}_gelu")(branch)
    branch = layers.Dense(width, kernel_initializer=_initializer(), name=f"{name}_2")(branch)
    branch = LayerScale(layer_scale, name=f"{name}_scale")(branch)
    if stochastic_depth:  # One draw for an image: its whole branch stays or goes.
        drop = layers.Dropout(stochastic_depth, noise_shape=(None, 1, 1, 1), name=f"{name}_stochastic_depth")
        branch = drop(branch)
    return layers.Add(name=f"{name}_add")([x, branch])


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="imagenet",
    features=_features,
)
def convnext(
    *,
    depths,
    widths,
    stochastic_depth=0.0,
    layer_scale=1e-6,
    input_shape=(224, 224, 3),
    num_classes=1000,
    learning_rate=4e-3,
    name="convnext",
):
    """ConvNeXt classifier, compiled with AdamW and cross-entropy on integer labels.

    Args:
        depths: blocks in each stage; the stem divides H and W by 4, every stage after the first by 2.
        widths: channels of each stage.
        stochastic_depth: rate at which the last block's branch is left out; it grows linearly from zero.
        layer_scale: first value of the factors on each branch's channels.
        input_shape: (H, W, 3) in pixels.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper warms up to 4e-3 with batches of 4096.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: not as many widths as depths, or an image too small for the stages.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("convnext_tiny", depths=(1, 1, 1, 1), input_shape=(64, 64, 3)).output_shape
    (None, 1000)
    """
    if len(depths) != len(widths):
        raise ValueError(f"`widths` must be one for each of the {len(depths)} stages. Received: {widths!r}.")
    smallest = 4 * 2 ** (len(depths) - 1)
    if min(input_shape[:2]) < smallest:
        raise ValueError(f"`input_shape` must be at least {smallest} by {smallest} pixels. Received: {input_shape!r}.")
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "imagenet")
    x = layers.Conv2D(widths[0], 4, strides=4, kernel_initializer=_initializer(), name="stem_conv")(x)
    x = _norm(x, name="stem_norm")
    blocks_before = 0
    for stage, (depth, width) in enumerate(zip(depths, widths), start=1):
        if stage > 1:
            x = _norm(x, name=f"stage{stage}_norm")
            x = layers.Conv2D(width, 2, strides=2, kernel_initializer=_initializer(), name=f"stage{stage}_conv")(x)
        for index in range(1, depth + 1):
            rate = stochastic_depth * blocks_before / max(1, sum(depths) - 1)
            x = _residual(x, layer_scale=layer_scale, stochastic_depth=rate, name=f"stage{stage}_block{index}")
            blocks_before += 1
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = _norm(x, name="norm")
    logits = layers.Dense(num_classes, kernel_initializer=_initializer(), dtype="float32", name="logits")(x)
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=SelectiveAdamW(learning_rate, weight_decay=0.05),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
