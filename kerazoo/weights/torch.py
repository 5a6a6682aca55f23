"""`from_torch`: a PyTorch state dict into the model it belongs to, every tensor once or not at all."""

import importlib
import pkgutil
import warnings
from pathlib import Path

import numpy as np
from keras import layers

from kerazoo.errors import KerazooWarning
from kerazoo.registry import unknown_choice
from kerazoo.weights import torch_names
from kerazoo.weights.files import heads as heads_of
from kerazoo.weights.torch_files import SUFFIXES


def _depthwise(tensor):
    """(channels * multiplier, 1, H, W) -> (H, W, channels, 1), for a multiplier of one."""
    return np.transpose(tensor, (2, 3, 0, 1))


# Torch's order of axes -> Keras's.
TRANSFORMS = {
    "conv": lambda tensor: np.transpose(tensor, (2, 3, 1, 0)),
    "depthwise": _depthwise,
    "dense": np.transpose,
    "flat": np.ravel,
    "same": lambda tensor: tensor,
    "slopes": lambda tensor: tensor.reshape(1, 1, -1),  # One a channel, alike at every place.
}
_AFFINE = {"gamma": ("weight", "same"), "beta": ("bias", "same")}
# Keras layer -> weight -> (the tensor's name in the torch module of the same kind, transform).
PARTS = {
    layers.Conv2D: {"kernel": ("weight", "conv"), "bias": ("bias", "same")},
    layers.DepthwiseConv2D: {"kernel": ("weight", "depthwise"), "bias": ("bias", "same")},
    layers.Dense: {"kernel": ("weight", "dense"), "bias": ("bias", "same")},
    layers.LayerNormalization: _AFFINE,
    layers.PReLU: {"alpha": ("weight", "slopes")},
    layers.BatchNormalization: _AFFINE
    | {"moving_mean": ("running_mean", "same"), "moving_variance": ("running_var", "same")},
}


def _is_causal_mask(tensor):
    last = tensor.reshape(-1, *tensor.shape[-2:])[0] if tensor.ndim >= 2 and tensor.size else tensor
    return last.ndim == 2 and last.size == tensor.size and np.array_equal(last, np.tril(np.ones(last.shape)))


# What is no weight: a counter that Keras's BatchNormalization has no use for, the numbers 0 to 15 by which YOLOv8 tells
# distances, GPT-2's causal mask and what it puts in its place. Other values under these names are weights.
UNUSED = {
    ".num_batches_tracked": lambda tensor: tensor.size == 1,
    ".dfl.conv.weight": lambda tensor: np.array_equal(tensor.ravel(), np.arange(tensor.size)),
    ".attn.bias": _is_causal_mask,
    ".attn.masked_bias": lambda tensor: tensor.size == 1,
}
# Other names of the embedding, where it is tied to the output's matrix and to that of the other side.
TIED = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")


def from_torch(name, path, **arguments):
    """`kerazoo.build(name, weights=path)` for a torchvision or timm state dict; PyTorch is not needed.

    Every tensor of the file must be used once and every weight of the model filled, or nothing is
    loaded; where the embedding is also the output's matrix, the file's lm_head.weight must be equal to it.
    Layers that make the outputs may be of another size than the file's: they keep their initial weights,
    with a warning that names them.

    Args:
        name: one of `kerazoo.list_models()` whose family has a table in `kerazoo.weights.torch_names`.
        path: a `.safetensors`, `.pth` or `.pt` file; nothing but tensors is read from it.
        **arguments: as for `kerazoo.build`, without `weights`.

    Returns:
        A compiled `keras.Model` that answers pixels in [0, 255] as the torch model answers the same
        image normalised as `kerazoo.info(name)["preprocessing"]` says.

    Raises:
        FileNotFoundError: no such file.
        ImportError: a `.safetensors` file without the extra `kerazoo[torch]`.
        ValueError: a family without a table, a damaged or refused file, or one that does not fit.

    Example:

    >>> import kerazoo
    >>> model = kerazoo.weights.from_torch("resnet50", "resnet50-11ad3fa6.pth")  # doctest: +SKIP
    """
    from kerazoo.builder import build  # The builder imports this package.

    if "weights" in arguments:
        raise ValueError(f"`from_torch` brings the weights, `path`. Received: weights={arguments['weights']!r} too.")
    if Path(path).suffix not in SUFFIXES:
        raise ValueError(f"`path` must end in one of {', '.join(SUFFIXES)}. Received: {str(path)!r}.")
    return build(name, weights=Path(path), **arguments)


