"""`run`: an application by its task's name. Listing and finding them imports no TensorFlow."""

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path

from kerazoo import global_state
from kerazoo.keras_backend import need_tensorflow
from kerazoo.registry import unknown_choice


@global_state.preserved()
def run(task, argv=None):
    """Runs an application: data, training, evaluation, report, export.

    Args:
        task: one of `kerazoo.runner.tasks()`.
        argv: the application's own options as strings; None means none.

    Returns:
        The run's record, a dictionary: what `run.json` holds.

    Raises:
        ValueError: an unknown task; the message has the nearest names. What the application raises.

    Example:

    >>> record = run("image_classification", ["--dataset", "digits"])  # doctest: +SKIP
    >>> record["test"]["accuracy"]  # doctest: +SKIP
    0.986072
    """
    return find(task).main(list(argv or []))


def diverged(record):
    """Whether a training that the record tells of ended by a loss or weights that were not finite."""
    if isinstance(record, dict):
        return record.get("diverged") is True or any(map(diverged, record.values()))
    return isinstance(record, (list, tuple)) and any(map(diverged, record))


def tasks():
    """Names of the applications, sorted."""
    return sorted(_modules())


def find(task):
    """The application's module.

    Raises:
        ValueError: an unknown task, or Keras runs on another backend than TensorFlow.
    """
    modules = _modules()
    if task not in modules:
        raise ValueError(unknown_choice("task", task, modules))
    need_tensorflow("An application")  # Before the module is imported: it imports Keras.
    return importlib.import_module(modules[task])


def _modules():
    """{task: dotted module name} of kerazoo.applications.<domain>.<task>."""
    package = _applications()
    domains = [domain.name for domain in pkgutil.iter_modules(package.__path__) if domain.ispkg]
    return {
        module.name: f"{package.__name__}.{domain}.{module.name}"
        for domain in domains
        for module in pkgutil.iter_modules([str(Path(folder) / domain) for folder in package.__path__])
        if not module.name.startswith("_")
    }


def _applications():
    """The package `kerazoo.applications`; in a checkout that is not installed, its folder beside `kerazoo`."""
    try:
        return importlib.import_module("kerazoo.applications")
    except ModuleNotFoundError as error:
        init = Path(__file__).parent.parent / "applications" / "__init__.py"
        if error.name != "kerazoo.applications" or not init.is_file():
            raise
    spec = importlib.util.spec_from_file_location(
        "kerazoo.applications", init, submodule_search_locations=[str(init.parent)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = package
    spec.loader.exec_module(package)
    return package
