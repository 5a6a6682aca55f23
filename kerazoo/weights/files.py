"""Keras weight files into a model: checked in full first, then loaded in full."""

import re
import tempfile
import warnings
import zipfile
from pathlib import Path

import h5py

# Bytes of a weights file inside a `.keras` archive that are still taken; a bound on what is unpacked.
LARGEST = 16 * 2**30
SUFFIXES = (".keras", ".h5")


def load_file(model, path):
    """Loads a `.keras` or `.weights.h5` file into `model`, and returns the layers that start fresh.

    The architecture comes from `model`, never from the file. Weights are matched as Keras stores
    them: by the class of their layer and its number in the model. The layers that make the model's
    outputs, and those that its class names as `training_only`, may have another shape than the file's:
    they keep their initial weights, with a warning that names them. Anything else that does not fit is
    an error, and leaves the model as it was.

    Args:
        model: a built `keras.Model`.
        path: the file.

    Returns:
        The names of the layers left at their initial weights.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an unknown kind of file, a damaged one, or one of another architecture.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing weights file. Received: {str(path)!r}.")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"`path` must end in .keras or .weights.h5. Received: {str(path)!r}.")
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".keras":
            path = _extract(path, Path(folder) / "archive.weights.h5")
        received = _read(path)
        merged = Path(folder) / "merged.weights.h5"
        model.save_weights(merged)
        apart = {name: name for name in getattr(model, "training_only", ())}
        fresh = _merge(merged, received, heads=_heads(model), apart=apart, path=path)
        model.load_weights(merged)
    if fresh:
        warnings.warn(f"Layers of another size than the file's start fresh: {', '.join(fresh)}.", stacklevel=2)
    return fresh


def _extract(path, target):
    """The weights member of a `.keras` archive; nothing else of the archive is read or run."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo("model.weights.h5")
            if member.file_size > LARGEST:
                raise ValueError(f"{path} unpacks to {member.file_size} bytes; at most {LARGEST} are taken.")
            target.write_bytes(archive.read(member))
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(f"{path} is damaged or no Keras archive: {error}") from error
    return target


def _read(path) -> dict:
    """{path inside the file: array} of every variable."""
    arrays = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged or no HDF5 file: {error}") from error
    arrays = {name: array for name, array in arrays.items() if not name.startswith("optimizer/")}
    if not arrays:
        raise ValueError(f"{path} holds no weights.")
    return arrays


def _heads(model) -> dict:
    """{group inside the file: layer name} of the layers with weights that make the outputs."""
    heads = set()
    tensors = list(model.outputs)
    while tensors:
        operation = tensors.pop()._keras_history.operation
        if getattr(operation, "weights", None):
            heads.add(operation.name)
        elif operation._inbound_nodes:  # An activation, a reshape: look behind it.
            tensors += operation._inbound_nodes[0].input_tensors
    return {group: layer.name for group, layer in _groups(model).items() if layer.name in heads}


def _groups(model) -> dict:
    """{group inside the file: layer}: Keras names groups by class, numbered in the order of the layers."""
    groups, seen = {}, {}
    for layer in model.layers:
        name = re.sub(r"\W+", "", type(layer).__name__)
        name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
        name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
        count = seen[name] = seen.get(name, -1) + 1
        groups[f"{name}_{count}" if count else name] = layer
    return groups


def _merge(target, received, *, heads, apart, path) -> list:
    """Writes `received` over the weights in `target`; returns the heads that were left alone.

    `apart` has attributes of the model that are layers beside its graph, which the file may lack or have more of.
    """
    fresh, missing, mismatched = [], [], []
    heads = heads | apart

    def group_of(name):
        first, second = name.split("/")[:2]
        return first if first in apart else second

    groups = {group_of(name) for name in received if "/" in name}
    with h5py.File(target, "r+") as file:
        wanted = []
        file.visititems(lambda name, item: wanted.append(name) if isinstance(item, h5py.Dataset) else None)
        wanted = [name for name in wanted if not name.startswith("optimizer/")]
        for name in wanted:
            group = group_of(name)
            if name in received and received[name].shape == file[name].shape:
                continue
            if group in heads and (name in received or group not in groups):
                fresh.append(group)
            elif name not in received:
                missing.append(name)
            else:
                mismatched.append(f"{name} {received[name].shape} in place of {file[name].shape}")
        unexpected = sorted(name for name in set(received) - set(wanted) if name.split("/")[0] not in apart)
        if missing or mismatched or unexpected:
            problems = {"missing": missing, "of another shape": mismatched, "unexpected": unexpected}
            said = "; ".join(
                f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
                for kind, names in problems.items()
                if names
            )
            raise ValueError(f"{path} does not fit the model: {said}. Nothing was loaded.")
        for name in wanted:
            if group_of(name) not in fresh:
                file[name][...] = received[name]
    return sorted({heads[group] for group in fresh})
