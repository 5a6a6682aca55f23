"""The job of an ONNX file: tf2onnx on a SavedModel of any batch."""

from importlib.util import find_spec

NAME = "model.onnx"
OPSET = 17  # The newest that tf2onnx writes without gaps.


def require():
    """Raises where a package is missing.

    Raises:
        ImportError: with the `pip install` line.
    """
    missing = [name for name in ("tf2onnx", "onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ImportError(f'ONNX export needs {", ".join(missing)}. Run: pip install "kerazoo[onnx]"')


def job(saved_model, folder):
    """The conversion of a SavedModel, for `process.run`."""
    return {"kind": "onnx", "saved_model": str(saved_model), "output": str(folder / NAME), "opset": OPSET}
