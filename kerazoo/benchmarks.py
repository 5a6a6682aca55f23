"""`benchmark`: what a model costs on this machine, every way of running it side by side in one run.

Rounds go through all ways in turn, so that a machine that slows down slows them all alike: ratios
within a run can be trusted, milliseconds of different runs cannot.
"""

import ast
import tempfile
from importlib.util import find_spec

from kerazoo import global_state, hardware
from kerazoo.json_files import dumps
from kerazoo.registry import unknown_choice

ENGINES = (
    "eager",
    "predict",
    "compiled",
    "xla",
    "saved_model",
    "tflite",
    "tflite_int8",
    "onnx",
    "openvino",
)
EXPORTED = {
    "saved_model": {"formats": ("saved_model",)},
    "tflite": {"formats": ("tflite",)},
    "tflite_int8": {"quantize": ("int8",)},
    "onnx": {"formats": ("onnx",)},
    "openvino": {"formats": ("onnx",)},
}
# Engines of `load(engine="auto")`: what they compute is what the model computes.
SERVING = ("saved_model", "tflite", "onnx", "openvino")
# Below this gain XLA is not worth the seconds that it compiles.
WORTH = 1.05
CALIBRATION_SAMPLES = 4
TRAINING = 10  # times `seconds` for all combinations of training together


@global_state.preserved()
def benchmark(name_or_model, *, batch=(1, 32), train=False, engines=None, seconds=3.0, rounds=5, build_arguments=None):
    """Measures latency and throughput of every way to run a model, and of its training step.

    Args:
        name_or_model: one of `kerazoo.list_models()`, or a built `keras.Model`.
        batch: one batch size or several.
        train: measure training too, at the largest batch: float32 and bfloat16, XLA off and on,
            steps_per_execution 1, 8 and 32, beside a hand-written loop. It needs a model's name.
        engines: some of `kerazoo.benchmarks.ENGINES`; None measures all.
        seconds: timed for each engine and batch size; training takes ten times that.
        rounds: turns that the time is divided into.
        build_arguments: for `kerazoo.build`, where a name is given.

    Returns:
        A JSON-able record: "model", "machine", "inference" (a row for each engine and batch, with
        "median_ms", "mean_ms", "p90_ms", "per_second" by the mean, or "error"), "training" (rows with
        "examples_per_second"), "engine_ranking" (serving engines in float32, fastest first at the
        smallest batch), "xla_speedup" and "xla_faster" ({device model: {precision: bool}}: what
        jit_compile="auto" reads).
        `kerazoo.benchmarks.table(record)` renders it.

    Raises:
        ValueError: an unknown engine or model name, a batch below 1, training without a name.

    Example:

    >>> import kerazoo
    >>> small = {"input_shape": (8, 8, 3), "hidden": (16,)}
    >>> record = kerazoo.benchmark("mlp", batch=1, engines=("eager", "compiled"), seconds=0.1, build_arguments=small)
    >>> [row["engine"] for row in record["inference"]]
    ['eager', 'compiled']
    """
    batches = (batch,) if isinstance(batch, int) else tuple(batch)
    if not batches or any(not isinstance(size, int) or size < 1 for size in batches):
        raise ValueError(f"`batch` must be one positive whole number or several. Received: {batch!r}.")
    wanted = ENGINES if engines is None else (engines,) if isinstance(engines, str) else tuple(engines)
    for engine in wanted:
        if engine not in ENGINES:
            raise ValueError(unknown_choice("engine", engine, ENGINES))
    named = isinstance(name_or_model, str)
    if train and not named:
        raise ValueError("Training is measured on models built by name. Received: a built model and train=True.")
    arguments = dict(build_arguments or {})
    if named:
        from kerazoo.builder import build

        model = build(name_or_model, **({"jit_compile": False} | arguments))
    else:
        model = name_or_model
    record = {"model": model.name, "machine": machine(), "build_arguments": arguments, "inference": []}
    record["precision"] = model.dtype_policy.name
    record["inference"] = _inference(model, batches, wanted, seconds=seconds, rounds=rounds)
    if train:
        from kerazoo import throughput

        record["training"] = throughput.measure(
            name_or_model, batch=max(batches), build_arguments=arguments, seconds=TRAINING * seconds
        )
    return record | _findings(record)


