"""What an export wrote and how far it was checked."""

import dataclasses
from dataclasses import dataclass, field

from kerazoo.json_files import dumps


class ExportError(ValueError):
    """A conversion that failed, or a file whose outputs are not the model's."""


@dataclass
class ExportedFile:
    """One file of an export.

    Attributes:
        format: "saved_model", "tflite" or "onnx".
        quantization: None, "float16", "dynamic" or "int8".
        engine: what `kerazoo.load(engine=)` calls it, and what ran it for the comparison.
        path: relative to the version's folder; None where the file failed.
        bytes: size on disk.
        ops: {operation: count} of TFLite and ONNX files.
        float_ops: {operation: count} of those that still compute in float (of an int8 file).
        max_relative_error: largest difference from the model, over the model's largest output.
        agreement: share of the samples with the same answer (argmax), or None where there is none.
        latency_ms: median of one call with the file's smallest batch.
        seconds: that the conversion took.
        error: why there is no such file, or None.
        notes: what a reader has to know, for instance that the outputs do not depend on the inputs.
    """

    format: str
    quantization: str | None
    engine: str
    path: str | None = None
    bytes: int = 0
    ops: dict = field(default_factory=dict)
    float_ops: dict = field(default_factory=dict)
    max_relative_error: float | None = None
    agreement: float | None = None
    latency_ms: float | None = None
    seconds: float | None = None
    error: str | None = None
    notes: list = field(default_factory=list)


@dataclass
class ExportReport:
    """What `kerazoo.export` returns; `export.json` in the version's folder holds the same.

    Attributes:
        path: the version's folder; None where every file failed (`on_error="record"`).
        version: its number.
        model: the model's name.
        files: an `ExportedFile` for each file, failed ones included.
        verified: whether the files were reloaded and compared.
        reference: what they were compared with.
        ranking: the engines that compute in float32, as measured, fastest first.
        latency_ms: {engine: median of one call}.
        metadata: labels, preprocessing and whatever else was given.
        versions: of the packages that took part.
        signature: {"inputs": {name: dtype and shape}, "outputs": ...}; the next version must have the same.
    """

    path: str | None
    version: int | None
    model: str
    files: list
    verified: bool
    reference: str
    ranking: list = field(default_factory=list)
    latency_ms: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    signature: dict = field(default_factory=dict)

    @property
    def fastest(self):
        """The fastest engine that computes in float32, or None where nothing was measured."""
        return self.ranking[0] if self.ranking else None

    @property
    def failures(self) -> dict:
        """{engine: reason} of the files that failed."""
        return {file.engine: file.error for file in self.files if file.error}

    def file(self, engine) -> ExportedFile:
        """The file of an engine's name.

        Raises:
            KeyError: no such file was asked for.
        """
        return {file.engine: file for file in self.files}[engine]

    def to_json(self, indent=2) -> str:
        """The report as JSON."""
        return dumps(dataclasses.asdict(self) | {"fastest": self.fastest}, indent=indent)

    def __str__(self):
        head = ("file", "size", "max rel. error", "agreement", "latency", "operations")
        rows = [head, *map(_row, self.files)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        title = f"{self.model}, version {self.version}: {self.path}" if self.path else f"{self.model}: nothing exported"
        checked = f"compared with {self.reference}" if self.verified else "not verified"
        fastest = f"; fastest in float32: {self.fastest}" if self.fastest else ""
        notes = [f"{file.engine}: {note}" for file in self.files for note in file.notes]
        failed = [f"{engine} failed: {reason}" for engine, reason in self.failures.items()]
        return "\n".join([title, *lines, checked + fastest, *notes, *failed])


def _row(file):
    if file.error:
        error = "-" if file.max_relative_error is None else f"{file.max_relative_error:.1e}"
        agreement = "-" if file.agreement is None else f"{file.agreement:.1%}"
        return (file.engine, "failed", error, agreement, "-", "-")
    size = f"{file.bytes / 2**20:.2f} MB" if file.bytes >= 2**20 else f"{file.bytes / 2**10:.1f} KB"
    return (
        "saved_model.pb" if file.path == "." else file.path,
        size,
        "-" if file.max_relative_error is None else f"{file.max_relative_error:.1e}",
        "-" if file.agreement is None else f"{file.agreement:.1%}",
        "-" if file.latency_ms is None else f"{file.latency_ms:.3g} ms",
        f"{sum(file.ops.values())} of {len(file.ops)} kinds" if file.ops else "-",
    )
