"""Fast style network (Johnson et al., 2016, https://arxiv.org/abs/1603.08155).

One pass through the network gives the image the style that it was trained for. As PyTorch's example
fast_neural_style (`TransformerNet`) has it: instance in place of batch normalisation (Ulyanov et al., 2016), mirrored
borders, nearest upsampling with a convolution in place of a transposed one, pixels in [0, 255] in and out as they are.
"""

import keras
from keras import layers

from kerazoo.layers.instance_normalization import InstanceNormalization
from kerazoo.layers.reflection_padding import ReflectionPadding2D
from kerazoo.models.vision.segmenter import check_sides
from kerazoo.registry import register

# `params`: trainable parameters of PyTorch's example.
VARIANTS = {"johnson": {"params": 1_679_235}}
SMOKE = {"width": 8, "blocks": 1, "input_shape": (32, 32, 3)}


def _sample(rng, batch):
    """Random (images, the same images in other colours) that fit SMOKE."""
    images = rng.uniform(0, 255, (batch, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2).astype("float32")
    return images, 255.0 - images[..., ::-1]


def _conv(x, filters, kernel, *, stride=1, name):
    """(B, H, W, C) -> (B, ceil(H / stride), ceil(W / stride), filters), the border mirrored."""
    x = ReflectionPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(filters, kernel, strides=stride, name=f"{name}_conv")(x)


def _conv_norm_relu(x, filters, kernel, *, stride=1, relu=True, name):
    x = InstanceNormalization(name=f"{name}_norm")(_conv(x, filters, kernel, stride=stride, name=name))
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


@register(domain="generative", task="style_transfer", variants=VARIANTS, smoke=SMOKE, sample=_sample)
def johnson(*, width=32, blocks=5, input_shape=(256, 256, 3), learning_rate=1e-3, name="johnson"):
    """Image-to-image network for one style, compiled with Adam and the mean squared error to a stylised image.

    To learn a style from its image, compile it with `kerazoo.losses.perceptual.Perceptual` and give the content images
    as inputs and targets, as `kerazoo run style_transfer --method johnson` does.

    Args:
        width: filters of the first convolution; the two that halve the image double them.
        blocks: residual blocks at a quarter of the size.
        input_shape: (H, W, 3) in pixels, multiples of 4.
        learning_rate: a rate or a schedule; the paper has 1e-3.
        name: the model's name.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 pixels, about in [0, 255], (B, H, W, 3).

    Raises:
        ValueError: sides that are no multiples of 4.

    Example:

    >>> import kerazoo
    >>> kerazoo.build("johnson", width=8, input_shape=(64, 96, 3)).output_shape
    (None, 64, 96, 3)
    """
    check_sides(input_shape, 4)
    image = keras.Input(input_shape, name="image")
    x = _conv_norm_relu(image, width, 9, name="down1")
    x = _conv_norm_relu(x, 2 * width, 3, stride=2, name="down2")
    x = _conv_norm_relu(x, 4 * width, 3, stride=2, name="down3")
    for block in range(1, blocks + 1):
        shortcut = x
        x = _conv_norm_relu(x, 4 * width, 3, name=f"block{block}_1")
        x = _conv_norm_relu(x, 4 * width, 3, relu=False, name=f"block{block}_2")
        x = layers.Add(name=f"block{block}_add")([x, shortcut])
    for index, filters in enumerate((2 * width, width), 1):
        x = layers.UpSampling2D(2, name=f"up{index}_enlarge")(x)
        x = _conv_norm_relu(x, filters, 3, name=f"up{index}")
    x = ReflectionPadding2D(4, name="pixels_pad")(x)
    pixels = layers.Conv2D(3, 9, dtype="float32", name="pixels")(x)  # float32 under any policy
    model = keras.Model(image, pixels, name=name)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=keras.losses.MeanSquaredError())
    return model
