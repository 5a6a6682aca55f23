"""Makes kerazoo's own layers, losses and optimizers known to Keras as soon as Keras is imported.

Keras finds a custom class of a saved model only if its module has been imported. `import kerazoo`
imports no Keras, so it leaves a note with Python's import system instead: when Keras comes, the
modules that register classes follow. Then `keras.saving.load_model` needs no `custom_objects`.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent
# Where classes that a saved model can contain are defined.
FOLDERS = ("layers", "losses", "metrics", "models", "training")
MARK = b"@keras.saving.register_keras_serializable("


def modules() -> list[str]:
    """Dotted names of the modules that register classes with Keras."""
    paths = [path for folder in FOLDERS for path in sorted((PACKAGE / folder).rglob("*.py"))]
    return [
        ".".join(("kerazoo", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in paths
        if MARK in path.read_bytes()
    ]


def import_all() -> None:
    """Imports those modules, and with them Keras."""
    for module in modules():
        importlib.import_module(module)


def follow_keras() -> None:
    """Imports those modules now, if Keras is there already, or else right after it."""
    if "keras" in sys.modules:
        import_all()
    else:
        sys.meta_path.insert(0, _AfterKeras())


class _AfterKeras:
    """Stands before the import system until Keras is imported, then steps aside.

    A look at whether Keras is there (`importlib.util.find_spec`, as TensorFlow does) is no import: the note stays.
    """

    def find_spec(self, name, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(self)  # For this one question, which the others are to answer.
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_follow(module):
                execute(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                import_all()

            spec.loader.exec_module = execute_and_follow
        return spec
