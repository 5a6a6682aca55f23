"""MLP-Mixer image classifiers (Tolstikhin et al., 2021, https://arxiv.org/abs/2105.01601).

Differs from the paper: the classifier starts from small random weights instead of zeros, so that the
first step already reaches the body, and weight decay is on kernels only. Pixels are scaled to [-1, 1],
as the paper's published weights want them (timm's `goog_in21k`).
"""

import keras
from keras import layers

from kerazoo.layers.gelu import Gelu
from kerazoo.layers.pixels import normalize
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

# `params` at the defaults below: trainable parameters of timm's mixer_*_224.
VARIANTS = {
    "mlp_mixer_s16": {"width": 512, "depth": 8, "params": 18_528_264},
    "mlp_mixer_b16": {"width": 768, "depth": 12, "params": 59_880_472},
}
SMOKE = {"width": 32, "depth": 2, "patch": 4, "input_shape": (16, 16, 3), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


def _features(model):
    """One map, the normalised patches in their grid: (B, H / patch, W / patch, width)."""
    _, rows, columns, width = model.get_layer("patch_embedding").output.shape
    patches = keras.ops.reshape(model.get_layer("norm").output, (-1, rows, columns, width))
    return {model.input_shape[1] // rows: patches}


def _norm(x, *, name):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _mlp(x, hidden, *, name):
    """(..., C) -> (..., C)."""
    width = x.shape[-1]
    x = layers.Dense(hidden, name=f"{name}_1")(x)
    x = Gelu(name=f"{name}_gelu")(x)
    return layers.Dense(width, name=f"{name}_2")(x)


def _residual(x, branch, *, stochastic_depth, name):
    """(B, N, D), (B, N, D) -> (B, N, D)."""
    if stochastic_depth:  # One draw for an image: its whole branch stays or goes.
        branch = layers.Dropout(stochastic_depth, noise_shape=(None, 1, 1), name=f"{name}_stochastic_depth")(branch)
    return layers.Add(name=f"{name}_add")([x, branch])


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="inception",
    features=_features,
)
def mlp_mixer(
    *,
    width,
    depth,
    patch=16,
    stochastic_depth=0.0,
    input_shape=(224, 224, 3),
    num_classes=1000,
    learning_rate=1e-3,
    name="mlp_mixer",
):
    """MLP-Mixer, compiled with AdamW and cross-entropy on integer labels.

    Args:
        width: channels of a patch; mixing over patches has a hidden layer half as wide, mixing over channels one
            four times as wide.
        depth: blocks, each one perceptron over the patches and one over the channels.
        patch: side of the square of pixels that makes a patch.
        stochastic_depth: rate at which the last block's branches are left out; it grows linearly from zero. The
            paper trains with 0.1.
        input_shape: (H, W, 3) in pixels, whole patches; the mixing over patches has the size of their grid.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; the paper warms up to 1e-3 with batches of 4096.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an image that is not made of whole patches.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("mlp_mixer_s16", depth=2, input_shape=(64, 64, 3), num_classes=10).output_shape
    (None, 10)
    """
    if input_shape[0] % patch or input_shape[1] % patch:
        raise ValueError(f"`input_shape` must be whole patches of {patch} pixels. Received: {input_shape!r}.")
    image = keras.Input(input_shape, name="image")
    x = normalize(image, "inception")
    x = layers.Conv2D(width, patch, strides=patch, name="patch_embedding")(x)
    x = layers.Reshape((-1, width), name="patches")(x)
    for index in range(depth):
        block = f"block{index + 1}"
        rate = stochastic_depth * index / max(1, depth - 1)
        branch = layers.Permute((2, 1), name=f"{block}_to_patches")(_norm(x, name=f"{block}_norm1"))
        branch = _mlp(branch, width // 2, name=f"{block}_patches")
        branch = layers.Permute((2, 1), name=f"{block}_to_channels")(branch)
        x = _residual(x, branch, stochastic_depth=rate, name=f"{block}_patches")
        branch = _mlp(_norm(x, name=f"{block}_norm2"), 4 * width, name=f"{block}_channels")
        x = _residual(x, branch, stochastic_depth=rate, name=f"{block}_channels")
    x = _norm(x, name="norm")
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    logits = layers.Dense(
        num_classes, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), dtype="float32", name="logits"
    )(x)  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=SelectiveAdamW(learning_rate, weight_decay=0.1, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
