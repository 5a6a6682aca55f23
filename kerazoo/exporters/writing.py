"""One export in the making: writes the files of a version's folder, compares them, reports."""

import importlib.metadata
import shutil
import time

import keras
import numpy as np
import tensorflow as tf

from kerazoo import engines
from kerazoo.engines import files as names
from kerazoo.engines import timing
from kerazoo.engines.interface import Interface
from kerazoo.exporters import data as representative
from kerazoo.exporters import onnx, parity, process, saved_model, tflite
from kerazoo.exporters.detector import Detector, suppresses
from kerazoo.exporters.precision import in_float32
from kerazoo.exporters.report import ExportedFile, ExportError, ExportReport
from kerazoo.json_files import write_json

RANDOM_SAMPLES = 4
TIMED_SECONDS = 0.3
_PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "tf2onnx", "onnxruntime", "openvino")


class Writing:
    """Files in `folder` of a model given by its interface."""

    def __init__(self, interface, folder, *, metadata, on_error, on_progress=None):
        self.interface, self.folder, self.metadata, self.on_error = interface, folder, metadata, on_error
        self.say = on_progress or (lambda line: None)
        self.twin = None  # The interface of the float32 model, for TFLite and ONNX.
        self.boxless = []  # Files of a detector in which neither they nor the model found a box.
        self.files, self.latency, self.ranking = [], {}, []

    def write(self, formats, quantize, *, data, batch_size, shapes, raw):
        """Writes the SavedModel here, everything else in processes of their own."""
        work = self.folder / "work"
        work.mkdir()
        if "saved_model" in formats:
            self.say("Writing saved_model ...")
            started = time.perf_counter()
            saved_model.write(self.interface, self.folder, raw=raw, positional=True)
            file = ExportedFile("saved_model", None, "saved_model", path=".")
            file.seconds = round(time.perf_counter() - started, 3)
            self.files.append(file)
        kinds = [None] * ("tflite" in formats) + list(quantize)
        if kinds or "onnx" in formats:
            model = in_float32(self.interface.model)
            self.twin = self.interface if model is self.interface.model else Interface(model, data)
        jobs = {}
        if kinds:
            saved_model.write(self.twin, work / "static", batch_size=batch_size, shapes=shapes)
            tflite.add_plainly(work / "static")
            calibration = work / "calibration.npz"
            if "int8" in kinds:
                np.savez(calibration, **representative.samples(data, self.twin))
            for kind in kinds:
                self.files.append(ExportedFile("tflite", kind, tflite.engine(kind), path=tflite.NAMES[kind]))
                jobs[tflite.engine(kind)] = tflite.job(
                    work / "static", self.folder, kind, batch_size=batch_size, calibration=calibration
                )
        if "onnx" in formats:
            source = self.folder
            if self.twin is not self.interface or "saved_model" not in formats or raw:
                source = work / "dynamic"
                saved_model.write(self.twin, source)
            self.files.append(ExportedFile("onnx", None, "onnx", path=onnx.NAME))
            jobs["onnx"] = onnx.job(source, self.folder)
        if jobs:
            self._convert(jobs, work)
        shutil.rmtree(work)
        self._write_metadata()

    def _convert(self, jobs, work):
        results = process.run(jobs, work, on_start=lambda name: self.say(f"Converting to {name} ..."))
        for file in self.files:
            result = results.get(file.engine)
            if result is None:
                continue
            if "error" in result:
                self._fail(file, f"The conversion to {file.engine} failed. {result['error']}")
                continue
            file.ops, file.seconds = result["ops"], result["seconds"]
            if file.quantization == "int8":
                file.float_ops = result["float_ops"]

    def _write_metadata(self):
        if not self.metadata:
            return
        if any(file.engine == "saved_model" and not file.error for file in self.files):
            places = [self.folder, self.folder / "assets"]
        else:
            places = [self.folder]
        for place in places:
            place.mkdir(exist_ok=True)
            write_json(self.metadata, place / names.METADATA, indent=2)
            if self.metadata.get("labels"):
                (place / names.LABELS).write_text("\n".join(self.metadata["labels"]) + "\n", encoding="utf-8")

    def write_tokenizer(self, tokenizer):
        """What turns texts into the ids that the files take, as Keras's JSON."""
        write_json(keras.saving.serialize_keras_object(tokenizer), self.folder / names.TOKENIZER)

    def verify(self, data, *, check_endpoint=None):
        """Reloads every file from disk, compares it with the model, and times the ones that pass.

        Args:
            data: representative inputs, or None for random ones.
            check_endpoint: the name of a further endpoint, and `(reloaded engine, inputs)` -> what is wrong with it, or
                None; None where there is no such endpoint.
        """
        if data is None:
            inputs = self.interface.random(RANDOM_SAMPLES)
        else:
            inputs = representative.samples(data, self.interface)
        references, loaded = {}, {}
        for file in [file for file in self.files if not file.error]:
            interface = self.interface if file.format == "saved_model" else self.twin
            if id(interface) not in references:
                references[id(interface)] = _reference(interface, inputs)
            reference = references[id(interface)]
            problem = _not_finite(reference)
            engine = None
            if problem is None:
                self.say(f"Comparing {file.engine} with the model ...")
                engine, problem = self._compare(file, interface, inputs, reference)
            if problem is None and check_endpoint and file.format == "saved_model":
                problem = _endpoint_problem(*check_endpoint, engine, inputs)
            if problem:
                self._fail(file, problem)
                continue
            loaded[file.engine] = engine
            if parity.is_vacuous(inputs, reference):
                file.notes.append("vacuous: the model answers these differing inputs alike")
        if "onnx" in loaded and names.requirement("openvino") is None:
            self._try_openvino(inputs, references[id(self.twin)], loaded)
        self._verify_heads(inputs, loaded)
        self._time(loaded, inputs)

    def _verify_heads(self, inputs, loaded):
        """Where no box was found, files of what comes before suppression are compared in place; they are not kept."""
        if not self.boxless:
            return
        folder, detector = self.folder / "heads", Detector(self.interface.model)
        inputs = detector.inputs(inputs)
        folder.mkdir()
        writing = Writing(Interface(detector.heads), folder, metadata={}, on_error="record")
        formats = [file.format for file in self.boxless if not file.quantization]
        quantize = [file.quantization for file in self.boxless if file.quantization]
        writing.write(formats, quantize, data=inputs, batch_size=1, shapes=None, raw=None)
        writing.verify(inputs)
        shutil.rmtree(folder)
        outcomes = {file.engine: file for file in writing.files}
        for file in self.boxless:
            other = outcomes[file.engine]
            file.max_relative_error = other.max_relative_error
            file.notes.append("no box scores above the threshold: what comes before suppression was compared")
            if other.error:
                loaded.pop(file.engine)
                self._fail(file, f"Before suppression: {other.error}")

    def _compare(self, file, interface, inputs, reference):
        """(engine, None), or (None, what is wrong with the file)."""
        try:
            engine = engines.load(self.folder, engine=file.engine)
            outputs = engine(inputs)
        except Exception as error:  # Whatever a runtime raises, the file does not run.
            return None, f"The {file.engine} file was written and does not run: {error}"
        outputs = outputs if isinstance(outputs, dict) else {next(iter(engine.signature.outputs)): outputs}
        kind = (file.format, file.quantization)
        if suppresses(interface.model) and set(outputs) == parity.DETECTIONS:
            detector = Detector(interface.model)
            heads = _reference(Interface(detector.heads), detector.inputs(inputs))
            found = detector.compare(outputs, heads, inputs, kind)
            if found.problem == parity.NO_BOX:
                self.boxless += [file] * (file in self.files)  # Not what merely reads another's file.
                return engine, None
        else:
            sizes = {name: value.shape[-1] for name, value in reference.items() if value.ndim > 1}
            scores = parity.score_outputs(interface.model, self.metadata, sizes)
            found = parity.compare(outputs, reference, kind=kind, classifier=scores)
        file.max_relative_error, file.agreement = found.max_relative_error, found.agreement
        if found.problem:
            return None, f"The {file.engine} file does not answer as the model does: {found.problem}."
        return engine, None

    def _try_openvino(self, inputs, reference, loaded):
        """OpenVINO reads the ONNX file: it joins the ranking if it computes the same."""
        onnx_file = next(file for file in self.files if file.engine == "onnx")
        probe = ExportedFile("onnx", None, "openvino")
        engine, problem = self._compare(probe, self.twin, inputs, reference)
        if problem:
            onnx_file.notes.append(f"not for OpenVINO: {problem}")
        else:
            loaded["openvino"] = engine

    def _time(self, loaded, inputs):
        """Latency of each engine with the smallest batch it takes, measured in turns."""
        calls = {}
        if loaded:
            self.say(f"Timing {', '.join(loaded)} ...")
        for name, engine in loaded.items():
            one = {key: value[:1] for key, value in inputs.items()}
            calls[name] = lambda engine=engine, one=one: engine(one)
        for call in calls.values():
            call()
        times = timing.interleaved(calls, seconds=TIMED_SECONDS, rounds=3)
        self.latency = {name: timing.summary(values)["median_ms"] for name, values in times.items()}
        self.ranking = sorted((name for name in self.latency if name in names.EXACT), key=self.latency.get)
        for file in self.files:
            file.latency_ms = self.latency.get(file.engine)

    def _fail(self, file, reason):
        """Raises, or takes the file out and records why."""
        if self.on_error == "raise":
            raise ExportError(reason)
        file.error = reason
        if file.format == "saved_model":
            for name in ("saved_model.pb", "fingerprint.pb"):
                (self.folder / name).unlink(missing_ok=True)
            for name in ("variables", "assets"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
        else:
            (self.folder / file.path).unlink(missing_ok=True)
        file.path = None

    def report(self, *, verified, signature):
        """The report on what is in the folder now."""
        for file in self.files:
            if file.path:
                path = self.folder / file.path
                file.bytes = saved_model.size(path) if file.format == "saved_model" else path.stat().st_size
        reference = "model(x, training=False)"
        if self.twin not in (None, self.interface):
            reference += ", TFLite and ONNX with the model's float32 copy"
        return ExportReport(
            path=None,
            version=None,
            model=self.interface.model.name,
            files=self.files,
            verified=verified,
            reference=reference,
            ranking=self.ranking,
            latency_ms=self.latency,
            metadata=self.metadata,
            versions=_versions(),
            signature=signature,
        )


def _reference(interface, inputs, size=32):
    """{output: array} of the model itself, called in pieces that fit in memory."""
    count = len(next(iter(inputs.values())))
    pieces = []
    for start in range(0, count, size):
        outputs = interface.serve(**{name: value[start : start + size] for name, value in inputs.items()})
        pieces.append({name: np.asarray(value) for name, value in outputs.items()})
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _endpoint_problem(name, check, engine, inputs):
    try:
        found = check(engine, inputs)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        return f"The endpoint `{name}` was written and does not run: {error}"
    return found and f"The endpoint `{name}` does not answer as the model does: {found}."


def _not_finite(reference):
    bad = [name for name, value in reference.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    return f"The model's own output {bad[0]!r} is not finite." if bad else None


def _versions():
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # An optional one.
    return found
