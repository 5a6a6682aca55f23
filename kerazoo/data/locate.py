"""Where data sets lie on this machine."""

import os
from pathlib import Path


def data_folder():
    """The folder `KERAZOO_DATA_DIR`, or else the user's cache: `~/.cache/kerazoo/data`.

    Raises:
        OSError: the variable is not set and this user has no home folder.
    """
    chosen = os.environ.get("KERAZOO_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache:
        return Path(cache) / "kerazoo" / "data"
    try:
        return Path.home() / ".cache" / "kerazoo" / "data"
    except RuntimeError as error:
        raise OSError("This user has no home folder: set KERAZOO_DATA_DIR to a folder for data.") from error
