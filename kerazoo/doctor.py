"""What is installed, what is missing and which extra brings it."""

import importlib.metadata
import sys

from kerazoo import hardware, keras_backend, versions
from kerazoo.quiet import import_tensorflow

# Distribution -> the extra that brings it; None belongs to the core.
EXPECTED = {
    "tensorflow": None,
    "keras": None,
    "numpy": None,
    "packaging": None,
    "scikit-learn": "apps",
    "matplotlib": "apps",
    "pillow": "apps",
    "tensorboard": "apps",
    "tensorflow-datasets": "apps",
    "keras-nlp": "text",
    "keras-cv": "cv",
    "ai-edge-litert": "litert",
    "onnx": "onnx",
    "tf2onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "safetensors": "torch",
}


def examine() -> dict:
    """Versions, backend, devices and missing extras, as a dictionary; starts TensorFlow to see the devices."""
    packages = {name: _version(name) for name in EXPECTED}
    problems = [f"{name} is not installed" for name, extra in EXPECTED.items() if extra is None and not packages[name]]
    found = [versions.problem(name, packages[name]) for name in versions.supported() if packages[name]]
    problems += [problem for problem in found if problem]
    if _version("tensorflow-cpu"):
        problems.append("tensorflow-cpu is installed beside tensorflow: the two share one folder; uninstall it")
    findings = {
        "python": sys.version.split()[0],
        "cores": hardware.cores(),
        "packages": packages,
        "problems": problems,
    }
    if packages["tensorflow"] and packages["keras"]:
        if received := keras_backend.problem():
            problems.append(f"applications, texts and exports need {received}")
        else:
            findings["devices"] = [device.name for device in import_tensorflow().config.list_physical_devices()]
    return findings | {"healthy": not problems}


def table(findings) -> str:
    """The findings for a person."""
    lines = [f"{'python':22} {findings['python']}", f"{'cores':22} {findings['cores']}"]
    lines.append(f"{'devices':22} {', '.join(findings.get('devices', []))}")
    for name, version in findings["packages"].items():
        hint = f'missing: pip install "kerazoo[{EXPECTED[name]}]"' if EXPECTED[name] else "missing"
        lines.append(f"{name:22} {version or hint}")
    lines += [f"PROBLEM: {problem}" for problem in findings["problems"]] or ["all is well"]
    return "\n".join(lines)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
