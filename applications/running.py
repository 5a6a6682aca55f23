"""What every application does alike: its options for output, its record, its way back after a stop."""

import contextlib
import contextvars
import errno
import json
import shlex
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from kerazoo.applications import starting
from kerazoo.arguments import Parser, errors_name_options
from kerazoo.engines.files import METADATA
from kerazoo.errors import one_line
from kerazoo.json_files import dumps, finite, write_json
from kerazoo.model_files import MODEL
from kerazoo.training import distribution

OUTPUT = ("out", "resume", "json")
_RUN = contextvars.ContextVar("what the present run holds until its end, an ExitStack")

EXPORT = "export"  # In a run's folder: what is not to be served.

JIT_COMPILE = {"auto": "auto", "true": True, "false": False}


def parser(task, doc):
    """An empty parser of `kerazoo run <task>`."""
    return Parser(prog=f"kerazoo run {task}", description=doc)


def add_output(arguments, task, *, export=True, resume=True):
    """The options that say where results go; those of training and exporting only where there is some."""
    output = arguments.add_argument_group("output")
    output.add_argument("--out", type=Path, help=f"the run's folder; default runs/{task}/<data>-<model>-<n>")
    if resume:
        output.add_argument(
            "--resume",
            action="store_true",
            help="resume the run in --out, or the latest one",
        )
    if export:
        output.add_argument(
            "--export",
            type=Path,
            help=f"of all versions; default saved_models/{task}/<data>-<model>, with --limit the run's own export",
        )
    output.add_argument("--json", action="store_true", help="print the record alone")


def add_training(group, *, batch_size=None, learning_rate=None, patience=None, precision=None):
    """The options that every training has; those without a default are the recipe's to decide.

    Args:
        batch_size, learning_rate, patience: what an application says of these options beyond their names.
        precision: the default.
    """
    group.add_argument("--epochs", type=int, help="passes over the training data; default: the recipe's")
    group.add_argument("--batch-size", type=int, help=batch_size or "examples in a step; default: the recipe's")
    group.add_argument("--learning-rate", type=float, help=learning_rate or "default: the recipe's or the model's own")
    patience = patience or "epochs without a better validation loss, then it stops"
    group.add_argument("--patience", type=int, help=patience)
    group.add_argument(
        "--precision",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
        default=precision,
        help="of the model's own policy" if precision else "of the model's own policy; default: the recipe's",
    )
    group.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")


def add_jit_compile(group):
    """--jit-compile, a key of `JIT_COMPILE`, whose values `kerazoo.build` takes."""
    group.add_argument("--jit-compile", choices=tuple(JIT_COMPILE), default="auto", help="compile with XLA")


def add_model_option(group):
    """--option, for arguments of the model's builder; `options` reads it."""
    group.add_argument(
        "--option", action="append", metavar="NAME=VALUE", help="an argument of the model's builder; repeatable"
    )


def options(words):
    """["width=16", ...] -> {"width": 16, ...}; values are JSON where they can be, else text.

    Raises:
        ValueError: a word without a name or a value.
    """
    named = {}
    for word in words or ():
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise ValueError(f"`--option` must be NAME=VALUE. Received: {word!r}.")
        try:
            named[name] = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            named[name] = value
    return named


def given(arguments, defaults):
    """{option: value} of what the command line says, but for where results go."""
    defaults = vars(defaults)
    return {k: v for k, v in vars(arguments).items() if v != defaults[k] and k not in OUTPUT}


def fill_in(arguments, recipe):
    """Gives every option that the command line leaves open its value of the recipe."""
    for name, value in recipe.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)


def check_positive(arguments, *names):
    """Refuses counts below 1.

    Raises:
        ValueError: one of the options, where it is given, is below 1.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"`--{name.replace('_', '-')}` must be at least 1. Received: {value}.")


def check_batch(arguments, count, repeats):
    """Refuses a batch larger than an epoch.

    Args:
        count: training images.
        repeats: the option by which each of them comes several times in an epoch.

    Raises:
        ValueError: an epoch would have no whole batch.
    """
    times = getattr(arguments, repeats)
    if count * times < arguments.batch_size:
        raise ValueError(
            f"`--batch-size` must be at most the training images times `--{repeats}`, {count} x {times} = "
            f"{count * times}: give a smaller one, or more `--{repeats}`. Received: {arguments.batch_size}."
        )


def command(task, options, *extra):
    """The command line that repeats a run."""
    several = {name: value if isinstance(value, list) else [value] for name, value in options.items()}
    words = []
    for name, values in several.items():
        option = f"--{name.replace('_', '-')}"
        words += [option if value is True else f"{option}={value}" for value in values]
    return shlex.join(["kerazoo", "run", task, *words, *extra])


def settings(arguments, names):
    """What decides the outcome of a training, in JSON types; a run is resumed only with the same."""
    values = {name: getattr(arguments, name) for name in names.split()}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def new_folder(task, stem, arguments, *, limited=None):
    """The run's folder, which is the run's alone until `main` returns; under several workers the chief makes it.

    It also settles where the run exports to, `arguments.export`, unless the command line says it: what is served of
    this task, data and model, or of a `limited` run (by default one with --limit) the run's own folder.
    """
    from kerazoo.evaluate.runs import run_folder, safe_stem

    if not distribution.is_chief():
        return Path("runs") / task / stem
    resume = getattr(arguments, "resume", False)
    folder = _RUN.get().enter_context(run_folder(Path("runs") / task, stem, out=arguments.out, resume=resume))
    arguments.run_task, arguments.run_folder = task, folder
    if hasattr(arguments, "export") and arguments.export is None:
        arguments.export = Path("saved_models") / task / safe_stem(stem)
        if getattr(arguments, "limit", None) if limited is None else limited:
            arguments.export = folder / EXPORT
            print(f"A run with --limit is not served: it exports to {arguments.export}. --export names another folder.")
        starting.check_folders(arguments)
    return folder


@contextlib.contextmanager
def resumable(again, saved="Every finished epoch"):
    """Says what is `saved` and how to go on, by the command `again`, where a run is stopped or the disk is full."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\nStopped. {saved} is saved; go on with:\n  {again}")
        raise
    except OSError as error:
        if error.errno != errno.ENOSPC and "No space left" not in str(error):
            raise
        message = f"The disk is full. {saved} is saved; free some space and go on with: {again}"
        raise OSError(errno.ENOSPC, message) from error


