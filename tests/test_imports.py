"""Imports run one way, read from the source: no layer of the house knows the ones above it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kerazoo"

# Part of the package -> the parts of kerazoo it may import (itself always).
ALLOWED = {
    "registry": set(),
    "image_kinds": {"errors"},
    "image_graph": {"image_kinds"},
    "errors": set(),
    "extras": {"errors"},
    "hdf5": {"errors"},
    "keras_backend": {"errors", "quiet"},
    "paths": set(),
    "data_format": set(),
    "model_files": {"data", "data_format", "errors", "hdf5", "paths"},
    "json_files": set(),
    "locking": set(),
    "global_state": set(),
    "hardware": set(),
    "versions": set(),
    "layers": {"extras", "registry"},
    "losses": {"layers", "registry"},
    "metrics": {"layers", "registry"},
    "models": {"extras", "layers", "losses", "metrics", "registry", "training", "weights"},
    "generation": {"extras", "registry"},
    "exporters": {
        "engines",
        "generation",
        "global_state",
        "image_graph",
        "json_files",
        "keras_backend",
        "layers",
        "locking",
        "paths",
        "quiet",
        "registry",
    },
    "engines": {"errors", "global_state", "hardware", "model_files", "paths", "quiet", "registry"},
    "evaluate": {"data", "extras", "hardware", "json_files", "locking", "quiet", "registry"},
    "data": {
        "__version__",
        "errors",
        "extras",
        "image_graph",
        "image_kinds",
        "json_files",
        "paths",
        "quiet",
        "registry",
    },
}
WITHOUT_TENSORFLOW = ("layers", "losses", "metrics", "models")
# The file says why in its first comment.
WITH_TENSORFLOW = {
    "layers/batch_normalization.py",
    "layers/character_tokenizer.py",
    "layers/copying_tokenizer.py",
    "layers/pieced_words.py",
    "layers/reader_pieces.py",
    "layers/reader_tokenizer.py",
    "layers/sentencepiece_tokenizer.py",
    "layers/tagger_pieces.py",
    "layers/tagger_tokenizer.py",
    "layers/text_layer.py",
    "layers/word_piece_tokenizer.py",
    "layers/word_tokenizer.py",
}


def imports(path):
    """(module, line) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module, node.lineno
            if node.module == "kerazoo":
                yield from ((f"kerazoo.{alias.name}", node.lineno) for alias in node.names)


def files(part):
    """The source files of one part of the package."""
    module = PACKAGE / f"{part}.py"
    return [module] if module.exists() else sorted((PACKAGE / part).rglob("*.py"))


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_run_one_way(part):
    wrong = []
    for path in files(part):
        for module, line in imports(path):
            first, _, rest = module.partition(".")
            other = rest.partition(".")[0]
            if first == "kerazoo" and other and other != part and other not in ALLOWED[part]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong


@pytest.mark.parametrize("part", WITHOUT_TENSORFLOW)
def test_models_and_layers_do_not_need_tensorflow(part):
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files(part)
        if path.relative_to(PACKAGE).as_posix() not in WITH_TENSORFLOW
        for module, line in imports(path)
        if module.partition(".")[0] == "tensorflow"
    ]
    assert not wrong


def test_models_are_built_where_there_is_no_tensorflow():
    """Keras on another backend, as on a machine with JAX alone; OpenVINO's is the one that is here."""
    pytest.importorskip("openvino")
    code = (
        "import sys; sys.modules['tensorflow'] = None; import keras, kerazoo; "
        "model = kerazoo.build('textcnn', vocabulary_size=9, jit_compile=False); "
        "assert keras.backend.backend() == 'openvino' and 'kerazoo.layers.word_tokenizer' in sys.modules; "
        "print(model.output_shape)"
    )
    environment = os.environ | {"KERAS_BACKEND": "openvino"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "(None, 2)", done.stderr


def test_nothing_imports_the_applications():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in PACKAGE.rglob("*.py")
        for module, line in imports(path)
        if module.startswith(("applications", "kerazoo.applications"))
    ]
    assert not wrong


def test_every_package_is_listed_for_the_wheel():
    import configparser

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {
        ".".join(folder.parent.relative_to(ROOT).parts).replace("applications", "kerazoo.applications", 1)
        for top in ("kerazoo", "applications")
        for folder in (ROOT / top).rglob("__init__.py")
    }
    assert listed == found


def test_json_that_users_read_has_one_strict_writer():
    """`json.dumps` writes NaN, which is no JSON: most parsers refuse the whole file."""
    # The script of the converters imports no kerazoo; what verification writes is compared byte for byte.
    own = ("json_files.py", "exporters/_convert.py", "verification/")
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in (PACKAGE, ROOT / "applications")
        for path in sorted(folder.rglob("*.py"))
        if not path.relative_to(folder).as_posix().startswith(own)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.dump", "json.dumps")
    ]
    assert not wrong
