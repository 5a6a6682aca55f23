"""`load`: an exported model as a callable on numpy arrays, whichever engine runs it.

>>> import kerazoo
>>> model = kerazoo.load("exports/digits")  # doctest: +SKIP
>>> scores = model(images)  # doctest: +SKIP
"""

import warnings
from importlib import import_module

from kerazoo import global_state
from kerazoo.engines.base import Engine, Signature, TensorFacts
from kerazoo.engines.files import EXACT, FILES, find, requirement
from kerazoo.errors import KerazooWarning
from kerazoo.registry import unknown_choice

__all__ = ["Engine", "Signature", "TensorFacts", "load"]

# Engine -> (module, class); the tflite_* engines differ by their file alone.
_CLASSES = {
    "saved_model": ("kerazoo.engines.saved_model", "SavedModelEngine"),
    "tflite": ("kerazoo.engines.tflite", "TFLiteEngine"),
    "onnx": ("kerazoo.engines.onnx", "OnnxEngine"),
    "openvino": ("kerazoo.engines.openvino", "OpenVinoEngine"),
    "keras": ("kerazoo.engines.keras_file", "KerasEngine"),
}


@global_state.preserved()
def load(path, engine="auto", threads=None):
    """Loads an exported model for inference.

    Args:
        path: what `kerazoo.export` wrote (its newest version is taken), one version's folder, or a
            file: `.tflite`, `.onnx`, or `.keras`, which is read in Keras's safe mode.
        engine: "auto" takes the engine that was fastest when the model was exported, among the ones
            that compute in float32 and are installed here. Otherwise "saved_model", "tflite",
            "tflite_float16", "tflite_dynamic", "tflite_int8", "onnx", "openvino" (reads the ONNX
            file) or "keras".
        threads: CPU threads; None takes every core. TensorFlow's own are set for the whole process
            (`tf.config.threading`), so "saved_model" and "keras" only warn when given a number.

    Returns:
        A callable: `model(array)` for one input, `model({name: array})` or `model(name=array)` for
        several; any batch size. A tabular model also takes {column: values} or a pandas DataFrame,
        with empty cells as None, NaN or ""; columns that it does not know are ignored. It returns an
        array, or a dict of arrays where the model has several outputs. `.signature`, `.engine`,
        `.labels`, `.metadata` and `.path` describe it. `.raw` answers images' bytes or texts, where the
        model was exported with `signature="raw"`: whichever engine was chosen, by the SavedModel.

    Raises:
        ValueError: an unknown engine, or one that this export holds no file for.
        FileNotFoundError: nothing exported at `path`.
        ImportError: the engine's package is missing; the message has the `pip install` line.

    Example:

    >>> import keras, numpy as np, tempfile, kerazoo
    >>> image = keras.Input((8,), name="features")
    >>> folder = tempfile.mkdtemp()
    >>> _ = kerazoo.export(keras.Model(image, keras.layers.Dense(3)(image)), folder, formats=("saved_model",))
    >>> kerazoo.load(folder)(np.ones((2, 8), "float32")).shape
    (2, 3)
    """
    known = {"auto", "openvino", "keras", *FILES}
    if engine not in known:
        raise ValueError(unknown_choice("engine", engine, known))
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"`threads` must be None or a positive whole number. Received: {threads!r}.")
    found = find(path)
    if engine == "auto":
        engine = _choose(found)
    if engine not in found.files:
        held = ", ".join(sorted(found.files)) or "(none)"
        raise ValueError(f"The export at {found.folder} has no {engine!r}. It holds: {held}. Received: {engine!r}.")
    missing = requirement(engine)
    if missing:
        raise ImportError(f"The engine {engine!r} needs a package that is not installed. Run: {missing}")
    return _open(engine, found, threads)


def _open(engine, found, threads):
    module, name = _CLASSES["tflite" if engine.startswith("tflite") else engine]
    loaded = getattr(import_module(module), name)(
        found.files[engine], engine=engine, metadata=found.metadata, threads=threads
    )
    if engine != "keras" and (found.folder / FILES["saved_model"]).is_file():
        loaded.saved_model = found.folder
    return loaded


def _choose(found):
    """The engine of `load(engine="auto")`: the ranking measured at export, else a fixed order."""
    ranking = [name for name in found.ranking if name in EXACT and name in found.files]
    order = ranking + [name for name in EXACT if name in found.files and name not in ranking]
    usable = [name for name in order if requirement(name) is None]
    if not usable:
        if not order:  # Only quantised files: the user has to say that this is what they want.
            held = ", ".join(sorted(found.files))
            raise ValueError(f"'auto' takes float32 engines only; the export at {found.folder} holds: {held}.")
        raise ImportError(f"No engine for {found.folder} is installed. Run: {requirement(order[0])}")
    if ranking and usable[0] != ranking[0]:
        warnings.warn(
            f"{ranking[0]!r} was the fastest engine when {found.folder} was exported and is not installed here; "
            f"{usable[0]!r} is used. To install it: {requirement(ranking[0])}",
            category=KerazooWarning,
            stacklevel=3,
        )
    return usable[0]
