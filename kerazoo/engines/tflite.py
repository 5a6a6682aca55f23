"""TFLite in LiteRT's interpreter with XNNPACK; TensorFlow's own where LiteRT is not installed."""

import warnings
from importlib.util import find_spec

import numpy as np

from kerazoo import hardware
from kerazoo.engines.base import Engine, TensorFacts
from kerazoo.errors import KerazooWarning


def interpreter_module():
    """LiteRT's interpreter (`pip install "kerazoo[litert]"`), else the one inside TensorFlow."""
    if find_spec("ai_edge_litert"):
        from ai_edge_litert import interpreter

        return interpreter
    from tensorflow.lite.python import interpreter

    return interpreter


def _allocated(path, threads):
    """An interpreter that is ready to run; without XNNPACK where XNNPACK cannot prepare one of the file's nodes."""
    module = interpreter_module()
    options = {"model_path": str(path), "num_threads": threads or hardware.cores()}
    interpreter = module.Interpreter(**options)
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        if "XNNPACK" not in str(error):
            raise
        warnings.warn(
            f"XNNPACK cannot run {path} ({error}); it runs without, more slowly.", category=KerazooWarning, stacklevel=4
        )
        kinds = module.OpResolverType
        interpreter = module.Interpreter(
            **options, experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        interpreter.allocate_tensors()
    return interpreter


class TFLiteEngine(Engine):
    """A `.tflite` file's first signature. It runs the batch it was converted for, in a loop."""

    def __init__(self, path, *, engine="tflite", metadata, threads=None):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*tf.lite.Interpreter")  # TensorFlow announces that its own will go.
            try:
                self._interpreter = _allocated(path, threads)
            except ValueError as error:
                raise ValueError(f"{path} must be a TFLite model: {error}") from error
        signatures = self._interpreter.get_signature_list()
        if not signatures:
            raise ValueError(f"A TFLite model needs a signature, which names its inputs. Received: {str(path)!r}.")
        inputs, outputs = _details(self._interpreter, next(iter(signatures)))
        self._inputs = {name: inputs[name]["index"] for name in sorted(inputs)}
        self._outputs = {name: outputs[name]["index"] for name in sorted(outputs)}
        facts = [{name: _facts(side[name]) for name in sorted(side)} for side in (inputs, outputs)]
        batches = {fact.shape[0] for fact in facts[0].values()}
        super().__init__(
            path,
            engine=engine,
            metadata=metadata,
            inputs=facts[0],
            outputs=facts[1],
            batch=None if None in batches else batches.pop(),
        )
        self._allocated = None

    def _run(self, arrays):
        if self._batch is None:
            self._resize({name: array.shape for name, array in arrays.items()})
        for name, index in self._inputs.items():
            self._interpreter.set_tensor(index, np.ascontiguousarray(arrays[name]))
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}

    def _resize(self, shapes):
        if shapes != self._allocated:
            for name, index in self._inputs.items():
                self._interpreter.resize_tensor_input(index, shapes[name])
            self._interpreter.allocate_tensors()
            self._allocated = shapes


def _details(interpreter, signature):
    """Details of inputs and outputs by name; the runner is dropped, because it blocks the interpreter."""
    runner = interpreter.get_signature_runner(signature)
    return runner.get_input_details(), runner.get_output_details()


def _facts(details):
    dtype = details["dtype"]
    name = "string" if dtype in (np.bytes_, np.str_, object) else np.dtype(dtype).name
    shape = details["shape_signature"] if len(details["shape_signature"]) else details["shape"]
    return TensorFacts(tuple(None if size < 0 else int(size) for size in shape), name)