def machine() -> dict:
    """What the numbers hold for."""
    import keras
    import tensorflow as tf

    return {
        "device": hardware.device(),
        "processor": hardware.processor(),
        "cores": hardware.cores(),
        "gpus": list(hardware.gpus()),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def _inference(model, batches, wanted, *, seconds, rounds):
    from kerazoo.engines import timing
    from kerazoo.engines.interface import Interface

    interface = Interface(model)
    with tempfile.TemporaryDirectory() as folder:
        exported = [engine for engine in wanted if engine in EXPORTED]
        runners, errors = _load(interface, exported, folder)
        runners = {engine: runners[engine] for engine in exported if engine in runners}
        for engine in wanted:
            if engine not in EXPORTED:
                runners[engine] = _in_keras(engine, interface)
        rows = []
        for size in batches:
            inputs = interface.random(size)
            calls, failed = {}, dict(errors)
            for engine in wanted:
                if engine not in runners:
                    continue
                calls[engine] = lambda run=runners[engine]: run(inputs)  # noqa: B023  Used within this turn.
                try:
                    calls[engine]()
                    calls[engine]()
                except Exception as error:  # Whatever an engine raises is a row of the table, not its end.
                    failed[engine] = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
                    del calls[engine]
            times = timing.interleaved(calls, seconds=seconds, rounds=rounds)
            for engine in wanted:
                row = {"engine": engine, "batch": size}
                if engine in times:
                    row |= timing.summary(times[engine])
                    row["per_second"] = round(1e3 * size / row["mean_ms"], 1)
                else:
                    row["error"] = failed[engine]
                rows.append(row)
    return rows


def _load(interface, wanted, folder):
    """({engine: callable}, {engine: reason why there is none}) of the exported engines."""
    from kerazoo import engines, exporters
    from kerazoo.engines.files import requirement

    errors = {engine: f"not installed: {requirement(engine)}" for engine in wanted if requirement(engine)}
    if {"onnx", "openvino"} & set(wanted):
        missing = [name for name in ("tf2onnx", "onnx") if find_spec(name) is None]
        if missing:
            line = 'not installed: pip install "kerazoo[onnx]"'
            errors |= {engine: line for engine in ("onnx", "openvino") if engine in wanted}
    usable = [engine for engine in wanted if engine not in errors]
    if not usable:
        return {}, errors
    formats = {name for engine in usable for name in EXPORTED[engine].get("formats", ())}
    quantize = {name for engine in usable for name in EXPORTED[engine].get("quantize", ())}
    report = exporters.export(
        interface.model,
        folder,
        formats=sorted(formats),
        quantize=sorted(quantize),
        # Random inputs calibrate well enough to time the kernels; what they answer is not looked at.
        representative_data=interface.random(CALIBRATION_SAMPLES) if quantize else None,
        verify=False,
        on_error="record",
    )
    loaded = {}
    for engine in usable:
        source = "onnx" if engine == "openvino" else engine
        if source in report.failures:
            errors[engine] = report.failures[source].splitlines()[0]
            continue
        try:
            loaded[engine] = engines.load(report.path, engine=engine)
        except ValueError as error:
            errors[engine] = str(error).splitlines()[0][:300]
    return loaded, errors


def _in_keras(engine, interface):
    """The callable of an engine that runs the Keras model itself, outputs fetched as arrays."""
    import numpy as np
    import tensorflow as tf

    if engine == "predict":
        return lambda inputs: interface.model.predict(
            interface.pack(inputs), batch_size=len(next(iter(inputs.values()))), verbose=0
        )
    forward = interface.serve
    if engine in ("compiled", "xla"):
        forward = tf.function(interface.serve, jit_compile=engine == "xla", autograph=False)

    def run(inputs):
        outputs = forward(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: np.asarray(value) for name, value in outputs.items()}

    return run


def _findings(record) -> dict:
    """The engines' ranking, and whether XLA pays: in training where it was measured, else in inference."""
    rows = [row for row in record["inference"] if "error" not in row]
    smallest = min((row["batch"] for row in rows), default=None)
    serving = {row["engine"]: row["median_ms"] for row in rows if row["batch"] == smallest and row["engine"] in SERVING}
    speedup = {}
    for size in sorted({row["batch"] for row in rows}):
        milliseconds = {row["engine"]: row["median_ms"] for row in rows if row["batch"] == size}
        if {"compiled", "xla"} <= set(milliseconds):
            speedup[f"batch_{size}"] = round(milliseconds["compiled"] / milliseconds["xla"], 3)
    faster, precision = {}, record.get("precision", "float32")
    # Compiling is decided for training and inference at once: inference alone can only speak against it.
    if speedup and min(speedup.values()) < WORTH:
        faster[precision] = False
    for precision, gain in _training_gains(record.get("training", [])).items():
        faster[precision] = gain >= WORTH
        speedup["train" if precision == "float32" else f"train_{precision}"] = round(gain, 3)
    found = {record["machine"]["device"]: faster} if faster else {}
    return {"engine_ranking": sorted(serving, key=serving.get), "xla_speedup": speedup, "xla_faster": found}


def _training_gains(rows):
    """{precision: speed with XLA over without}, of fit alone: the hand-written loop keeps no metrics, and is plain."""
    best = {}
    for row in rows:
        if "error" not in row and row["loop"] == "fit":
            key = row["precision"], row["xla"]
            best[key] = max(best.get(key, 0), row["examples_per_second"])
    return {
        precision: best[precision, True] / speed
        for (precision, xla), speed in best.items()
        if not xla and (precision, True) in best
    }


def table(record) -> str:
    """A record as text, for a reader."""
    facts = record["machine"]
    lines = [
        f"{record['model']} on {facts['cores']} cores of {facts['processor']}"
        + (f" and {', '.join(facts['gpus'])}" if facts["gpus"] else "")
        + f", TensorFlow {facts['tensorflow']}, Keras {facts['keras']}"
    ]
    predict = {row["batch"]: row.get("mean_ms") for row in record["inference"] if row["engine"] == "predict"}
    rows = [("engine", "batch", "median ms", "p90 ms", "examples/s", "times predict")]
    for row in record["inference"]:
        head = (row["engine"], str(row["batch"]))
        if "error" in row:
            rows.append((*head, "-", "-", "-", row["error"]))
            continue
        against = predict.get(row["batch"])
        ratio = f"{against / row['mean_ms']:.2f}" if against else "-"
        rows.append((*head, f"{row['median_ms']:.3g}", f"{row['p90_ms']:.3g}", f"{row['per_second']:.4g}", ratio))
    lines += ["", *_aligned(rows)]
    if record.get("training"):
        rows = [("training", "precision", "XLA", "steps/execution", "examples/s")]
        for row in record["training"]:
            xla = {True: "on", False: "off"}.get(row.get("xla"), "-")
            rate = row.get("error") or f"{row['examples_per_second']:.4g}"
            rows.append((row["loop"], row["precision"], xla, str(row.get("steps_per_execution", "-")), rate))
        lines += ["", *_aligned(rows)]
    lines += ["", f"Serving in float32, fastest first: {', '.join(record['engine_ranking']) or 'not measured'}."]
    if record["xla_speedup"]:
        said = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in record["xla_speedup"].items())
        lines.append(f"XLA over off (above 1 is faster): {said}.")
    return "\n".join(lines)


