"""Presets of keras-hub, fetched by keras-hub, into kerazoo's graphs."""

import warnings

import keras
import numpy as np

from kerazoo.errors import KerazooWarning
from kerazoo.extras import need
from kerazoo.weights import licenses

CLASSES = 1000  # of the ImageNet presets


def load_preset(model, preset):
    """Puts a keras-hub preset into `model`: with its head where the classes are as many, else the body alone.

    Args:
        model: the layers of a keras-hub backbone by their names, after a layer "normalize" and before a
            dense layer "logits".
        preset: a name that keras-hub knows, or a folder that `save_to_preset` wrote.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of other layers or shapes, or one that wants another preprocessing; the model
            is left as it was.
    """
    need("keras_hub")
    import keras_hub

    classifier = fetched(keras_hub.models.ImageClassifier, preset)
    _check_preprocessing(classifier, model, preset)
    bodies = {layer.name: layer for layer in classifier.backbone.layers if layer.weights}
    targets = [layer for layer in model.layers if layer.weights]
    *body, head = targets
    given = [bodies.pop(layer.name, None) for layer in body]
    if model.output_shape[-1] == classifier.num_classes:
        body, given = [*body, head], [*given, classifier.output_dense]
    fits = [source is not None and shapes(source) == shapes(layer) for layer, source in zip(body, given)]
    if bodies or not all(fits):
        wrong = [layer.name for layer, fit in zip(body, fits) if not fit] + list(bodies)
        raise ValueError(f"The preset {preset!r} does not fit {model.name!r}. Received other layers: {wrong[:3]}.")
    for layer, source in zip(body, given):
        layer.set_weights(source.get_weights())
    if head not in body:
        warnings.warn(
            f"{classifier.num_classes} classes are in the preset {preset!r}; this layer starts fresh: {head.name}.",
            category=KerazooWarning,
            stacklevel=3,
        )


def fetched(kind, preset):
    """A preset as a model of keras-hub: `kind.from_preset(preset)`, with an error that helps without a network.

    The preset's licence is printed before.

    Raises:
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a folder of transformers that lacks something keras-hub reads.
    """
    offline = (
        f"The keras-hub preset {preset!r} could not be downloaded ({{}}). Without a network, give the path of a folder "
        "that `save_to_preset` wrote."
    )
    licenses.announce_preset(preset)
    try:
        return kind.from_preset(preset)
    except (ConnectionError, OSError) as error:
        # kagglehub's and requests' errors for a missing network are operating-system errors.
        if isinstance(error, FileNotFoundError):
            raise
        raise ConnectionError(offline.format(error)) from error
    except ValueError as error:  # What keras-hub says of another host's files that it did not get.
        if "://" not in str(preset) or "has no config.json" not in str(error):
            raise
        raise ConnectionError(offline.format(error)) from error
    except Exception as error:  # safetensors' own, which no one but keras-hub needs to import here.
        if "does not contain tensor" not in str(error):
            raise
        raise ValueError(
            f"The folder {str(preset)!r} lacks what keras-hub reads; of transformers' BERT and ALBERT it takes those "
            f"with the encoder's pooling alone. Received: {error}."
        ) from error


def shapes(layer):
    """Of a layer's weights, in their order."""
    return [tuple(variable.shape) for variable in layer.weights]


def _check_preprocessing(classifier, model, preset):
    """Refuses a preset whose own preprocessing of pixels is another than the graph's."""
    converter = getattr(classifier.preprocessor, "image_converter", None)
    if converter is None:
        return
    pixels = np.linspace(0, 255, 12, dtype="float32").reshape(1, 2, 2, 3)
    scale = 1.0 if converter.scale is None else np.asarray(converter.scale)
    expected = pixels * scale + (0.0 if converter.offset is None else np.asarray(converter.offset))
    received = keras.ops.convert_to_numpy(model.get_layer("normalize")(pixels))
    if not np.allclose(expected, received, atol=1e-2):
        raise ValueError(
            f"The preset {preset!r} normalises pixels otherwise than {model.name!r}. "
            f"Received: {expected}, for {received}."
        )
