"""Any style in one pass: AdaIN (Huang and Belongie, 2017, https://arxiv.org/abs/1703.06868).

VGG sees content and style, the content's maps get the style's statistics, a mirrored VGG paints the image from them.
As naoto0804's pytorch-AdaIN has it: the encoder is VGG-19 up to relu4_1 with mirrored borders behind a 1x1 convolution
that centres the colours, and takes no part in the training. With `encoder="vgg16"` the third block has a convolution
less.
"""

import keras
from keras import layers, ops

from kerazoo.layers.adaptive_instance_normalization import AdaptiveInstanceNormalization, statistics
from kerazoo.layers.pixels import normalize
from kerazoo.layers.reflection_padding import ReflectionPadding2D
from kerazoo.losses.as_given import AsGiven
from kerazoo.models.vision.segmenter import check_sides
from kerazoo.registry import register, unknown_choice

# `params`: trainable parameters of the reference's decoder.
VARIANTS = {"adain": {"encoder": "vgg19", "params": 3_505_219}, "adain_vgg16": {"encoder": "vgg16"}}
SMOKE = {"width": 4, "input_shape": (32, 32, 3)}
ENCODERS = {"vgg19": (2, 2, 4, 1), "vgg16": (2, 2, 3, 1)}  # Convolutions of each block, the last one relu4_1.
CAFFE_MEANS = (123.68, 116.779, 103.939)


@keras.saving.register_keras_serializable(package="kerazoo")
class AdaIN(keras.Model):
    """The network with its own loss: what its encoder sees in the answer, beside content and style.

    Targets are not used. The terms are squared distances of the last maps from what was decoded, and of the mean and
    deviation of every block's first maps from the style's.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`.
        style_weight: of the style's term beside the content's.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, *, style_weight=10.0, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.style_weight = style_weight
        self._as_given = AsGiven(name="as_given")

    def encode(self, images):
        """Pixels in [0, 255] -> maps of each block's first convolution, the last ones those that are decoded."""
        x, found = ops.cast(images, "float32") / 255.0, []
        for layer in self.layers:
            if layer.name.startswith("encoder"):
                x = layer(x)
                if layer.name.endswith("conv1"):
                    found.append(ops.cast(x, "float32"))
        return found

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of a batch; each image weighs alike."""
        content, style = (self.encode(x[name]) for name in ("content", "style"))
        wanted = ops.stop_gradient(ops.cast(self.get_layer("adain")([content[-1], style[-1]]), "float32"))
        seen = self.encode(y_pred)
        losses = _distances(seen[-1], wanted)
        for received, given in zip(seen, style):
            for mine, theirs in zip(statistics(received, 1e-5), statistics(given, 1e-5)):
                losses = losses + self.style_weight * _distances(mine, theirs)
        return self._as_given(ops.zeros_like(losses), losses, sample_weight)

    def get_config(self):
        return super().get_config() | {"style_weight": self.style_weight}


def _distances(first, second):
    """Mean squared differences, (B,)."""
    return ops.mean(ops.square(first - second), axis=(1, 2, 3))


def _sample(rng, batch):
    """Random ({"content", "style"}, content) that fit SMOKE; the targets are not used."""
    coarse = rng.uniform(0, 255, (2, batch, 4, 4, 3)).repeat(8, axis=2).repeat(8, axis=3)
    content, style = (coarse + rng.uniform(-20, 20, coarse.shape)).astype("float32")
    return {"content": content, "style": style}, content


def _encoder(blocks, width):
    """The frozen layers in order."""
    colours = keras.initializers.Constant([[[[0.0, 0.0, 255.0], [0.0, 255.0, 0.0], [255.0, 0.0, 0.0]]]])
    means = keras.initializers.Constant([-mean for mean in CAFFE_MEANS[::-1]])
    options = {"kernel_initializer": colours, "bias_initializer": means, "trainable": False}
    found = [layers.Conv2D(3, 1, dtype="float32", name="encoder_colours", **options)]
    for block, count in enumerate(blocks, 1):
        if block > 1:
            found.append(layers.MaxPooling2D(2, name=f"encoder_block{block - 1}_pool"))
        for index in range(1, count + 1):
            name = f"encoder_block{block}_conv{index}"
            options = {"activation": "relu", "kernel_initializer": "he_normal", "trainable": False}
            found.append(ReflectionPadding2D(1, name=f"{name.replace('conv', 'pad')}"))
            found.append(layers.Conv2D(width * 2 ** (block - 1), 3, name=name, **options))
    return found


def _decoder(x, blocks, width):
    """(B, H / 8, W / 8, 8 * width) -> (B, H, W, 3), in [0, 1]: the encoder from behind.

    It starts with the reference's small weights: larger ones make colours that are no longer finite in float16.
    """
    start = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    for block in range(len(blocks), 0, -1):
        for index in range(blocks[block - 1], 0, -1):
            first = index == 1
            filters = width * 2 ** (block - 1) // (2 if first else 1)
            name = f"decoder_block{block}_conv{index}"
            x = ReflectionPadding2D(1, name=name.replace("conv", "pad"))(x)
            options = {"kernel_initializer": start.clone(), "name": name}
            if first and block == 1:
                return layers.Conv2D(3, 3, dtype="float32", **options)(x)  # float32 under any policy
            x = layers.Conv2D(filters, 3, activation="relu", **options)(x)
            if first:
                x = layers.UpSampling2D(2, name=f"decoder_block{block}_enlarge")(x)
    return x


@register(domain="generative", task="style_transfer", variants=VARIANTS, smoke=SMOKE, sample=_sample)
def adain(
    *,
    encoder="vgg19",
    width=64,
    style_weight=10.0,
    input_shape=(256, 256, 3),
    learning_rate=1e-4,
    name="adain",
):
    """Style network for any style, compiled with Adam and a loss of its own; its encoder is frozen.

    The encoder starts random: `kerazoo.models.generative.vgg_features.load_convolutions` gives it VGG's weights.

    Args:
        encoder: "vgg19" or "vgg16".
        width: filters of the first block; each further one doubles them.
        style_weight: of the style's term in the loss beside the content's.
        input_shape: (H, W, 3) in pixels of both images, multiples of 8.
        learning_rate: a rate or a schedule.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], {"content": (B, H, W, 3), "style": (B, H, W, 3)} -> float32 pixels, about in
        [0, 255], (B, H, W, 3).

    Raises:
        ValueError: an unknown `encoder`, or sides that are no multiples of 8, or below 16.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("adain", width=4, input_shape=(64, 96, 3)).output_shape
    (None, 64, 96, 3)
    """
    if encoder not in ENCODERS:
        raise ValueError(unknown_choice("encoder", encoder, ENCODERS))
    check_sides(input_shape, 8)
    if min(input_shape[:2]) < 16:
        raise ValueError(f"The sides of `input_shape` must be at least 16. Received: {tuple(input_shape)}.")
    blocks = ENCODERS[encoder]
    images = {key: keras.Input(input_shape, name=key) for key in ("content", "style")}
    stack = _encoder(blocks, width)
    maps = []
    for image in images.values():
        x = normalize(image, "unit", name=f"{image.name}_unit")
        for layer in stack:
            x = layer(x)
        maps.append(x)
    x = AdaptiveInstanceNormalization(name="adain")(maps)
    painted = _decoder(x, blocks, width)
    pixels = layers.Rescaling(255.0, dtype="float32", name="pixels")(painted)
    model = AdaIN(images, pixels, name=name, style_weight=style_weight)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate))
    return model