def record(task, given, settings, start, **parts):
    """What `run.json` holds: what every run says of itself, around the application's own parts.

    Args:
        task: the application's name.
        given: of `running.given`.
        settings: of `running.settings`.
        start: when the run began, by `time.perf_counter`.
        **parts: JSON types, by name; numbers that are not finite become None.
    """
    from kerazoo.evaluate.runs import environment

    return finite(
        {
            "task": task,
            "command": command(task, given),
            "settings": settings,
            **parts,
            "environment": environment(),
            "minutes": (time.perf_counter() - start) / 60,
        }
    )


def export(arguments, model, *, metadata=None, **options):
    """`kerazoo.export` of what a run has trained, to `arguments.export`: a file that fails does not end the run.

    It is left out and said: `finish` notes it in the record, and the command's status tells. So it is with a folder
    whose versions are another model's: the run's own folder takes the export then.

    Args:
        arguments: with what `new_folder` settled.
        model: the trained one.
        metadata: of `kerazoo.export`; the task joins it.
        **options: of `kerazoo.export`.

    Returns:
        The `ExportReport`, of the files that answer as the model does.
    """
    import kerazoo
    from kerazoo.exporters.versions import AnotherModel

    task, folder = getattr(arguments, "run_task", None), getattr(arguments, "run_folder", None)
    options |= {"metadata": {"task": task} | (metadata or {}) if task else metadata}
    options |= {"on_error": "record", "on_progress": partial(print, flush=True)}
    arguments.left_out = []
    if folder:
        _keep(model, options["metadata"], folder / MODEL)
    try:
        report = kerazoo.export(model, arguments.export, **options)
    except AnotherModel as refusal:
        if folder is None or arguments.export == folder / EXPORT:
            raise
        arguments.left_out.append(f"{refusal} The run's own folder has it: {folder / EXPORT}")
        report = kerazoo.export(model, folder / EXPORT, **options)
    arguments.left_out += [f"{engine}: {' '.join(reason.split())[:400]}" for engine, reason in report.failures.items()]
    for reason in arguments.left_out:
        print(f"Left out: {reason}")
    return replace(report, files=[file for file in report.files if not file.error])


def _keep(model, metadata, path):
    """Saves what is exported for `kerazoo export RUN`, which makes other files of it later."""
    path.parent.mkdir(exist_ok=True)
    try:
        model.save(path)
    except OSError:  # A full disk, for instance: `resumable` tells of it.
        raise
    except Exception as error:  # Whatever a layer's configuration raises, the run stands without it.
        print(f"Not saved for `kerazoo export`: {type(error).__name__}: {one_line(error)}")
        path.unlink(missing_ok=True)
        return
    write_json(metadata, path.parent / METADATA, indent=2)


def finish(arguments, record, page, summary, folder):
    """Writes the report and the record, and says what is in them.

    Args:
        arguments: of the command line; with what `export` left out.
        record: JSON types.
        page: the `Report`.
        summary: lines for the terminal.
        folder: the run's.

    Returns:
        The record.
    """
    from kerazoo.evaluate.runs import write_record

    if left_out := getattr(arguments, "left_out", []):
        record["left_out"] = left_out
        with page.section("Files left out", "These do not answer as the model does, or could not be written."):
            for reason in left_out:
                page.note(reason)
        summary += "".join(f"\nLeft out: {reason}" for reason in left_out)
    page.write(folder / "report.html")
    write_record(record, folder / "run.json")  # Last: it marks the run as finished.
    print(f"\n{summary}\nReport: {folder / 'report.html'}")
    return record


def main(arguments, run, needs=()):
    """Calls `run(arguments, start)`; with --json nothing but its record is printed.

    Args:
        arguments: of the command line.
        run: the application.
        needs: as for `starting.check`.

    Returns:
        The record.

    Raises:
        ImportError, ValueError, OSError: as `starting.check`, before anything else is done.
    """
    start = time.perf_counter()
    starting.check(arguments, needs)
    with contextlib.ExitStack() as held, contextlib.redirect_stdout(sys.stderr if arguments.json else sys.stdout):
        token = _RUN.set(held)
        held.callback(_RUN.reset, token)
        with errors_name_options(arguments):
            record = run(arguments, start)
    if arguments.json:
        print(dumps(record, indent=1))
    return record
