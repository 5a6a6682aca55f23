"""The folder of a run: a new one each time, never over an existing result; its record, written whole."""

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import kerazoo
from kerazoo import hardware


def run_folder(root, stem, *, out=None, resume=False):
    """The folder of a run, made if it is new.

    Args:
        root: where runs of this task lie.
        stem: the folder's name is `<stem>-<n>` with the next free n.
        out: the folder itself, in place of root and stem.
        resume: go on with the run in `out`, or else with the latest one of this stem.

    Raises:
        FileExistsError: a finished run, or a folder with something in it.
        FileNotFoundError: nothing to go on with.
    """
    stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in stem)
    numbers = [path.name.removeprefix(f"{stem}-") for path in Path(root).glob(f"{stem}-*")]
    latest = max((int(number) for number in numbers if number.isascii() and number.isdigit()), default=0)
    folder = Path(out) if out else Path(root) / f"{stem}-{max(latest, 1) if resume else latest + 1}"
    if (folder / "run.json").exists():
        raise FileExistsError(f"The run in {str(folder)!r} is finished; a result is never overwritten.")
    if resume and not (folder / "journal.json").exists():
        raise FileNotFoundError(f"There is no run to go on with: no epoch was saved in {str(folder)!r}.")
    if not resume and folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"The run's folder must be new, or be gone on with (--resume). Received: {str(folder)!r}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment():
    """The versions and the machine, as far as a result can depend on them."""
    return {
        "kerazoo": kerazoo.__version__,
        **{name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": hardware.cores(),
    }


def write_record(record, path):
    """Writes JSON beside `path` and moves it into place; numbers that are not finite are refused."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.writing")
    try:
        beside.write_text(json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False), encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path
