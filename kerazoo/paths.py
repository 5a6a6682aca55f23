"""Paths as users give them, expanded in one place."""

import os
from pathlib import Path


def expand(path):
    """A path whose leading `~` or `~name` is that user's home folder.

    Args:
        path: a string or a path.

    Returns:
        A `pathlib.Path`.

    Raises:
        ValueError: it begins with `~`, and there is no such home folder.

    Example:

    >>> from kerazoo.paths import expand
    >>> expand("~/models/a.keras") == expand("~") / "models" / "a.keras"
    True
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"`~` must be a user with a home folder; give the whole path. Received: {str(path)!r}."
        ) from error


def cache_folder():
    """Where programs of this user keep what they can fetch again: `XDG_CACHE_HOME`, or else `~/.cache`.

    Raises:
        ValueError: neither is known.
    """
    chosen = os.environ.get("XDG_CACHE_HOME")
    try:
        return expand(chosen or "~/.cache")
    except ValueError as error:
        raise ValueError(
            "This user has no home folder: set XDG_CACHE_HOME, or KERAZOO_DATA_DIR for data sets."
        ) from error
