"""JSON that every parser reads, and files that are whole or not there at all."""

import json
import math
import os
from pathlib import Path


def finite(value):
    """`value` with None for each number that JSON does not have: NaN and the infinities.

    Example:

    >>> finite({"loss": [0.5, float("nan")]})
    {'loss': [0.5, None]}
    """
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def dumps(value, **options):
    """`json.dumps`, but strict: NaN and the infinities are null.

    Args:
        value: JSON types.
        **options: of `json.dumps`.
    """
    return json.dumps(finite(value), allow_nan=False, **options)


def write_json(value, path, **options):
    """Writes strict JSON, as UTF-8; the file is replaced as a whole.

    Args:
        value: JSON types.
        path: where.
        **options: of `json.dumps`.
    """
    text = dumps(value, ensure_ascii=False, **options)
    replace_file(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8"))


def replace_file(path, write):
    """Calls `write` with a name in the same folder and moves the file that it wrote to `path`.

    A kill or a full disk at any moment leaves what was there before.

    Args:
        path: where the file goes.
        write: function of a `Path`, which has the ending of `path`.
    """
    path = Path(path)
    unfinished = path.with_name(f"writing-{path.name}")
    try:
        write(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
