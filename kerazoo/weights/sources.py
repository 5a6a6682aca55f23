"""Where a model's weights come from: nowhere, a tag of the registry, or a path."""

import difflib
import hashlib
import inspect
import os
from pathlib import Path

from kerazoo import catalog, hdf5
from kerazoo.paths import expand
from kerazoo.registry import unknown_choice
from kerazoo.weights import files, gguf_files, packaged, torch_files

FOLDER = Path(__file__).parent
HANDLES = ("hf://", "kaggle://", "modelscope://")  # keras-hub fetches what they name.


def source(entry, wanted):
    """The source of `wanted` for an entry: an object with `arguments`, `construct` and `load_into`.

    Raises:
        ValueError: neither a tag of this entry nor a path of a known kind.
        FileNotFoundError: a path that is not there.
        ImportError: a `.safetensors` file without the extra `kerazoo[torch]`.
        ConnectionError: a tag's file is nowhere on this machine and cannot be fetched.
    """
    if wanted is None:
        return Fresh()
    if isinstance(wanted, str) and wanted in entry.weights:
        facts = entry.weights[wanted]
        if "from" in facts:
            installed = packaged.preset(facts["packaged"]) if "packaged" in facts else None
            return FromBuilder(str(installed or facts.get("preset", wanted)), preset=facts.get("arguments"))
        if "arrays" in facts:
            return FromArrays(*packaged.mtcnn(facts["arrays"]))
        if "gguf" in facts:
            return FromGguf(entry, packaged.gguf(facts["gguf"]))
        if "packaged" in facts:
            return FromTorch(entry, packaged.torch_file(facts["packaged"]))
        return FromFile(FOLDER / facts["file"], preset=facts.get("arguments", {}), sha256=facts["sha256"])
    if isinstance(wanted, os.PathLike) or "." in str(wanted) or os.sep in str(wanted):
        if not str(wanted).startswith(HANDLES):
            wanted = expand(wanted)
        hub = any(facts.get("from") == "keras_hub" for facts in entry.weights.values())
        if hub and (Path(wanted).is_dir() or str(wanted).startswith(HANDLES)):
            for path in sorted(Path(wanted).glob("*.h5")):  # Keras, which reads them, looks at less.
                hdf5.check(path)
            return FromBuilder(str(wanted))
        suffix = Path(wanted).suffix
        if suffix in torch_files.SUFFIXES:
            return FromTorch(entry, wanted)
        if suffix == gguf_files.SUFFIX:
            return FromGguf(entry, wanted)
        if suffix in files.SUFFIXES:
            return FromFile(wanted)
        choices = ", ".join((*files.SUFFIXES, *torch_files.SUFFIXES, gguf_files.SUFFIX))
        raise ValueError(f"`weights` must be a tag, or a file that ends in {choices}. Received: {str(wanted)!r}.")
    said = unknown_choice(f"weights for {entry.name!r} (or a path)", wanted, entry.weights)
    others = _models_with(wanted, entry)
    some = ", ".join(others[:3]) + (f", ... ({len(others)} in all)" if len(others) > 3 else "")
    raise ValueError(f"{said} Models that have {wanted!r}: {some}." if others else said)


def _models_with(tag, entry):
    """Names of models of the entry's domain that have weights of this tag, those most like the entry first."""
    known = catalog.read()["models"].items()
    models = {n: facts for n, facts in known if tag in facts.get("weights", {}) and facts["domain"] == entry.domain}

    def unlikeness(name):
        same = models[name]["task"] == entry.task
        return not same, -difflib.SequenceMatcher(None, name, entry.name).ratio()

    return sorted(models, key=unlikeness)


class Fresh:
    """Initial weights as the builder makes them."""

    preset = {}

    def arguments(self, given):
        """Builder arguments that these weights bring along, where the user gave none."""
        return {key: value for key, value in self.preset.items() if key not in given}

    def construct(self, builder, arguments):
        return builder(**arguments)

    def load_into(self, model):
        pass


class FromBuilder(Fresh):
    """Weights that the builder loads itself, because the library it wraps does; `preset` has arguments they need."""

    def __init__(self, tag, *, preset=None):
        self.tag, self.preset = tag, preset or {}

    def construct(self, builder, arguments):
        assert "weights" in inspect.signature(builder).parameters, builder
        return builder(**arguments, weights=self.tag)


class FromFile(Fresh):
    """A `.keras` or `.weights.h5` file; `preset` has the builder arguments it was trained with."""

    def __init__(self, path, *, preset=None, sha256=None):
        if not path.is_file():
            raise FileNotFoundError(f"`weights` must be a tag or an existing file. Received: {str(path)!r}.")
        self.path, self.preset, self.sha256 = path, preset or {}, sha256

    def load_into(self, model):
        if self.sha256:
            received = hashlib.sha256(self.path.read_bytes()).hexdigest()
            if received != self.sha256:
                raise ValueError(f"{self.path} must have sha256 {self.sha256}. Received: {received}.")
        files.load_file(model, self.path)


class FromTorch(Fresh):
    """A PyTorch state dict of the entry's family, read before the model is built."""

    def __init__(self, entry, path):
        from kerazoo.weights.torch import family

        module = family(entry)
        self.path, self.names, self.tensors = path, module.names, torch_files.read_tensors(path)
        if hasattr(module, "translated"):  # The family's tensors come under several libraries' names.
            self.tensors = module.translated(self.tensors)

    def load_into(self, model):
        from kerazoo.weights.torch import load_tensors

        load_tensors(model, self.tensors, self.names, path=self.path)


class FromGguf(FromTorch):
    """A GGUF file of a Llama-type model, whose sizes it brings along."""

    def __init__(self, entry, path):
        from kerazoo.weights.torch import family

        if entry.module != "kerazoo.models.text.llama":
            raise ValueError(f"GGUF files are taken for models of Llama's kind. Received: {entry.name!r}.")
        read = gguf_files.read_gguf(path)
        self.path, self.names, self.tensors, self.preset = path, family(entry).names, read.tensors, read.arguments


class FromArrays(Fresh):
    """A list of arrays, and the layers they belong to one after the other."""

    def __init__(self, path, layers):
        from kerazoo.weights.joblib_arrays import read_arrays

        self.path, self.layers, self.arrays = path, layers, read_arrays(path)

    def load_into(self, model):
        variables = [variable for name in self.layers for variable in model.get_layer(name).weights]
        wanted, received = ([tuple(item.shape) for item in side] for side in (variables, self.arrays))
        if wanted != received:
            raise ValueError(f"{self.path} does not fit {model.name!r}: {received} in place of {wanted}.")
        for variable, array in zip(variables, self.arrays):
            variable.assign(array)
