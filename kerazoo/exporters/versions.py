"""Version folders: written beside, moved into place whole, never over an older one."""

import contextlib
import os
import shutil
import socket
import uuid

from kerazoo import engines
from kerazoo.engines.files import find, versions
from kerazoo.locking import Locked, lock
from kerazoo.paths import expand

HIDDEN = ".export-"  # Then whose folder it is: machine, and a word of its own; its lock ends with the process.
LOCK = ".lock"  # Ends the name of its file, beside the folder.


class AnotherModel(ValueError):
    """A folder of versions whose newest is not of the model that is to become the next."""


def check_next(root, signature, metadata):
    """Refuses a next version that whoever serves the newest could not call, or would misread.

    Args:
        root: the folder that holds the versions, or will.
        signature: of `Signature.words`.
        metadata: its "task" and "labels" are compared.

    Raises:
        AnotherModel: other inputs or outputs (names, dtypes, shapes but for the batch), another task or other labels.
    """
    root = expand(root)
    numbers = [number for number in versions(root) if _holds(root / str(number))] if root.is_dir() else []
    if not numbers:
        return
    newest = find(root / str(numbers[-1]))
    held = {name: newest.metadata.get(name) for name in ("task", "labels")}
    given = {name: metadata.get(name) for name in held}
    if None in (held["task"], given["task"]):  # Not every export says it.
        del held["task"], given["task"]
    held |= _signature(newest) or signature
    given |= signature
    for name, value in held.items():
        if value != given[name]:
            raise AnotherModel(
                "A next version must have the inputs, outputs, task and labels of the newest: give another folder. "
                f"Received: {_shown(given[name])} as the {name}, where {newest.folder} has {_shown(value)}."
            )


def _holds(folder):
    with contextlib.suppress(FileNotFoundError):
        return find(folder).folder == folder
    return False


def _signature(found):
    """What `Signature.words` gave of an export; None where neither its report nor a SavedModel tells."""
    if found.signature or "saved_model" not in found.files:
        return found.signature
    return engines.load(found.folder, engine="saved_model").signature.words()  # Exported before reports had it.


def _shown(value, longest=160):
    text = ", ".join(f"{name}: {facts}" for name, facts in value.items()) if isinstance(value, dict) else repr(value)
    return text if len(text) <= longest else f"{text[:longest]}..."


@contextlib.contextmanager
def new_version(root):
    """Yields a hidden folder in `root` and a function that moves it to the next version number.

    Whatever was not moved is removed at the end, also after an error or Ctrl-C, and so is every
    folder that was made for it. What a killed export of this machine left in `root` is removed first.

    Args:
        root: the folder that holds the versions; it is made where it does not exist.

    Raises:
        NotADirectoryError: `root` is a file.
    """
    root = expand(root)
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"`path` must be a folder. Received: the file {str(root)!r}.")
    made = [folder for folder in (root, *root.parents) if not folder.exists()]
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    # TensorFlow Serving reads folders with numbers only.
    hidden = root / f"{HIDDEN}{socket.gethostname()}-{uuid.uuid4().hex}"
    try:
        with lock(hidden.with_name(hidden.name + LOCK)):
            hidden.mkdir()
            try:
                yield hidden, lambda: _move(hidden, root)
            finally:
                if hidden.exists():
                    shutil.rmtree(hidden)
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # Not empty: the version is in it, or another export's.
                folder.rmdir()


def _sweep(root):
    """Removes the hidden folders of this machine whose lock nobody holds: who is killed cannot remove them."""
    for path in root.glob(f"{HIDDEN}{socket.gethostname()}-*"):
        folder = path.with_name(path.name.removesuffix(LOCK))
        with contextlib.suppress(Locked), lock(folder.with_name(folder.name + LOCK)):
            shutil.rmtree(folder, ignore_errors=True)


def _move(hidden, root):
    """Takes the next free number; another exporter may take it first, then the next one is tried."""
    number = max(versions(root), default=0) + 1
    while True:
        target = root / str(number)
        try:
            os.rename(hidden, target)  # Refuses a folder with anything in it.
            return number, target
        except OSError:
            if not target.exists():
                raise
            number += 1
