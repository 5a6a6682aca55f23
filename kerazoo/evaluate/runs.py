"""The folder of a run: a new one each time, never over an existing result, and locked; its record, written whole."""

import contextlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

import kerazoo
from kerazoo import hardware
from kerazoo.json_files import write_json
from kerazoo.locking import Locked, lock

LOCK = ".lock"  # In a run's folder, while it is written.
JOURNAL = "journal.json"  # Of a training's epochs, `kerazoo.training.callbacks.JOURNAL`.


@contextlib.contextmanager
def run_folder(root, stem, *, out=None, resume=False):
    """Holds the folder of a run, which is made if it is new, and removed after it if nothing was saved in it.

    So is every folder that was made for it. A journal without an epoch, which only marks a folder, is nothing saved.

    Until the end of the `with` statement no other process or run takes the folder; the lock of a killed one is none.

    Args:
        root: where runs of this task lie.
        stem: the folder's name is `<stem>-<n>` with the next free n.
        out: the folder itself, in place of root and stem.
        resume: go on with the run in `out`, or else with the latest one of this stem.

    Raises:
        FileExistsError: a finished run, a folder with something in it, or one that another run is writing to.
        FileNotFoundError: nothing to resume.
    """
    folder, made = _choose(Path(root), stem, out=out, resume=resume)
    try:
        with _locked(folder):
            _check(folder, resume=resume)
            yield folder
    finally:
        with contextlib.suppress(OSError):  # One that is not empty is a run's, and so are those around it.
            if made and _only_marked(folder):
                (folder / JOURNAL).unlink()
            for empty in made:
                empty.rmdir()


def safe_stem(stem):
    """A folder's name without what a file system may not take: "tfds:beans-lenet5" -> "tfds-beans-lenet5"."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in stem)


def _choose(root, stem, *, out, resume):
    """(the folder, those that were made now: it, and the ones around it)."""
    stem = safe_stem(stem)
    numbers = [path.name.removeprefix(f"{stem}-") for path in root.glob(f"{stem}-*")]
    latest = max((int(number) for number in numbers if number.isascii() and number.isdigit()), default=0)
    if out or resume:
        folder = Path(out or root / f"{stem}-{max(latest, 1)}")
        if resume and not folder.is_dir():
            raise FileNotFoundError(f"There is no run to resume: no epoch was saved in {str(folder)!r}.")
        made = _absent(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder, made
    while True:  # Another run may take the number first.
        latest += 1
        folder = root / f"{stem}-{latest}"
        made = _absent(folder)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder, made


def _only_marked(folder):
    """Whether nothing is in the folder but a journal without an epoch."""
    if [path.name for path in folder.iterdir()] != [JOURNAL]:
        return False
    known = json.loads((folder / JOURNAL).read_text(encoding="utf-8"))
    return "configuration" in known and not known.get("history")


def _absent(folder):
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextlib.contextmanager
def _locked(folder):
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock(folder / LOCK))
        except Locked as error:
            raise FileExistsError(f"Another run is writing to the folder: {error} Choose another with --out.") from None
        yield


def _check(folder, *, resume):
    if (folder / "run.json").exists():
        raise FileExistsError(f"The run in {str(folder)!r} is finished; a result is never overwritten.")
    if resume and not (folder / JOURNAL).exists():
        raise FileNotFoundError(f"There is no run to resume: no epoch was saved in {str(folder)!r}.")
    if not resume and any(path.name != LOCK for path in folder.iterdir()):
        raise FileExistsError(f"The run's folder must be new, or be resumed with --resume. Received: {str(folder)!r}.")


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
    """Writes JSON whole or not at all; numbers that are not finite are null."""
    write_json(record, path, indent=1)
    return Path(path)
