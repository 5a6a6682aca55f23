"""What keras-hub's backbones of texts have in common when their numbers go into kerazoo's graphs."""

import math
import warnings
from pathlib import Path

import keras
import numpy as np

from kerazoo.errors import KerazooWarning
from kerazoo.extras import need
from kerazoo.weights.keras_hub_presets import fetched

OUTPUT = "lm_head.weight"  # transformers' name of a language model's last matrix.


def backbone(preset, *kinds):
    """A preset's backbone.

    Args:
        preset: a name that keras-hub knows, or a folder that it reads.
        *kinds: the classes in `keras_hub.models` that it must be one of.

    Raises:
        ImportError: keras-hub is not installed.
        ConnectionError: the preset is neither in kagglehub's cache nor can it be downloaded.
        ValueError: a preset of another class, or a folder of transformers that lacks what keras-hub reads, or whose
            output has a matrix of its own, which keras-hub would leave out.
    """
    need("keras_hub", extra="text")
    import keras_hub

    try:
        core = fetched(keras_hub.models.Backbone, preset)
    except KeyError as error:  # transformers 5 leaves out of config.json what keras-hub 0.32 reads there.
        raise ValueError(
            f"keras-hub does not find {error} in the configuration of {str(preset)!r}; of a folder of transformers, "
            "give the file model.safetensors."
        ) from error
    if type(core).__name__ not in kinds:
        raise ValueError(f"The preset {preset!r} must be a {' or '.join(kinds)}. Received: {type(core).__name__}.")
    _check_tied(core.token_embedding, preset)
    return core


def _check_tied(embedding, preset):
    """Refuses a folder of transformers whose output has another matrix than the embedding, where keras-hub has one."""
    files = sorted(Path(preset).glob("*.safetensors")) if Path(preset).is_dir() else []
    if not files or not getattr(embedding, "tie_weights", True):
        return
    import safetensors  # keras-hub has read these files by it.

    for path in files:
        with safetensors.safe_open(path, framework="np") as file:
            if OUTPUT not in set(file.keys()):
                continue
            if not np.array_equal(file.get_tensor(OUTPUT), np.asarray(embedding.embeddings)):
                raise ValueError(
                    f"The folder {str(preset)!r} has an output's matrix of its own ({OUTPUT}), which keras-hub leaves "
                    "out: it must be the embedding's."
                )


def fill(model, given, preset, core, *, heads):
    """Fills layers by their names; an output "logits" that is not given starts fresh, with a warning.

    Args:
        model: the graph.
        given: {layer: its variables or arrays}; heads may be an axis there and channels in the graph.
        preset: for the messages.
        core: the backbone, whose configuration the message has.
        heads: {layer of attention: heads that it must have}; other heads could have as many numbers.

    Raises:
        ValueError: layers missing, unexpected or of other shapes; the model is as it was.
    """
    wanted = {layer.name: layer.weights for layer in model.layers if layer.weights}
    fresh = [name for name in ("logits",) if name in wanted and name not in given]
    wrong = [name for name in given if name not in wanted and name != "logits"]
    wrong += [name for name, count in heads.items() if model.get_layer(name).heads != count]
    for name, weights in wanted.items():
        fits = name in given and len(given[name]) == len(weights) and all(map(_fits, given[name], weights))
        wrong += [] if fits or name in fresh else [name]
    if wrong:
        raise ValueError(
            f"The preset {preset!r} does not fit {model.name!r}, whose arguments must be the preset's: "
            f"{core.get_config()}. Received other layers: {', '.join(wrong[:3])}."
        )
    for name in set(wanted) - set(fresh):
        for variable, weight in zip(given[name], wanted[name]):
            weight.assign(keras.ops.reshape(variable, weight.shape))
    if fresh:
        warnings.warn(
            f"Not in the preset {preset!r}; what starts fresh: {', '.join(fresh)}.",
            category=KerazooWarning,
            stacklevel=4,
        )


def _fits(variable, ours):
    """Whether the numbers are as many, in rows or columns as long; heads are an axis there and channels here."""
    theirs, ours = tuple(variable.shape), tuple(ours.shape)
    alike = len(ours) == 1 or theirs[0] == ours[0] or theirs[-1] == ours[-1]
    return theirs == ours or (len(theirs) > len(ours) and alike and math.prod(theirs) == math.prod(ours))
