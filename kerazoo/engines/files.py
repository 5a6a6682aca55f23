"""What an export's folder holds, and what each engine needs installed. Imports no engine."""

import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from kerazoo.paths import expand

# Engine -> its file in a version's folder.
FILES = {
    "saved_model": "saved_model.pb",
    "tflite": "model.tflite",
    "tflite_float16": "model_float16.tflite",
    "tflite_dynamic": "model_dynamic.tflite",
    "tflite_int8": "model_int8.tflite",
    "onnx": "model.onnx",
}
# Engines that compute in float32, in the order "auto" tries them where nothing was measured.
EXACT = ("saved_model", "tflite", "onnx", "openvino", "keras")
REPORT = "export.json"
METADATA = "metadata.json"
LABELS = "labels.txt"
TOKENIZER = "tokenizer.json"
BEGIN, STEP = "begin", "step"  # Folders of what writes token for token.
_SUFFIXES = {".tflite": "tflite", ".onnx": "onnx", ".keras": "keras"}
_NEEDS = {
    "onnx": ("onnxruntime", 'pip install "kerazoo[onnx]"'),
    "openvino": ("openvino", 'pip install "kerazoo[openvino]"'),
}


@dataclass(frozen=True)
class Found:
    """One export: its folder, {engine: path}, metadata, engines as measured, fastest first, and `Signature.words`."""

    folder: Path
    files: dict
    metadata: dict = field(default_factory=dict)
    ranking: tuple = ()
    signature: dict | None = None


def requirement(engine):
    """The `pip install` line of the package that this engine lacks here, or None."""
    package, line = _NEEDS.get(engine, (None, None))
    return line if package and find_spec(package) is None else None


def versions(root) -> list[int]:
    """The version numbers below an export's root, sorted."""
    return sorted(int(p.name) for p in Path(root).iterdir() if p.is_dir() and p.name.isascii() and p.name.isdigit())


def find(path) -> Found:
    """What `path` holds: an export's root (its newest version), a version's folder, or a model file.

    Raises:
        FileNotFoundError: nothing there, or nothing exported.
        ValueError: a file of another kind, or a broken report.
    """
    path = expand(path)
    if path.is_file():
        engine = _SUFFIXES.get(path.suffix)
        if engine is None:
            raise ValueError(f"A model file must end in one of {sorted(_SUFFIXES)}. Received: {str(path)!r}.")
        if engine == "tflite":  # Kept under its own name, so that `.engine` tells a quantised one.
            engine = next((name for name, file in FILES.items() if file == path.name), "tflite")
        files = {engine: path} | ({"openvino": path} if engine == "onnx" else {})
        return Found(path.parent, files, _metadata(path.parent, _report(path.parent)))
    if not path.is_dir():
        raise FileNotFoundError(f"`path` must be an exported model's folder or file. Received: {str(path)!r}.")
    folder = path
    if not _engines(folder):
        complete = [number for number in versions(path) if _engines(path / str(number))]
        if not complete:
            raise FileNotFoundError(
                f"`path` must hold one of {sorted(FILES.values())}, or numbered versions. Received: {str(path)!r}."
            )
        folder = path / str(complete[-1])
    report = _report(folder)
    ranking = report.get("ranking", [])
    if not isinstance(ranking, list):
        raise ValueError(f"`ranking` in {folder / REPORT} must be a list. Received: {ranking!r}.")
    return Found(folder, _engines(folder), _metadata(folder, report), tuple(map(str, ranking)), report.get("signature"))


def _engines(folder) -> dict:
    files = {engine: folder / name for engine, name in FILES.items() if (folder / name).is_file()}
    if "saved_model" in files:
        files["saved_model"] = folder
    if "onnx" in files:
        files["openvino"] = files["onnx"]
    return files


def _read_object(path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must be JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object. Received: {type(value).__name__}.")
    return value


def _report(folder) -> dict:
    return _read_object(folder / REPORT) if (folder / REPORT).is_file() else {}


def _metadata(folder, report) -> dict:
    """The metadata from the report, or from the files that travel with a model copied on its own."""
    metadata = report.get("metadata")
    if isinstance(metadata, dict):
        return metadata
    for place in (folder, folder / "assets"):
        if (place / METADATA).is_file():
            return _read_object(place / METADATA)
    for place in (folder, folder / "assets"):
        if (place / LABELS).is_file():
            return {"labels": (place / LABELS).read_text(encoding="utf-8").splitlines()}
    return {}
