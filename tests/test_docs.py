"""The documents say what the catalog says, and their examples run."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import kerazoo

ROOT = Path(__file__).parents[1]
MODULES = ["kerazoo"] + sorted(
    module.name
    for module in pkgutil.walk_packages(kerazoo.__path__, "kerazoo.")
    if not module.name.endswith(("__main__", "_convert"))
)


def test_model_tables_are_up_to_date():
    done = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}: run `python docs/generate.py`"


def _examples():
    """(module, test) of every docstring that has an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in MODULES:
        source = Path(*name.split("."))
        path = ROOT / source.with_suffix(".py")
        text = (path if path.exists() else ROOT / source / "__init__.py").read_text(encoding="utf-8")
        if ">>>" not in text:  # Spares the import of everything else.
            continue
        for test in finder.find(importlib.import_module(name)):
            if test.examples:
                yield test


@pytest.mark.parametrize("example", _examples(), ids=lambda test: test.name)
def test_examples_in_docstrings_run(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = []
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failures, _ = doctest.DocTestRunner(optionflags=options).run(example, out=printed.append)
    assert not failures, "".join(printed)
