"""`export`: any `keras.Model` to SavedModel, TFLite and ONNX, reloaded and compared before it counts.

>>> import kerazoo
>>> report = kerazoo.export(model, "exports/digits")  # doctest: +SKIP
>>> print(report)  # doctest: +SKIP
"""

import json

from kerazoo import global_state
from kerazoo.engines.interface import Interface
from kerazoo.exporters import (
    columns,
    data,
    onnx,
    raw,
    raw_answers,
    raw_check,
    raw_language,
    raw_tags,
    raw_translation,
    raw_vectors,
    tflite,
)
from kerazoo.exporters.detector import suppresses
from kerazoo.exporters.report import ExportedFile, ExportError, ExportReport
from kerazoo.exporters.versions import check_next, new_version
from kerazoo.exporters.writing import Writing
from kerazoo.json_files import dumps
from kerazoo.keras_backend import need_tensorflow
from kerazoo.registry import unknown_choice

__all__ = ["ExportError", "ExportReport", "ExportedFile", "export"]

FORMATS = ("saved_model", "tflite", "onnx")
SIGNATURES = ("tensors", "raw", "columns")
ON_ERROR = ("raise", "record")


@global_state.preserved()
def export(
    model,
    path,
    formats=("saved_model", "tflite"),
    *,
    quantize=None,
    representative_data=None,
    batch_size=1,
    signature="tensors",
    tokenizer=None,
    metadata=None,
    verify=True,
    on_error="raise",
    on_progress=None,
):
    """Exports a model as `path/<version>/`, in the layout that TensorFlow Serving reads.

    The version is the next free number. Everything is written beside and moved into place whole;
    every file is reloaded and compared with the model first, and if one differs nothing is left.

    Args:
        model: any built `keras.Model`; under mixed precision, TFLite and ONNX get a float32 copy.
        path: the folder of all versions.
        formats: one of, or several of, "saved_model", "tflite" (builtin operations only), "onnx".
        quantize: further TFLite files: "float16", "dynamic" (8-bit weights), "int8" (8-bit weights
            and activations, float inputs and outputs), or several of them.
        representative_data: inputs as the model will see them: an array, a dict of arrays, or an
            iterable of batches (`(inputs, targets)` is fine). Needed for "int8", which is calibrated
            on it; the comparison uses it in place of random inputs; sizes that the model leaves open
            are taken from it for TFLite.
        batch_size: the batch of the TFLite files (`kerazoo.load` loops over larger ones); None leaves
            it open, which recurrent and some attention models do not survive.
        signature: "tensors", or "raw" for a further SavedModel endpoint from image files' bytes, or
            with a `tokenizer` from texts, to labels and scores; of a language model, to how texts go on; of a
            translator, to other texts; of a tagger, to words and their tags; of a reader, from questions and
            passages to answers; or "columns" for a further SavedModel endpoint of a tabular model, which takes one
            tensor for each column, by its name: float32 numbers and strings, (B,) or (B, 1).
        tokenizer: a layer from texts to ids, for a model that takes ids; `tokenizer.json` holds it for
            the files that take ids alone.
        metadata: a JSON-able dict that travels along. Used here: "labels" (one for each class); "task";
            "preprocessing": {"resize": "bilinear", "fit": "stretch" | "crop" | "pad", "antialias":
            False}; "output": "logits" | "probabilities"; "top_k": 5; "generate" of a language model: what
            `kerazoo.generation.texts.Writer.write` takes ("tokens", "temperature", "seed", ...); of a
            tabular model "numeric" and "categories", the names of its inputs' columns, and "words",
            {column: those that training saw}; `signature="columns"` adds "columns", {column: its name
            in that signature}.
        verify: reload, compare and time every file.
        on_error: "raise", or "record": files that fail are left out, their reasons are in
            `report.failures`, and the others are exported.
        on_progress: called with a line of text where something begins: `print`, for instance.

    Returns:
        An `ExportReport`; `print` shows it as a table.

    Raises:
        ValueError: an unknown format or option, "int8" without data or of a detector with suppression, a size left open
            for TFLite; a next version with other inputs, outputs, task or labels than the newest in `path`.
        ImportError: ONNX without its packages.
        ExportError: a conversion that failed (with the operations that the format lacks), or a file
            that does not answer as the model does. Tolerances are in `kerazoo.exporters.parity`.

    Example:

    >>> import keras, tempfile, kerazoo
    >>> inputs = keras.Input((8,), name="features")
    >>> model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    >>> report = kerazoo.export(model, tempfile.mkdtemp(), formats=("saved_model",))
    >>> report.version, report.files[0].max_relative_error < 1e-5
    (1, True)
    """
    formats, quantize = _several(formats), _several(quantize)
    metadata = _metadata(metadata)
    for kind, received, choices in (
        *(("format", name, FORMATS) for name in formats),
        *(("quantization", name, tflite.QUANTIZATIONS) for name in quantize),
        ("`signature`", signature, SIGNATURES),
        ("`on_error`", on_error, ON_ERROR),
    ):
        if received not in choices:
            raise ValueError(unknown_choice(kind, received, choices))
    if not formats and not quantize:
        raise ValueError(f"`formats` must name at least one of {FORMATS}. Received: {formats!r}.")
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise ValueError(f"`batch_size` must be None or a positive whole number. Received: {batch_size!r}.")
    if "int8" in quantize and representative_data is None:
        raise ValueError('`quantize="int8"` is calibrated on `representative_data`. Received: None.')
    if "int8" in quantize and suppresses(model):
        raise ValueError(
            '`quantize="int8"` cannot hold a suppression of boxes: export the detector itself, whose raw heads become '
            'boxes by `model.heads.decode`, or quantise by "dynamic" or "float16". '
            f"Received: {model.name!r}, which ends in suppression."
        )
    if "onnx" in formats:
        onnx.require()
    need_tensorflow("Export")
    representative_data = data.reusable(representative_data)
    first = data.example(representative_data)
    interface = Interface(model, first)
    if first is not None:
        interface.unpack(first)  # Refuses data that does not fit, before anything is converted.
    endpoint = None
    if signature != "tensors" and "saved_model" not in formats:
        raise ValueError(f'`signature="{signature}"` is an endpoint of the format "saved_model". Received: {formats}.')
    if signature == "columns":
        endpoint = columns.endpoint(interface, metadata)
        metadata["columns"] = endpoint.columns.inputs
    elif signature == "raw":
        if tokenizer is None:
            raw.check(interface, metadata)
            endpoint = raw.endpoint(interface, metadata)
        elif raw_vectors.embeds(metadata):
            endpoint = raw_vectors.endpoint(interface, tokenizer)
        elif raw_answers.reads(interface, tokenizer):
            endpoint = raw_answers.endpoint(interface, tokenizer)
        elif raw_tags.tags_words(interface, tokenizer):
            endpoint = raw_tags.endpoint(interface, metadata, tokenizer)
        elif raw_translation.translates(interface, tokenizer):
            endpoint = raw_translation.endpoint(interface, metadata, tokenizer)
        elif raw_language.writes(interface, tokenizer):
            endpoint = raw_language.endpoint(interface, metadata, tokenizer)
        else:
            raw.check_texts(interface, metadata, tokenizer)
            endpoint = raw.of_texts(interface, metadata, tokenizer)

    def check(engine, inputs):
        if signature == "columns":
            return endpoint.problem(engine.signatures[signature], inputs)
        return raw_check.problem(engine.raw, interface, metadata, tokenizer)

    shapes = _shapes(interface, representative_data, needed="tflite" in formats or quantize)
    inputs_and_outputs = interface.signature().words()
    check_next(path, inputs_and_outputs, metadata)
    with new_version(path) as (folder, move):
        writing = Writing(interface, folder, metadata=metadata, on_error=on_error, on_progress=on_progress)
        writing.write(formats, quantize, data=representative_data, batch_size=batch_size, shapes=shapes, raw=endpoint)
        if tokenizer is not None:
            writing.write_tokenizer(tokenizer)
        if verify:
            writing.verify(representative_data, check_endpoint=(signature, check) if endpoint else None)
        return _finish(writing.report(verified=verify, signature=inputs_and_outputs), folder, move)


