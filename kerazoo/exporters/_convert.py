"""One conversion in a process of its own. Run as a script by `process.py`, with job files.

It imports nothing of kerazoo, so that it runs wherever the interpreter finds TensorFlow.
"""

import collections
import json
import os
import re
import runpy
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

XLA_MARK = "_XlaMustCompile"


def to_tflite(job):
    """SavedModel -> .tflite with builtin operations only."""
    import numpy as np
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(job["saved_model"], signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if job["quantization"]:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job["quantization"] == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if job["quantization"] == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _batches(np, job["calibration"], job["batch_size"])
    Path(job["output"]).write_bytes(converter.convert())
    return _tflite_ops(job["output"])


def _batches(np, path, size):
    """Dicts of arrays by input name, each of the file's batch size; a short last batch is left out."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    count = min(map(len, arrays.values()))
    for start in range(0, max(count - size, 0) + 1, size):
        # Fewer samples than one batch: repeated up to its size.
        yield {name: np.resize(a[start : start + size], (size, *a.shape[1:])) for name, a in arrays.items()}


def _tflite_ops(path):
    """Counts of the operations in a file, and of those among them that compute in float."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
    builtin = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    ops, float_ops = collections.Counter(), collections.Counter()
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        for operator in (graph.Operators(index) for index in range(graph.OperatorsLength())):
            code = model.OperatorCodes(operator.OpcodeIndex())
            custom = code.CustomCode()
            name = custom.decode() if custom else builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            ops[name] += 1
            outputs = [graph.Tensors(operator.Outputs(index)).Type() for index in range(operator.OutputsLength())]
            if name not in ("QUANTIZE", "DEQUANTIZE") and schema.TensorType.FLOAT32 in outputs:
                float_ops[name] += 1
    return {"ops": dict(sorted(ops.items())), "float_ops": dict(sorted(float_ops.items()))}


def to_onnx(job):
    """SavedModel -> .onnx, through tf2onnx's own command line."""
    with tempfile.TemporaryDirectory() as folder:
        _write_inlinable(job["saved_model"], folder)
        _tf2onnx(folder, job)
    graph = _write_without_erfc(job["output"])
    return {"ops": dict(sorted(collections.Counter(node.op_type for node in graph.node).items())), "float_ops": {}}


def _write_inlinable(saved_model, folder):
    """Copies a SavedModel without the marks that keep functions whole for XLA.

    Keras compiles grouped convolutions by XLA on a CPU; a marked function is not inlined, and tf2onnx
    knows no calls of functions.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(saved_model, folder, dirs_exist_ok=True)
    file = Path(folder) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta in saved.meta_graphs:
        functions = meta.graph_def.library.function
        for holder in [*functions, *meta.graph_def.node, *(node for one in functions for node in one.node_def)]:
            holder.attr.pop(XLA_MARK, None)
    file.write_bytes(saved.SerializeToString())


def _tf2onnx(saved_model, job):
    sys.argv = ["tf2onnx.convert", "--saved-model", saved_model, "--output", job["output"]]
    sys.argv += ["--signature_def", "serving_default", "--tag", "serve", "--opset", str(job["opset"])]
    runpy.run_module("tf2onnx.convert", run_name="__main__")


def _write_without_erfc(path):
    """Writes erfc, which Keras's exact GELU uses and ONNX lacks, as 1 - erf; returns the graph."""
    import onnx

    model = onnx.load(path)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.op_type != "Erfc":
            model.graph.node.append(node)
            continue
        one, erf = f"{node.output[0]}/one", f"{node.output[0]}/erf"
        value = onnx.helper.make_tensor(one, onnx.TensorProto.FLOAT, (), [1.0])
        model.graph.node.extend(
            [
                onnx.helper.make_node("Constant", [], [one], value=value),
                onnx.helper.make_node("Erf", list(node.input), [erf]),
                onnx.helper.make_node("Sub", [one, erf], list(node.output)),
            ]
        )
    onnx.save(model, path)
    return model.graph


def reason(error):
    """The unsupported operations that a converter's message names, or the end of the message."""
    message = str(error)
    names = re.findall(r"'(tf\.[\w.]+)' op is neither a custom op nor a flex op", message)
    names += re.findall(r"Flex ops: ([\w, ]+)", message)
    names += re.findall(r"Tensorflow op \[[^:\]]+: (\w+)\] is not supported", message)
    names += re.findall(r"Unsupported ops: (.+)", message)
    if names:
        return "These operations have no counterpart in the format: " + ", ".join(sorted(set(names))) + "."
    return f"{type(error).__name__}: {message[-1500:].strip()}"


def run(path):
    """One job: its output file, and a result beside the job's file."""
    path = Path(path)
    log = os.open(path.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    job = json.loads(path.read_text(encoding="utf-8"))
    started = time.perf_counter()
    try:
        result = {"tflite": to_tflite, "onnx": to_onnx}[job["kind"]](job)
        result["seconds"] = round(time.perf_counter() - started, 3)
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        sys.stderr.flush()
        words = path.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
        result = {"error": reason(words if isinstance(error, SystemExit) else error)}
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(result), encoding="utf-8")
    unfinished.replace(path.with_suffix(".result"))


def main(paths):
    if len(paths) == 1:
        run(paths[0])
        return
    import tensorflow  # noqa: F401  Imported once; its runtime starts only in the forked processes.

    for path in paths:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(path)
                code = 0
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        Path(path).with_suffix(".status").write_text(str(status))


if __name__ == "__main__":
    main(sys.argv[1:])
