"""A classifier's weights for a model that stands on its features."""

import numpy as np

from kerazoo.registry import unknown_choice


def start_from(model, classifier):
    """Gives every layer of `model` the weights of the layer that `classifier` has under its name and shapes.

    Args:
        model: a built `keras.Model`, whose encoder's layers are called as the classifier's.
        classifier: another.

    Returns:
        The names of the layers that were given weights.

    Raises:
        ValueError: no layer fits.

    Example:

    >>> import kerazoo
    >>> from kerazoo.weights.backbones import start_from
    >>> segmenter = kerazoo.build("unet_resnet18", input_shape=(64, 64, 3))
    >>> len(start_from(segmenter, kerazoo.build("resnet18")))  # 20 convolutions and their norms.
    40
    """
    known = {layer.name: layer for layer in classifier.layers if layer.weights}
    given = []
    for layer in model.layers:
        source = known.get(layer.name)
        if source is None or not layer.weights or _shapes(source) != _shapes(layer):
            continue
        layer.set_weights([np.asarray(weight) for weight in source.get_weights()])
        given.append(layer.name)
    if not given:
        raise ValueError(f"{classifier.name!r} must share layers with {model.name!r}. Received: none in common.")
    return given


def backbone_name(name, classifiers):
    """The classifier that a model is called after: what follows the first underscore of its name.

    Args:
        name: of a model.
        classifiers: names of classifiers.

    Raises:
        ValueError: no such classifier.

    Example:

    >>> backbone_name("deeplabv3plus_mobilenet_v2", ["mobilenet_v2", "resnet18"])
    'mobilenet_v2'
    """
    backbone = name.partition("_")[2]
    if backbone not in classifiers:
        raise ValueError(unknown_choice(f"backbone, that {name!r} is called after", backbone, classifiers))
    return backbone


def _shapes(layer):
    return [tuple(weight.shape) for weight in layer.weights]
