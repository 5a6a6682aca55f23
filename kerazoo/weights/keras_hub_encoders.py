"""Presets of keras-hub's encoders of texts into kerazoo's graphs."""

import tempfile
import warnings
from pathlib import Path

from kerazoo.data.archives import extract
from kerazoo.errors import KerazooWarning
from kerazoo.extras import need
from kerazoo.weights.keras_hub_presets import fetched, shapes

HEAD = ("pooled_dense", "logits")  # What a preset may lack.


UNPACKED = ("config.json", "model.safetensors")  # What keras-hub reads of transformers' folder.


def load_encoder(model, preset, *, backbone, pooling):
    """Puts a keras-hub preset into `model`: the encoder, and of a saved classifier what fits of its head.

    Args:
        model: the layers of a keras-hub encoder by their names, and those of `HEAD`.
        preset: a name that keras-hub knows, or a folder: what `save_to_preset` or transformers' `save_pretrained`
            wrote (of these the encoder alone is taken), or such a folder in a zip archive.
        backbone: the class in `keras_hub.models` that it must be of.
        pooling: whether the encoder's own "pooled_dense" is the model's.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class, or of other sizes; the model is left as it was.
    """
    need("keras_hub", extra="text")
    import keras_hub

    try:
        if Path(preset).suffix == ".zip" and Path(preset).is_file():
            core, heads = _of_archive(Path(preset)), {}
        elif (Path(preset) / "task.json").is_file():
            source = fetched(keras_hub.models.TextClassifier, preset)
            core, heads = source.backbone, _with_weights(source)
        else:
            core, heads = fetched(keras_hub.models.Backbone, preset), {}
    except KeyError as error:  # Of a configuration.
        raise ValueError(f"keras-hub does not find {error} in the configuration of {str(preset)!r}.") from error
    if type(core).__name__ != backbone:
        raise ValueError(f"The preset {preset!r} must be a {backbone}. Received: {type(core).__name__}.")
    offered, wanted = _with_weights(core), _with_weights(model)
    if pooling and "pooled_dense" in offered:
        heads["pooled_dense"] = offered["pooled_dense"]
    wrong = [
        name
        for name in sorted((set(offered) | set(wanted)) - set(HEAD))
        if name not in offered or name not in wanted or shapes(offered[name]) != shapes(wanted[name])
    ]
    if wrong:
        raise ValueError(
            f"The preset {preset!r} does not fit {model.name!r}, whose arguments must be the preset's: "
            f"{core.get_config()}. Received other layers: {', '.join(wrong[:3])}."
        )
    fresh = []
    for name, layer in wanted.items():
        given = heads.get(name) if name in HEAD else offered[name]
        if given is None or shapes(given) != shapes(layer):
            fresh.append(name)
        else:
            layer.set_weights(given.get_weights())
    if fresh:
        warnings.warn(
            f"Not in the preset {preset!r}; what starts fresh: {', '.join(fresh)}.",
            category=KerazooWarning,
            stacklevel=4,
        )


def _of_archive(path):
    """The encoder in a zip archive; errors name the archive."""
    import keras_hub

    with tempfile.TemporaryDirectory() as folder:
        for name in UNPACKED:
            extract(path, name, Path(folder) / name)
        try:
            return fetched(keras_hub.models.Backbone, folder)
        except (ConnectionError, FileNotFoundError, ValueError) as error:
            raise ValueError(str(error).replace(folder, str(path))) from error


def _with_weights(model):
    """Layers by name, but for models in a model."""
    return {layer.name: layer for layer in model.layers if layer.weights and not hasattr(layer, "layers")}
