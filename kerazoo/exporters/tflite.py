"""The job of a TFLite file: a SavedModel with a static batch, and builtin operations only."""

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
