"""What to verify: the promises in order, and names grouped so that nothing is measured twice."""

import json

from kerazoo import catalog
from kerazoo.verification import sources

_CORE, _EXPORT = "kerazoo.verification.promises", "kerazoo.verification.export_promises"

# Promise -> the module that checks it, in the order in which they are run.
PROMISES = {
    "compiled": _CORE,
    "arguments": _CORE,
    "forward": _CORE,
    "gradients": _CORE,
    "learns": _CORE,
    "responds": _CORE,
    "inference_mode": _CORE,
    "keras_roundtrip": _CORE,
    "xla": _CORE,
    "mixed_bfloat16": _CORE,
    "mixed_float16": _CORE,
    "data_parallel": _CORE,
    "saved_model": _EXPORT,
    "tflite": _EXPORT,
    "tflite_float16": _EXPORT,
    "tflite_dynamic": _EXPORT,
    "tflite_int8": _EXPORT,
    "onnx": _EXPORT,
    "parameters": _CORE,  # Builds every name at full size.
}
# Promises that need no converter and no full-size model: seconds a model.
QUICK = tuple(p for p, module in PROMISES.items() if module == _CORE and p != "parameters")
# Promises about a name itself; all others hold for every name that has the same smoke model.
OWN = ("parameters",)


def group(name) -> tuple:
    """Names of one group are the same model at smoke size, so that verifying one verifies all."""
    entry = catalog.entry(name)
    arguments = {**entry.defaults(), **entry.smoke, "name": None}
    return entry.module, entry.builder.__name__, json.dumps(arguments, sort_keys=True, default=repr)


def groups(names) -> list[list[str]]:
    """The names, each group in a list, in the order given."""
    grouped = {}
    for name in names:
        grouped.setdefault(group(name), []).append(name)
    return list(grouped.values())


def changed(name) -> str | None:
    """Why a model's entry in the catalog no longer stands, or None."""
    measured = catalog.read()["models"].get(name, {}).get("measured")
    if not measured:
        return "never verified"
    if set(measured["promises"]) != set(PROMISES):
        return "other promises than the catalog's"
    if measured["sources"] != sources.digest(catalog.entry(name).module):
        return "its source changed"
    if measured["versions"] != sources.versions():
        return f"versions {measured['versions']}, now {sources.versions()}"
    return None
