"""Where data sets lie on this machine."""

import os

from kerazoo.paths import cache_folder, expand


def data_folder():
    """The folder `KERAZOO_DATA_DIR`, or else the user's cache: `~/.cache/kerazoo/data`.

    Raises:
        OSError: the variable is not set and this user has no home folder.
    """
    chosen = os.environ.get("KERAZOO_DATA_DIR")
    if chosen:
        return expand(chosen)
    return cache_folder() / "kerazoo" / "data"
