"""Keras weight files into a model: checked in full first, then loaded in full."""

import re
import tempfile
import warnings
from pathlib import Path

import h5py

from kerazoo import hdf5
from kerazoo.data.archives import extract
from kerazoo.errors import KerazooWarning
from kerazoo.paths import expand

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
    path = expand(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing weights file. Received: {str(path)!r}.")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"`path` must end in .keras or .weights.h5. Received: {str(path)!r}.")
    with tempfile.TemporaryDirectory() as folder:
        source, merged = path, Path(folder) / "merged.weights.h5"
        if path.suffix == ".keras":  # Nothing else of the archive is read or run.
            source = extract(path, "model.weights.h5", Path(folder) / "archive.weights.h5")
        with hdf5.open_datasets(source, said=path) as datasets:
            received = {name: dataset for name, dataset in datasets.items() if not name.startswith("optimizer/")}
            if not received:
                raise ValueError(f"{path} holds no weights.")
            model.save_weights(merged)
            fresh = _merge(model, received, merged, path=path)
        model.load_weights(merged)
    if fresh:
        warnings.warn(
            f"Layers of another size than the file's start fresh: {', '.join(fresh)}.",
            category=KerazooWarning,
            stacklevel=2,
        )
    return fresh


def heads(model) -> set:
    """Names of the layers with weights that make the outputs, and that no other of these builds on.

    An embedding whose matrix also makes the output is no head: its outputs are behind all that comes after it.
    """
    outer, inputs = _behind(model.outputs, lambda operation: not getattr(operation, "weights", None))
    inner, _ = _behind(inputs, lambda operation: True)
    return {operation.name for operation in outer - inner if getattr(operation, "weights", None)}


def _behind(tensors, goes_on):
    """(operations, tensors): what made these tensors, and the inputs of those behind which it does not go on."""
    seen, operations, waiting, ends = set(), set(), list(tensors), []
    while waiting:
        operation, call, _ = waiting.pop()._keras_history
        if (operation, call) not in seen:  # An operation can be called in several places.
            seen.add((operation, call))
            operations.add(operation)
            (waiting if goes_on(operation) else ends).extend(operation._inbound_nodes[call].input_tensors)
    return operations, ends


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


def _merge(model, received, target, *, path) -> list:
    """Writes `received` over the model's weights in the file `target`, one at a time; returns the heads left alone.

    The model's `training_only` names attributes that are layers beside its graph: the file may lack them or have more.
    """
    apart = getattr(model, "training_only", ())
    outer = heads(model)
    free = {group: layer.name for group, layer in _groups(model).items() if layer.name in outer}
    free |= {name: name for name in apart}
    fresh, missing, mismatched = [], [], []

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
            if name not in received:
                (missing if group in groups or group not in free else fresh).append(name)
            elif hdf5.kind(received[name]) != hdf5.kind(file[name]):
                mismatched.append(f"{name} {hdf5.kind(received[name])} in place of {hdf5.kind(file[name])}")
            elif received[name].shape != file[name].shape:
                if group in free:
                    fresh.append(name)
                else:
                    mismatched.append(f"{name} {received[name].shape} in place of {file[name].shape}")
        unexpected = sorted(name for name in set(received) - set(wanted) if name.split("/")[0] not in apart)
        if missing or mismatched or unexpected:
            problems = {"missing": missing, "of another shape or type": mismatched, "unexpected": unexpected}
            said = "; ".join(
                f"{len(names)} {kind} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
                for kind, names in problems.items()
                if names
            )
            raise ValueError(f"{path} does not fit the model: {said}. Nothing was loaded.")
        fresh = {group_of(name) for name in fresh}
        for name in wanted:
            if group_of(name) not in fresh:
                hdf5.write(file[name], hdf5.read(received[name], said=path))
    return sorted({free[group] for group in fresh})
