"""The promises about exports: each file, read back from disk, answers as the trained Keras model does.

One export writes them all (each conversion in its own process); each promise looks at its file. The
tolerances are in `kerazoo.exporters.parity`.
"""

import re

from kerazoo.exporters import export
from kerazoo.verification.subject import Broken

QUANTIZATIONS = ("float16", "dynamic", "int8")


def saved_model(subject):
    """SavedModel answers as Keras, to rounding."""
    return _error(subject, "saved_model")


def tflite(subject):
    """TFLite float32, builtin operations only, answers as Keras."""
    return _error(subject, "tflite")


def tflite_float16(subject):
    """TFLite with float16 weights answers as Keras within its tolerance."""
    return _error(subject, "tflite_float16")


def tflite_dynamic(subject):
    """TFLite with 8-bit weights answers as Keras within its tolerance."""
    return _error(subject, "tflite_dynamic")


def tflite_int8(subject):
    """TFLite in 8-bit integers, calibrated on the batch that the model learnt, gives the same answers."""
    file = _file(subject, "tflite_int8")
    return file.agreement if file.agreement is not None else file.max_relative_error


def onnx(subject):
    """ONNX Runtime answers as Keras."""
    return _error(subject, "onnx")


def _error(subject, engine):
    return _file(subject, engine).max_relative_error


def _file(subject, engine):
    """The exported file of an engine, from one export of everything."""
    if not hasattr(subject, "exported"):
        model, *_ = subject.trained
        subject.exported = export(
            model,
            f"{subject.folder.name}/export",
            formats=("saved_model", "tflite", "onnx"),
            quantize=QUANTIZATIONS,
            representative_data=subject.inputs,
            on_error="record",
        )
    file = subject.exported.file(engine)
    if file.error:
        # Without the folder, which is another one each time, and in the length of a table's cell.
        reason = re.sub(rf"{re.escape(subject.folder.name)}\S*/", "", " ".join(file.error.split()))
        raise Broken(reason[:400])
    return file
