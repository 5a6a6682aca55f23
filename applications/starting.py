"""What is checked before a run begins, because without it the run would fail after its training."""

import tempfile

from kerazoo.extras import need
from kerazoo.keras_backend import need_tensorflow


def check(arguments, needs=()):
    """Refuses a run that could not be finished here.

    Args:
        arguments: of the command line.
        needs: modules of kerazoo's extras that the run imports, also those that only its end does.

    Raises:
        ImportError: one of them is missing; the message has the `pip install` line.
        ValueError: Keras runs on another backend than TensorFlow.
        OSError: as `check_folders`.
    """
    need_tensorflow("An application")
    for module in needs:
        need(module)
    check_folders(arguments)


def check_folders(arguments):
    """Refuses --out and --export where no results can be written there.

    Raises:
        OSError: as `check_folder`.
    """
    for name in ("out", "export"):
        if path := getattr(arguments, name, None):
            check_folder(f"`--{name}`", path)


def check_folder(what, path):
    """Refuses a folder that cannot be made or written to; leaves nothing behind.

    Args:
        what: the folder is, for the message.
        path: a `pathlib.Path`.

    Raises:
        NotADirectoryError: it, or what it would lie in, is a file.
        OSError: nothing can be made there; the message has the reason.
    """
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    if not there.is_dir():
        which = "a file" if there == path.absolute() else f"in the file {str(there)!r}"
        raise NotADirectoryError(f"{what} must be a folder. Received: {str(path)!r}, {which}.")
    try:
        tempfile.TemporaryDirectory(dir=there).cleanup()  # Rights alone do not tell: a disk may be read-only.
    except OSError as error:
        raise OSError(
            error.errno, f"{what} must be a folder that can be written to ({error.strerror}). Received: {str(path)!r}."
        ) from error
