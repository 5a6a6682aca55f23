"""The ImageNet files of Keras Applications, fetched by Keras's own builders, into kerazoo's graphs."""

import os
import re
import warnings
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerazoo.errors import KerazooWarning
from kerazoo.weights import licenses

CLASSES = 1000  # of the files
PREPROCESSING_LAYERS = (layers.Rescaling, layers.Normalization)
# Where Keras keeps a file under another name than its address has.
CACHE_NAMES = {
    "NASNet-mobile.h5": "nasnet_mobile.h5",
    "NASNet-mobile-no-top.h5": "nasnet_mobile_no_top.h5",
    "NASNet-large.h5": "nasnet_large.h5",
    "NASNet-large-no-top.h5": "nasnet_large_no_top.h5",
}


def load_imagenet(model, application, *, input_shape):
    """Puts Keras's ImageNet file into `model`: the full one for 1000 classes, else the one without head.

    The file's licence is printed before.

    Args:
        model: the graph of a `keras.applications` builder, its layers with weights in the same order,
            and a layer "normalize" in place of the builder's own preprocessing.
        application: the builder's name, for instance "ResNet50".
        input_shape: (H, W, 3) that the file was trained at.

    Raises:
        ConnectionError: the file is neither in Keras's cache nor can it be downloaded.
        ValueError: a file of other layers, or one that wants another preprocessing.
    """
    full = model.output_shape[-1] == CLASSES
    build = getattr(keras.applications, application)
    licenses.announce(f"imagenet of {application}", licenses.of_application(application))
    try:
        source = build(weights="imagenet", include_top=full, input_shape=input_shape)
    except Exception as error:  # Keras raises a bare Exception here; only its text tells what it was.
        failed = re.match(r"URL fetch failure on (\S+): ", str(error))
        if not failed:
            raise
        address = failed.group(1)
        file = address.rsplit("/", 1)[-1]
        cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
        raise ConnectionError(
            f"The ImageNet weights of {application} could not be downloaded ({error}). Without a network, put the "
            f"file of {address} at {cache / CACHE_NAMES.get(file, file)}."
        ) from error
    _check_preprocessing(source, model)
    ours, theirs = _weighted_layers(model), _weighted_layers(source)
    shapes = [
        ([tuple(v.shape) for v in layer.weights], [tuple(v.shape) for v in given.weights])
        for layer, given in zip(ours, theirs)
    ]
    wrong = [layer.name for layer, (wanted, received) in zip(ours, shapes) if wanted != received]
    if wrong or len(theirs) > len(ours) or (full and len(theirs) != len(ours)):
        raise ValueError(
            f"Keras's ImageNet file of {application} does not fit: {len(theirs)} layers with weights for "
            f"{len(ours)}; of another shape: {wrong[:3]}. VGG takes its full file at "
            f"{input_shape} only. Received: input_shape={model.input_shape[1:]}."
        )
    for layer, given in zip(ours, theirs):
        layer.set_weights(given.get_weights())
    if not full:
        fresh = ", ".join(layer.name for layer in ours[len(theirs) :])
        warnings.warn(
            f"{CLASSES} classes are in the ImageNet file; these layers start fresh: {fresh}.",
            category=KerazooWarning,
            stacklevel=3,
        )


def _check_preprocessing(source, model):
    """Refuses a file that wants another preprocessing than the graph does, where the file says so."""
    pixels = expected = np.linspace(0, 255, 12, dtype="float32").reshape(1, 2, 2, 3)
    inside = [layer for layer in source.layers if isinstance(layer, PREPROCESSING_LAYERS)]
    for layer in inside:
        expected = layer(expected)
    received = keras.ops.convert_to_numpy(model.get_layer("normalize")(pixels))
    # Wide enough for bfloat16, in which the file's layers may compute; another mean or deviation is far off.
    if inside and not np.allclose(keras.ops.convert_to_numpy(expected), received, atol=0.1):
        raise ValueError(
            f"The ImageNet file normalises pixels otherwise than {model.name!r}. Received: {expected}, for {received}."
        )


def _weighted_layers(model):
    """Layers with weights in the order of the graph, those of nested models in their place."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Sequential):
            found += _weighted_layers(layer)
        elif layer.weights and not isinstance(layer, PREPROCESSING_LAYERS):
            found.append(layer)
    return found