def _finish(report, folder, move):
    """Moves the folder into place with its report inside; only then the report says where it is."""
    if all(file.error for file in report.files):
        return report
    (folder / "export.json").write_text(report.to_json(), encoding="utf-8")
    report.version, target = move()
    report.path = str(target)
    return report


def _several(value):
    """None, one name or several -> a tuple, without repetitions."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _metadata(metadata):
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, dict):
        raise ValueError(f"`metadata` must be a dict. Received: {type(metadata).__name__}.")
    try:
        metadata = json.loads(dumps(metadata))
    except (TypeError, ValueError) as error:
        raise ValueError(f"`metadata` must be JSON-able: {error}.") from error
    labels = metadata.get("labels")
    if labels is not None and not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
        raise ValueError(f"`labels` in the metadata must be a list of strings. Received: {labels!r}.")
    return metadata


def _shapes(interface, representative_data, *, needed):
    """{input: shape} with the sizes that the model leaves open filled in from the data.

    Raises:
        ValueError: a size left open, which TFLite needs, and no data to take it from.
    """
    if not needed or not interface.open_sizes():
        return None
    if representative_data is None:
        open_inputs = {name: interface.inputs[name].shape for name in interface.open_sizes()}
        raise ValueError(
            "TFLite needs fixed sizes: build the model with a fixed length, or give `representative_data` of that "
            f"length. Received: {open_inputs}."
        )
    return {name: array.shape for name, array in interface.unpack(data.example(representative_data)).items()}
