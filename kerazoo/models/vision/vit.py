"""Vision transformers (Dosovitskiy et al., 2020, https://arxiv.org/abs/2010.11929).

Widths and depths of the Ti and S sizes as in AugReg (Steiner et al., 2021, https://arxiv.org/abs/2106.10270).
Differs from the paper: the classifier reads the normalised class token without a hidden layer, in
training too, and starts from small random weights instead of zeros, so that the first step already
reaches the body. Dropout is off unless asked for. Weight decay is on kernels only, as in AugReg.

Public weights differ in the pixels they want: `normalization="inception"` for those of AugReg and the
paper (timm's `augreg`, `orig_in21k`), "imagenet" for torchvision's.
"""

import keras
from keras import layers

from kerazoo.layers.class_token import ClassToken
from kerazoo.layers.gelu import Gelu
from kerazoo.layers.pixels import normalize
from kerazoo.layers.position_embedding import PositionEmbedding
from kerazoo.registry import register
from kerazoo.training.adamw import SelectiveAdamW

# `params` at the defaults below: trainable parameters of timm's vit_*_patch16_224.
VARIANTS = {
    "vit_ti16": {"width": 192, "depth": 12, "heads": 3, "params": 5_717_416},
    "vit_s16": {"width": 384, "depth": 12, "heads": 6, "params": 22_050_664},
    "vit_b16": {"width": 768, "depth": 12, "heads": 12, "params": 86_567_656},
    "vit_l16": {"width": 1024, "depth": 24, "heads": 16, "params": 304_326_632},
}
SMOKE = {"width": 32, "depth": 2, "heads": 2, "patch": 4, "input_shape": (16, 16, 3), "num_classes": 4}


def _sample(rng, batch):
    """Random (images, labels) that fit SMOKE."""
    return rng.uniform(0, 255, (batch, 16, 16, 3)).astype("float32"), rng.integers(0, 4, batch)


def _features(model):
    """One map, the normalised patch tokens in their grid: (B, H / patch, W / patch, width)."""
    _, rows, columns, width = model.get_layer("patch_embedding").output.shape
    tokens = model.get_layer("norm").output[:, 1:]
    return {model.input_shape[1] // rows: keras.ops.reshape(tokens, (-1, rows, columns, width))}


def _norm(x, *, name):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _residual(x, branch, *, dropout, stochastic_depth, name):
    """(B, N, D), (B, N, D) -> (B, N, D)."""
    if dropout:
        branch = layers.Dropout(dropout, name=f"{name}_dropout")(branch)
    if stochastic_depth:  # One draw for an image: its whole branch stays or goes.
        branch = layers.Dropout(stochastic_depth, noise_shape=(None, 1, 1), name=f"{name}_stochastic_depth")(branch)
    return layers.Add(name=f"{name}_add")([x, branch])


def _attention(x, heads, *, name):
    """(B, N, D) -> (B, N, D), every token attending to every token."""
    _, tokens, width = x.shape
    x = layers.Dense(3 * width, name=f"{name}_qkv")(x)
    query, key, value = (
        layers.Reshape((tokens, heads, width // heads), name=f"{name}_{part}")(third)
        for part, third in zip(("query", "key", "value"), keras.ops.split(x, 3, axis=-1))
    )
    x = keras.ops.dot_product_attention(query, key, value)
    x = layers.Reshape((tokens, width), name=f"{name}_heads")(x)
    return layers.Dense(width, name=f"{name}_projection")(x)


def _mlp(x, hidden, *, dropout, name):
    """(B, N, D) -> (B, N, D), each token alone."""
    width = x.shape[-1]
    x = layers.Dense(hidden, name=f"{name}_1")(x)
    x = Gelu(name=f"{name}_gelu")(x)
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_1_dropout")(x)
    return layers.Dense(width, name=f"{name}_2")(x)


@register(
    domain="vision",
    task="image_classification",
    variants=VARIANTS,
    smoke=SMOKE,
    sample=_sample,
    preprocessing="inception",
    features=_features,
)
def vit(
    *,
    width,
    depth,
    heads,
    patch=16,
    mlp_ratio=4,
    dropout=0.0,
    stochastic_depth=0.0,
    normalization="inception",
    input_shape=(224, 224, 3),
    num_classes=1000,
    learning_rate=1e-3,
    name="vit",
):
    """Vision transformer, compiled with AdamW and cross-entropy on integer labels.

    Args:
        width: channels of a token.
        depth: blocks, each attention and a two-layer perceptron.
        heads: attention heads; they share the width evenly.
        patch: side of the square of pixels that makes a token.
        mlp_ratio: width of the perceptron's hidden layer over `width`.
        dropout: rate after the position embedding, and after every dense layer but those of queries, keys
            and values; the paper trains ImageNet from scratch with 0.1.
        stochastic_depth: rate at which the last block's branches are left out; it grows linearly from zero.
        normalization: "inception" or "imagenet", after the weights to be loaded.
        input_shape: (H, W, 3) in pixels, whole patches; the position embedding has the size of their grid.
        num_classes: size of the output's last axis.
        learning_rate: a rate or a schedule; AugReg warms up to 1e-3 with batches of 4096.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 logits, (B, num_classes).

    Raises:
        ValueError: an image that is not made of whole patches, heads that do not divide the width, or an
            unknown `normalization`.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.build("vit_ti16", input_shape=(32, 48, 3), num_classes=10)
    >>> model.get_layer("position_embedding").output.shape
    (None, 7, 192)
    """
    if input_shape[0] % patch or input_shape[1] % patch:
        raise ValueError(f"`input_shape` must be whole patches of {patch} pixels. Received: {input_shape!r}.")
    if width % heads:
        raise ValueError(f"`heads` must divide `width`={width}. Received: {heads!r}.")
    image = keras.Input(input_shape, name="image")
    x = normalize(image, normalization)
    x = layers.Conv2D(width, patch, strides=patch, name="patch_embedding")(x)
    x = layers.Reshape((-1, width), name="tokens")(x)
    x = ClassToken(name="class_token")(x)
    x = PositionEmbedding(name="position_embedding")(x)
    if dropout:
        x = layers.Dropout(dropout, name="position_dropout")(x)
    for index in range(depth):
        block = f"block{index + 1}"
        rates = {"dropout": dropout, "stochastic_depth": stochastic_depth * index / max(1, depth - 1)}
        branch = _attention(_norm(x, name=f"{block}_norm1"), heads, name=block)
        x = _residual(x, branch, **rates, name=f"{block}_attention")
        branch = _mlp(_norm(x, name=f"{block}_norm2"), mlp_ratio * width, dropout=dropout, name=f"{block}_mlp")
        x = _residual(x, branch, **rates, name=f"{block}_mlp")
    x = _norm(x, name="norm")
    logits = layers.Dense(
        num_classes, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), dtype="float32", name="logits"
    )(x[:, 0])  # float32 under any policy
    model = keras.Model(image, logits, name=name)
    model.compile(
        optimizer=SelectiveAdamW(learning_rate, weight_decay=0.1, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model
