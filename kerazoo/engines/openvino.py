"""ONNX files in OpenVINO, in float32."""

import numpy as np
import openvino

from kerazoo import hardware
from kerazoo.engines.base import Engine, TensorFacts


class OpenVinoEngine(Engine):
    """An ONNX file compiled by OpenVINO for this CPU, any batch."""

    def __init__(self, path, *, engine="openvino", metadata, threads=None):
        config = {
            "INFERENCE_PRECISION_HINT": "f32",  # Its own default on some CPUs is bfloat16, wrong by 1e-2.
            "INFERENCE_NUM_THREADS": threads or hardware.cores(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            self._compiled = openvino.Core().compile_model(str(path), "CPU", config)
        except RuntimeError as error:
            raise ValueError(f"{path} must be a model that OpenVINO can run: {error}") from error
        self._request = self._compiled.create_infer_request()
        super().__init__(
            path,
            engine=engine,
            metadata=metadata,
            inputs={port.any_name: _facts(port) for port in self._compiled.inputs},
            outputs={port.any_name: _facts(port) for port in self._compiled.outputs},
        )

    def _run(self, arrays):
        results = self._request.infer(arrays, share_inputs=True)
        return {port.any_name: np.array(results[port]) for port in self._compiled.outputs}


def _facts(port):
    shape = tuple(size.get_length() if size.is_static else None for size in port.partial_shape)
    return TensorFacts(shape, np.dtype(port.element_type.to_dtype()).name)
