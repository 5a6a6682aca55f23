"""What a model is made of: the code behind it, hashed, so that only what changed is verified again.

Docstrings, comments and formatting do not count, nor do readers of checkpoints and of data: the smoke
model that is measured is built without either.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

VERSIONED = ("keras", "tensorflow")
# The registry, the list of extras and the packages' front pages say nothing about what a model computes.
NOT_CODE_OF_A_MODEL = ("__init__.py", "registry.py", "extras.py")
NOT_PACKAGES_OF_A_MODEL = ("kerazoo.weights", "kerazoo.data")


def digest(module) -> str:
    """A hash of the code of a module and of all modules of its package that it imports, directly or not."""
    hashed = hashlib.sha256()
    for path in sorted(_files(module)):
        hashed.update(repr(_code(ast.parse(path.read_bytes()))).encode())
    return hashed.hexdigest()[:16]


def _code(node):
    """A syntax tree as nested tuples, the same under every supported version of Python, without docstrings."""
    if isinstance(node, list):
        return tuple(map(_code, node))
    if not isinstance(node, ast.AST):
        return node
    fields = {}
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            value = value[ast.get_docstring(node, clean=False) is not None :]
        if value is not None and value != [] and name not in ("ctx", "kind"):
            fields[name] = _code(value)
    return type(node).__name__, tuple(fields.items())


def versions() -> dict:
    """Installed versions of the libraries a measurement depends on."""
    return {package: importlib.metadata.version(package) for package in VERSIONED}


def _files(module) -> set:
    package = module.partition(".")[0]
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if any(f"{name}.".startswith(f"{package}.") for package in NOT_PACKAGES_OF_A_MODEL):
            continue
        path = _path(name)
        if path is None or path in found or path.name in NOT_CODE_OF_A_MODEL:
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
