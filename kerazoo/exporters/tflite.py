"""The job of a TFLite file: a SavedModel with a static batch, and builtin operations only."""

from pathlib import Path

NAMES = {
    None: "model.tflite",
    "float16": "model_float16.tflite",
    "dynamic": "model_dynamic.tflite",
    "int8": "model_int8.tflite",
}
QUANTIZATIONS = tuple(name for name in NAMES if name)


def engine(quantization):
    """What `kerazoo.load(engine=)` calls the file."""
    return f"tflite_{quantization}" if quantization else "tflite"


def add_plainly(saved_model):
    """Turns channels-first `BiasAdd`s on squeezed tensors back into the additions they stand for, in place.

    Keras writes a sum so where its second term has one axis longer than 1, which with a batch of one
    (1, time, 1) has too; TFLite's converter takes a channels-first bias for an image's and fails.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = Path(saved_model) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta in saved.meta_graphs:
        for function in meta.graph_def.library.function:
            _add_plainly(function)
    file.write_bytes(saved.SerializeToString())


def _add_plainly(function):
    squeezed = {node.name: node.input[0] for node in function.node_def if node.op == "Squeeze"}
    renamed = {}
    for node in function.node_def:
        source = node.input[1].split(":")[0] if node.op == "BiasAdd" else None
        if source in squeezed and "data_format" in node.attr and node.attr["data_format"].s == b"NCHW":
            node.op, node.input[1] = "AddV2", squeezed[source]
            del node.attr["data_format"]
            renamed[f"{node.name}:output:0"] = f"{node.name}:z:0"
    for node in function.node_def:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    for output, name in function.ret.items():
        function.ret[output] = renamed.get(name, name)


def job(saved_model, folder, quantization, *, batch_size, calibration):
    """The conversion of a SavedModel, for `process.run`.

    Args:
        saved_model: a SavedModel that takes batches of `batch_size`.
        folder: where the file goes.
        quantization: None; "float16" or "dynamic" (weights only); "int8" (weights and activations,
            float at the model's inputs and outputs).
        batch_size: of the calibration's batches.
        calibration: an .npz file with an array for each input, for int8.
    """
    return {
        "kind": "tflite",
        "saved_model": str(saved_model),
        "output": str(folder / NAMES[quantization]),
        "quantization": quantization,
        "batch_size": batch_size or 1,
        "calibration": str(calibration),
    }
