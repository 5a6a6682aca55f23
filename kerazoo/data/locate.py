"""Where data sets lie on this machine."""

import os

from kerazoo.paths import cache_folder, expand


def data_folder():
    """The folder `KERAZOO_DATA_DIR`, or else the user's cache: `~/.cache/kerazoo/data`."""
    chosen = os.environ.get("KERAZOO_DATA_DIR")
    if chosen:
        return expand(chosen)
    return cache_folder() / "kerazoo" / "data"
