"""Where data sets lie on this machine."""

import os
from pathlib import Path


def data_folder():
    """The folder `KERAZOO_DATA_DIR`, or else the user's cache: `~/.cache/kerazoo/data`."""
    chosen = os.environ.get("KERAZOO_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerazoo" / "data"
