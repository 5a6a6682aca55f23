"""What a model is made of: the files behind it, hashed, so that only what changed is verified again."""

import ast
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

VERSIONED = ("keras", "tensorflow")


def digest(module) -> str:
    """A hash of a module's file and of all files of its package that it imports, directly or not."""
    hashed = hashlib.sha256()
    for path in sorted(_files(module)):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]


def versions() -> dict:
    """Installed versions of the libraries a measurement depends on."""
    return {package: importlib.metadata.version(package) for package in VERSIONED}


def _files(module) -> set:
    package = module.partition(".")[0]
    found, waiting = set(), [module]
    while waiting:
        path = _path(waiting.pop())
        # The registry, the list of extras and the packages' front pages say nothing about what a model computes.
        if path is None or path in found or path.name in ("__init__.py", "registry.py", "extras.py"):
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names if alias.name.startswith(package)]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def _path(module):
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # `from a.b import name`: a.b.name is no module.
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None