def load_tensors(model, tensors, names, *, path) -> list:
    """Fills `model` from {torch name: array} and returns the layers that start fresh, which a warning names.

    Args:
        model: a built `keras.Model`.
        tensors: the state dict.
        names: the family's function of `kerazoo.weights.torch_names`.
        path: where the tensors came from, for the messages.

    Raises:
        ValueError: tensors missing, unexpected or of another shape; the model is as it was.
    """
    wanted = _wanted(model, names(model, tensors))
    heads = heads_of(model)
    values, fresh, missing, mismatched = [], set(), [], []
    for torch_name, (layer, variable, transform) in wanted.items():
        tensor = tensors.get(torch_name)
        value = None if tensor is None else _transformed(tensor, transform)
        if value is not None and (value.dtype.kind == "f") != ("float" in variable.dtype):
            mismatched.append(f"{torch_name} {value.dtype} for {variable.path} {variable.dtype}")
        elif value is not None and value.shape == tuple(variable.shape):
            values.append((layer, variable, value))
        elif layer in heads:
            fresh.add(layer)
        elif tensor is None:
            missing.append(torch_name)
        else:
            mismatched.append(f"{torch_name} {tensor.shape} for {variable.path} {tuple(variable.shape)}")
    further = {name: tensor for name, tensor in tensors.items() if name not in wanted}
    for name in [name for name in further if name.removeprefix("model.") in TIED]:
        _check_tied(name, further.pop(name), wanted, tensors, said=f"{Path(path)} does not fit {model.name!r}")
    unexpected = sorted(
        name
        for name, tensor in further.items()
        if not any(name.endswith(suffix) and is_unused(tensor) for suffix, is_unused in UNUSED.items())
    )
    problems = {"missing": missing, "unexpected": unexpected, "of another shape or type": mismatched}
    if any(problems.values()):
        said = "; ".join(
            f"{len(found)} {kind} ({', '.join(found[:5])}{', ...' if len(found) > 5 else ''})"
            for kind, found in problems.items()
            if found
        )
        raise ValueError(f"{Path(path)} does not fit {model.name!r}: {said}. Nothing was loaded.")
    for layer, variable, value in values:
        if layer not in fresh:
            variable.assign(value)
    if fresh:
        warnings.warn(
            f"Layers of another size than the file's start fresh: {', '.join(sorted(fresh))}.",
            category=KerazooWarning,
            stacklevel=2,
        )
    return sorted(fresh)


def _check_tied(name, matrix, wanted, tensors, *, said):
    """Refuses another matrix than the embedding's under the name of one that the model ties to it."""
    embedding = next((torch_name for torch_name, (layer, *_) in wanted.items() if layer == "embedding"), None)
    if embedding is None or embedding not in tensors:
        raise ValueError(f"{said}: 1 unexpected ({name}). Nothing was loaded.")
    if not np.array_equal(matrix, tensors[embedding]):
        raise ValueError(
            f"{said}, whose output's matrix is its embedding: the file's {name} must be equal to its {embedding}. "
            "Received another: build the model with `tied=False` where it can be. Nothing was loaded."
        )


def family(entry):
    """The module of names for an entry: called as the file that registers it."""
    choices = [module.name for module in pkgutil.iter_modules(torch_names.__path__)]
    family = entry.module.rpartition(".")[2]
    if family not in choices or not entry.module.startswith("kerazoo.models."):
        raise ValueError(unknown_choice(f"family with PyTorch names (of {entry.name!r})", family, choices))
    return importlib.import_module(f"{torch_names.__name__}.{family}")


def _wanted(model, table) -> dict:
    """{torch name: (layer name, variable, transform)} of every weight of the model."""
    wanted = {}
    for layer in model.layers:
        for variable in layer.weights:
            part = variable.path.removeprefix(f"{layer.name}/")
            if f"{layer.name}/{part}" in table:
                torch_name, transform = table[f"{layer.name}/{part}"]
            else:
                suffix, transform = _parts(layer).get(part, (None, None))
                if suffix is None or layer.name not in table:
                    raise LookupError(f"The family's table of PyTorch names must have {variable.path!r}.")
                torch_name = f"{table[layer.name]}.{suffix}"
            if torch_name in wanted:
                raise LookupError(f"The family's table of PyTorch names must not have {torch_name!r} twice.")
            wanted[torch_name] = (layer.name, variable, transform)
    return wanted


def _parts(layer) -> dict:
    return next((parts for kind, parts in PARTS.items() if isinstance(layer, kind)), {})


def _transformed(tensor, transform):
    """The array in Keras's order of axes, or None where its number of axes is not the transform's."""
    if callable(transform):
        return transform(tensor)
    axes = {"conv": 4, "depthwise": 4, "dense": 2}.get(transform, tensor.ndim)
    return TRANSFORMS[transform](tensor) if tensor.ndim == axes else None
