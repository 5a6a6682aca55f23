"""The command line: kerazoo list | info | run | export | verify | benchmark | doctor."""

import argparse
import contextlib
import os
import sys
import traceback

from kerazoo import __version__, catalog, keras_backend, quiet
from kerazoo.arguments import Arguments, Parser, errors_name_options
from kerazoo.errors import one_line
from kerazoo.json_files import dumps
from kerazoo.registry import unknown_choice
from kerazoo.signals import Terminated, sigterm_interrupts
from kerazoo.weights.licenses import licenses


def main(argv=None) -> int:
    """Runs one command and returns its exit status; an error is one line on stderr.

    Status 2 is an error of use, 1 a check that failed, a training that diverged or a fault of kerazoo's own, 130 a
    stop by Ctrl-C, 143 one by SIGTERM.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    verbose = "--verbose" in argv
    argv = [word for word in argv if word != "--verbose"]
    try:
        with sigterm_interrupts(), contextlib.nullcontext() if verbose else quiet.libraries():
            status = _command(argv)
            sys.stdout.flush()
            return status
    except BrokenPipeError:  # `kerazoo list | head -1`: whoever read has enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, OSError, ImportError) as error:
        return _failed(one_line(error, longest=None), 2, verbose)
    except Terminated:
        return _failed("terminated", 143, False)
    except KeyboardInterrupt:
        return _failed("interrupted", 130, False)
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {one_line(error)}"
        return _failed(f"{message} (a fault of kerazoo's: --verbose shows where)", 1, verbose)


def _failed(message, status, verbose):
    if verbose:
        traceback.print_exc()
    print(f"kerazoo: {message}", file=sys.stderr)
    return status


def _command(argv):
    if argv[:1] == ["run"] and len(argv) > 1 and not argv[1].startswith("-"):
        arguments = Arguments(command=_run, task=argv[1], rest=argv[2:])
        arguments.spelled = {}  # The application knows its options.
    else:
        arguments = _parser(argv).parse_args(argv)
    with errors_name_options(arguments):
        return arguments.command(arguments) or 0


def _parser(argv=()):
    parser = Parser(prog="kerazoo", description="Compiled, verified, exportable Keras models.")
    parser.add_argument("--version", action="version", version=f"kerazoo {__version__}")
    parser.add_argument("--verbose", action="store_true", help="show what libraries log, and tracebacks of errors")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="names of the models that match")
    listing.add_argument(
        "pattern", nargs="?", default="*", help="part of a name, or a shell pattern of all of it: 'resnet*'"
    )
    listing.add_argument("--domain", help="only this domain's, for instance vision")
    listing.add_argument("--task", help="only this task's, for instance image_classification")
    listing.add_argument("--exports", help="only models proven to export to this format, for instance tflite")
    listing.add_argument("--json", action="store_true", help="names as a JSON list")
    listing.set_defaults(command=_list)

    info = commands.add_parser("info", help="what is known of one model")
    info.add_argument("name")
    info.add_argument("--json", action="store_true", help="everything, as JSON")
    info.set_defaults(command=_info)

    run = commands.add_parser("run", help="an application: data, training, evaluation, report, export")
    run.add_argument("task", nargs="?", help="for instance image_classification; none lists them")
    run.add_argument("rest", nargs=argparse.REMAINDER, help="the application's own options; --help shows them")
    run.set_defaults(command=_run)

    export = commands.add_parser("export", help="a saved .keras model, or a run's, as SavedModel, TFLite, ONNX")
    export.add_argument("model", help="a .keras file, opened in safe mode, or the folder of a finished run")
    export.add_argument("path", help="folder that receives the next version")
    export.add_argument("--formats", default="saved_model,tflite", help="of saved_model, tflite, onnx, with commas")
    smaller = "a smaller TFLite file beside the exact one; int8 needs --representative-data"
    export.add_argument("--quantize", choices=("float16", "dynamic", "int8"), help=smaller)
    samples = "inputs as the model will see them: an .npy file, or an .npz with an array for each input"
    export.add_argument("--representative-data", metavar="FILE", help=samples)
    export.add_argument("--batch-size", type=int, default=1, help="TFLite's batch; 0 leaves it open")
    export.add_argument("--json", action="store_true", help="the report as JSON")
    export.set_defaults(command=_export)

    verify = commands.add_parser("verify", help="check what models promise")
    verify.add_argument("names", nargs="*", help="names or patterns; none means every model")
    verify.add_argument("--full", action="store_true", help="the exports and parameter counts too, not only the model")
    verify.add_argument("--changed", action="store_true", help="only models whose catalog entry no longer stands")
    verify.add_argument("--promises", help="only these, with commas")
    verify.add_argument("--jobs", type=int, default=1, help="processes at a time")
    verify.add_argument("--json", action="store_true", help="the reports as JSON")
    verify.add_argument(
        "--write-catalog",
        action="store_true",
        help="record the outcome in catalog.json; --full where no --promises are named",
    )
    verify.set_defaults(command=_verify)

    benchmark = commands.add_parser("benchmark", help="latency and throughput of every engine, side by side")
    benchmark.set_defaults(command=_benchmark)
    if argv[:1] == ["benchmark"]:  # Its options come from a module that the others need not import.
        from kerazoo import benchmarks

        benchmarks.add_arguments(benchmark)

    doctor = commands.add_parser("doctor", help="versions, devices, extras: what is there and what is missing")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(command=_doctor)
    return parser


def _list(arguments):
    pattern = arguments.pattern
    within = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    filters = {name: getattr(arguments, name) for name in ("domain", "task", "exports")}
    names = catalog.list_models(within, **filters)
    if not names:
        given = ", ".join(f"--{name} {value}" for name, value in filters.items() if value)
        if given:
            raise ValueError(f"No model matches; `kerazoo list` lists all. Received: {pattern!r}, {given}.")
        raise ValueError(unknown_choice("model", pattern, catalog.list_models()))
    print(dumps(names) if arguments.json else "\n".join(names))


def _info(arguments):
    facts = catalog.info(arguments.name)
    if arguments.json:
        print(dumps(facts, indent=1))
        return
    measured = facts.pop("measured", {})
    facts.pop("weights_licenses")
    for key, value in facts.items():
        if value not in (None, {}, []):
            print(f"{key:14} {dumps(value) if isinstance(value, (dict, list)) else value}")
    for tag, found in licenses(facts).items():
        print(f"license        {tag}: {found}")
    for promise, outcome in measured.get("promises", {}).items():
        print(f"{promise:18} {_outcome(outcome)}")


def _outcome(outcome):
    detail = outcome.get("reason", outcome.get("value", ""))
    return f"{outcome['status']:5} {detail}".rstrip()


def _run(arguments):
    from kerazoo import runner

    if not arguments.task:
        print("\n".join(runner.tasks()))
        return None
    record = runner.run(arguments.task, arguments.rest)
    left_out = isinstance(record, dict) and record.get("left_out")  # Files that failed; the rest of the run stands.
    return int(bool(left_out or runner.diverged(record)))


def _export(arguments):
    if arguments.quantize == "int8" and not arguments.representative_data:
        raise ValueError("`--quantize int8` is calibrated on `--representative-data`. Received: no such file.")
    keras_backend.need_tensorflow("Export")
    from kerazoo.engines.files import find
    from kerazoo.exporters import export
    from kerazoo.exporters.data import from_file
    from kerazoo.model_files import load_model, of_run

    data = from_file(arguments.representative_data) if arguments.representative_data else None
    path = of_run(arguments.model)
    model = load_model(path)
    report = export(
        model,
        arguments.path,
        formats=tuple(arguments.formats.split(",")),
        quantize=arguments.quantize,
        representative_data=data,
        batch_size=arguments.batch_size or None,
        metadata=find(path).metadata,
        on_progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(report.to_json() if arguments.json else report)


def _verify(arguments):
    keras_backend.need_tensorflow("`kerazoo verify`")
    from kerazoo.verification import plan, runner, writer

    names = runner.select(arguments.names)
    if arguments.changed:
        names = [name for name in names if plan.changed(name)]
    promises = arguments.promises.split(",") if arguments.promises else None
    if promises is None and not (arguments.full or arguments.write_catalog):
        promises = plan.QUICK
    out_of_date = [name for name in names if plan.changed(name)]
    if promises is not None and arguments.write_catalog and out_of_date:
        raise ValueError(
            "--write-catalog with --promises adds to records that stand; verify every promise of the others first. "
            f"Received: {', '.join(out_of_date[:3])} out of date."
        )

    def show(name, promise, outcome):
        print(f"{name:28} {promise:16} {_outcome(outcome)}", file=sys.stderr, flush=True)

    reports = runner.verify(*names, promises=promises, jobs=arguments.jobs, on_result=show) if names else []
    regressions = {report.name: report.regressions() for report in reports}  # Before they become known.
    if arguments.write_catalog:
        writer.write(reports)
    if arguments.json:
        print(dumps({report.name: report.promises for report in reports}, indent=1))
    else:
        kept = sum(o["status"] == "pass" for report in reports for o in report.promises.values())
        print(f"{len(reports)} models, {kept} promises kept")
        for report in reports:
            for promise, reason in report.failures.items():
                known = "" if promise in regressions[report.name] else " (known)"
                print(f"FAIL {report.name} {promise}{known}: {reason}")
    return int(any(regressions.values()))


def _benchmark(arguments):
    keras_backend.need_tensorflow("`kerazoo benchmark`")
    from kerazoo import benchmarks

    return benchmarks.run(arguments)


def _doctor(arguments):
    from kerazoo import doctor

    findings = doctor.examine()
    print(dumps(findings, indent=1) if arguments.json else doctor.table(findings))
    return int(not findings["healthy"])


if __name__ == "__main__":
    sys.exit(main())
