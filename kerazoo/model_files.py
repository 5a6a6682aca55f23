"""Reading whole models from `.keras` files: Keras's safe mode, behind a look at what the archive holds."""

import contextlib
import math
import tempfile
from pathlib import Path

from kerazoo import data_format, hdf5
from kerazoo.data.archives import extract, open_zip
from kerazoo.errors import one_line
from kerazoo.paths import expand

MODEL = Path("model", "model.keras")  # In a run's folder: what it exported.
SUFFIX, WEIGHTS = ".keras", "model.weights.h5"
# A model's variables may take so many times the bytes of the archive's, or `SMALL`: an optimizer that has not trained
# is not stored, and keeps up to three arrays for each weight, with averages and sums of gradients beside them.
EXPANSION, SMALL = 8, 64 * 2**20


def load_model(path, *, compile=True):
    """`keras.saving.load_model` in safe mode, for a file that somebody else may have made.

    Args:
        path: a `.keras` file.
        compile: whether the model is compiled as it was.

    Returns:
        A `keras.Model`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file, a damaged one, one that reaches outside of itself or unpacks to far more than
            its size, or a model that Keras cannot or must not make.

    Example:

    >>> import tempfile, kerazoo
    >>> from kerazoo.model_files import load_model
    >>> path = tempfile.mkdtemp() + "/lenet.keras"
    >>> kerazoo.build("lenet5").save(path)
    >>> load_model(path).name
    'lenet5'
    """
    import keras

    data_format.check()
    path = expand(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing .keras file. Received: {str(path)!r}.")
    if path.suffix != SUFFIX:
        raise ValueError(f"`path` must end in .keras. Received: {str(path)!r}.")
    with open_zip(path) as archive:
        names = archive.namelist()
    if len(set(names)) < len(names) or not {"config.json", WEIGHTS} <= set(names):
        raise ValueError(
            f"{path} is damaged or no Keras archive: it must have a config.json and a {WEIGHTS}, and no name twice."
        )
    with tempfile.TemporaryDirectory() as folder:
        stored = hdf5.check(extract(path, WEIGHTS, Path(folder) / WEIGHTS), said=path)
    try:
        with _bounded_variables(max(SMALL, EXPANSION * stored)):
            return keras.saving.load_model(path, compile=compile, safe_mode=True)
    except Exception as error:  # A configuration can make any class of Keras stumble over its arguments.
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {one_line(error)}") from error


def of_run(path):
    """The `.keras` file that a path names: itself, or what a finished run in this folder exported.

    Raises:
        FileNotFoundError: a folder without a run's model.
    """
    path = expand(path)
    if not path.is_dir():
        return path
    if not (path / MODEL).is_file():
        raise FileNotFoundError(f"A run's folder must hold its model, {str(MODEL)!r}. Received: {str(path)!r}.")
    return path / MODEL


@contextlib.contextmanager
def _bounded_variables(allowed):
    """Within it, TensorFlow refuses variables of more than `allowed` bytes together, before it makes the one too many.

    A configuration of a few bytes can ask for layers of any size, which Keras fills before it reads their weights.
    """
    import tensorflow as tf

    total = 0

    def create(next_creator, **options):
        nonlocal total
        value = options["initial_value"]
        if callable(value):  # Of Keras: called in a graph, it tells its shape and makes nothing.
            with tf.__internal__.FuncGraph("shape").as_default():
                value = tf.convert_to_tensor(value())
        if tf.is_tensor(value) and value.shape.is_fully_defined():
            total += math.prod(value.shape.as_list()) * value.dtype.size
        if total > allowed:
            raise ValueError(f"its configuration asks for far more weights than it holds (over {allowed} bytes).")
        return next_creator(**options)

    with tf.variable_creator_scope(create):
        yield