def _aligned(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    texts = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]) for row in rows]
    return [texts[0], "-" * len(texts[0]), *texts[1:]]


def add_arguments(parser) -> None:
    """The arguments of `kerazoo benchmark`, on an `argparse` parser."""
    parser.add_argument("model", help="one of `kerazoo list`")
    parser.add_argument("--batch", default="1,32", help="batch sizes, with commas (default: %(default)s)")
    parser.add_argument("--train", action="store_true", help="measure training steps too, at the largest batch")
    parser.add_argument("--engines", help=f"with commas, some of: {', '.join(ENGINES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=3.0, help="timed for each engine and batch size")
    parser.add_argument("--json", action="store_true", help="print the record in place of the table")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ARGUMENT=VALUE",
        help="an argument of kerazoo.build, for instance input_shape=(96,96,3)",
    )
    parser.add_argument(
        "--write-catalog",
        action="store_true",
        help="record whether XLA pays, for this model's whole family: what jit_compile='auto' then does",
    )


def run(arguments) -> int:
    """`kerazoo benchmark`: measures, prints, returns the exit status.

    Raises:
        ValueError: as `benchmark`, or arguments that cannot be read.
    """
    try:
        batches = tuple(int(size) for size in arguments.batch.split(","))
    except ValueError:
        raise ValueError(f"`--batch` must be whole numbers with commas. Received: {arguments.batch!r}.") from None
    build_arguments = dict(_assignment(text) for text in arguments.set)
    record = benchmark(
        arguments.model,
        batch=batches,
        train=arguments.train,
        engines=arguments.engines.split(",") if arguments.engines else None,
        seconds=arguments.seconds,
        build_arguments=build_arguments,
    )
    if arguments.write_catalog:
        _write_findings(arguments.model, record)
    print(dumps(record, indent=2) if arguments.json else table(record))
    return 0


def _write_findings(name, record):
    """Puts the findings on XLA into the catalog, for every model that is the same at smoke size: its family.

    Raises:
        ValueError: nothing was measured that tells.
    """
    if not record["xla_speedup"]:
        raise ValueError("--write-catalog needs the engines 'compiled' and 'xla', or --train. Received neither.")
    from kerazoo import catalog
    from kerazoo.verification import plan, writer

    measured = record["build_arguments"] | {"batches": sorted({row["batch"] for row in record["inference"]})}
    speedup = record["xla_speedup"] | {"model": name, "at": measured}
    family, models = plan.group(name), catalog.read()["models"]
    findings = {}
    for other in catalog.list_models():
        if plan.group(other) == family:
            known = models.get(other, {}).get("measured", {}).get("xla_faster", {})
            findings[other] = {"xla_faster": _merged(known, record["xla_faster"]), "xla_speedup": speedup}
    writer.write(findings=findings)


def _merged(known, found):
    """{device: {precision: bool}} of both; what was found is newer."""
    return known | {device: known.get(device, {}) | faster for device, faster in found.items()}


def _assignment(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"`--set` takes ARGUMENT=VALUE. Received: {text!r}.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value  # A plain word is a string.
