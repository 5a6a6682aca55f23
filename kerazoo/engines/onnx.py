"""ONNX files in ONNX Runtime."""

import numpy as np
import onnxruntime

from kerazoo import hardware
from kerazoo.engines.base import Engine, TensorFacts

_DTYPES = {"float": "float32", "double": "float64", "bool": "bool", "string": "string"}


class OnnxEngine(Engine):
    """An ONNX file on the CPU, any batch."""

    def __init__(self, path, *, engine="onnx", metadata, threads=None):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or hardware.cores()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # The runtime's exceptions share no base class of their own.
            raise ValueError(f"{path} must be an ONNX model that ONNX Runtime can run: {error}") from error
        super().__init__(
            path,
            engine=engine,
            metadata=metadata,
            inputs={node.name: _facts(node) for node in self._session.get_inputs()},
            outputs={node.name: _facts(node) for node in self._session.get_outputs()},
        )

    def _run(self, arrays):
        return dict(zip(self.signature.outputs, self._session.run(None, arrays)))


def _facts(node):
    element = node.type.removeprefix("tensor(").removesuffix(")")
    name = _DTYPES.get(element, element)
    shape = tuple(size if isinstance(size, int) else None for size in node.shape)
    return TensorFacts(shape, name if name == "string" else np.dtype(name).name)
