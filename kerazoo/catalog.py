"""The catalog: what is known of every model without importing Keras or TensorFlow.

`catalog.json` is generated (`kerazoo verify --write-catalog`): the registry's facts and, for each
model, the measured result of every promise.
"""

import copy
import dataclasses
import fnmatch
import functools
import importlib
import inspect
import json
import pkgutil
import re
from importlib.metadata import entry_points
from pathlib import Path

from kerazoo import registry
from kerazoo.json_files import dumps
from kerazoo.weights.licenses import licenses

PATH = Path(__file__).with_name("catalog.json")
ENTRY_POINT_GROUP = "kerazoo.models"


@functools.cache
def read() -> dict:
    """The committed catalog: {"models": {name: facts}}; empty where none was generated yet."""
    if not PATH.exists():
        return {"models": {}}
    return json.loads(PATH.read_text(encoding="utf-8"))


@functools.cache
def _third_party() -> dict:
    """Model name -> entry point, of other packages; the entry point's name is the model's."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def facts(entry) -> dict:
    """What the registry and the code say of a model, as the catalog keeps it (JSON types only)."""
    module = inspect.getmodule(entry.builder)
    source = re.search(r"https?://[^\s)>,]+", module.__doc__ or "")
    return json.loads(
        dumps(
            {
                "domain": entry.domain,
                "task": entry.task,
                "module": entry.module,
                "builder": entry.builder.__name__,
                "summary": inspect.getdoc(entry.builder).splitlines()[0],
                "source": source.group(0).rstrip(".") if source else None,
                "arguments": entry.defaults() | {"name": entry.name},
                "params": entry.params,
                "weights": dict(entry.weights),
                "preprocessing": entry.preprocessing,
            },
            default=repr,
        )
    )


def import_all() -> None:
    """Imports every model file of kerazoo, so that the registry is complete."""
    package = importlib.import_module("kerazoo.models")
    for module in pkgutil.walk_packages(package.__path__, "kerazoo.models."):
        importlib.import_module(module.name)


def _modules_that_mention(name) -> list:
    """Model files that have the name as a string or a function, found without importing any."""
    folder = Path(__file__).with_name("models")
    mention = re.compile(rf"""(["']){re.escape(str(name))}\1|\bdef {re.escape(str(name))}\(""")
    files = (path for path in sorted(folder.rglob("*.py")) if mention.search(path.read_text(encoding="utf-8")))
    return [".".join(("kerazoo", *path.relative_to(folder.parent).with_suffix("").parts)) for path in files]


def entry(name) -> registry.Entry:
    """The registry's entry of a name, importing only the module that registers it.

    Raises:
        ValueError: an unknown name; the message has the nearest ones.
    """
    if name in registry.registered():
        return registry.registered()[name]
    known = read()["models"].get(name)
    if known:
        importlib.import_module(known["module"])
    elif name in _third_party():
        _third_party()[name].load()
    else:  # Registered but not yet in the catalog.
        for module in _modules_that_mention(name):
            importlib.import_module(module)
    if name not in registry.registered():
        raise ValueError(registry.unknown_choice("model", name, _names()))
    return registry.registered()[name]


def _names() -> set:
    return set(read()["models"]) | set(_third_party()) | set(registry.registered())


def info(name) -> dict:
    """Everything known of one model, as a dictionary of its own: facts, published parameters, measured promises.

    "weights_licenses" has, for each tag of "weights", the licence's "name", the "url" where it is stated, and "terms":
    whether it is a contract of its own that whoever uses the weights accepts.

    Example:

    >>> import kerazoo
    >>> kerazoo.info("resnet50")["params"]
    25557032

    Raises:
        ValueError: an unknown name; the message has the nearest ones.
    """
    known = copy.deepcopy(_info(name))
    known["weights_licenses"] = {tag: dataclasses.asdict(found) for tag, found in licenses(known).items()}
    return known


def _info(name) -> dict:
    """What `info` hands out copies of: the catalog that everything else reads."""
    known = read()["models"].get(name)
    if known is None:
        known = facts(entry(name))
    return {"name": name, **known}


def list_models(pattern="*", *, domain=None, task=None, exports=None) -> list[str]:
    """Names of the models that match, sorted.

    Args:
        pattern: a shell pattern on the name, for instance "resnet*".
        domain: only this domain's, for instance "vision".
        task: only this task's, for instance "image_classification".
        exports: only models proven to export to this format: "saved_model", "tflite",
            "tflite_int8", "onnx", ...

    Example:

    >>> import kerazoo
    >>> kerazoo.list_models("resnet5?")
    ['resnet50', 'resnet56']

    Raises:
        ValueError: a domain, task or format that no model has.
    """
    models = {name: None for name in _names() if fnmatch.fnmatchcase(name, pattern)}
    if domain is None and task is None and exports is None:
        return sorted(models)
    everything = {name: _info(name) for name in _names()}
    for key, wanted in (("domain", domain), ("task", task)):
        choices = {facts[key] for facts in everything.values()}
        if wanted is not None and wanted not in choices:
            raise ValueError(registry.unknown_choice(key, wanted, choices))
    formats = {name: passed_exports(facts) for name, facts in everything.items()}
    if exports is not None and exports not in set().union(*formats.values(), EXPORT_PROMISES):
        raise ValueError(registry.unknown_choice("export format", exports, EXPORT_PROMISES))
    return sorted(
        name
        for name in models
        if domain in (None, everything[name]["domain"])
        and task in (None, everything[name]["task"])
        and (exports is None or exports in formats[name])
    )


EXPORT_PROMISES = ("saved_model", "tflite", "tflite_float16", "tflite_dynamic", "tflite_int8", "onnx")


def passed_exports(facts) -> set:
    """The export promises that the catalog records as kept."""
    promises = facts.get("measured", {}).get("promises", {})
    return {name for name in EXPORT_PROMISES if promises.get(name, {}).get("status") == "pass"}
