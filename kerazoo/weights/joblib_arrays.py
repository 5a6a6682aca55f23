"""A list of arrays that joblib wrote, compressed by lz4, without running what its pickle asks for."""

import io
import pickle
from pathlib import Path

import numpy as np

from kerazoo.extras import need

LARGEST = 64 * 2**20  # Bytes that are still taken, unpacked.
KINDS = ("f4", "f8")


def read_arrays(path):
    """The arrays of a joblib file, float32.

    The pickle between the arrays may name three things and nothing else: joblib's wrapper, numpy's array and type.
    None of them is looked up: what stands for them here reads numbers.

    Args:
        path: a `.lz4` file.

    Raises:
        ImportError: without lz4.
        ValueError: a damaged file, or one with other things than arrays of numbers.
    """
    need("lz4")
    import lz4.frame

    try:
        with lz4.frame.open(Path(path), "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it unpacks to more than {LARGEST} bytes.")
        arrays = _Reader(content).load()
        if not isinstance(arrays, list) or not arrays or not all(isinstance(item, _Array) for item in arrays):
            raise ValueError("it is no list of arrays.")
        return [item.values for item in arrays]
    # A forged pickle can make the unpickler stumble over any of these; none of them ran its code.
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged or refused: {type(error).__name__}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged or refused: {error}") from error


class _Type:
    """Stands for `numpy.dtype`."""

    def __init__(self, kind, *_):
        if kind not in KINDS:
            raise ValueError(f"Arrays must be of {KINDS}. Received: {kind!r}.")
        self.kind = kind

    def __setstate__(self, state):
        if state[1] != "<":
            raise ValueError(f"Arrays must be little-endian. Received: {state[1]!r}.")


class _Array:
    """Stands for joblib's wrapper: its numbers follow in the file, right behind its state."""

    stream = None

    def __setstate__(self, state):
        if not isinstance(state["dtype"], _Type) or state["order"] != "C":
            raise ValueError("Arrays must be of numbers, in C's order.")
        self.stream.read(self.stream.read(1)[0])  # So many bytes are left free to align the numbers.
        kind, count = np.dtype(f"<{state['dtype'].kind}"), int(np.prod(state["shape"], dtype="int64"))
        content = self.stream.read(kind.itemsize * count)
        self.values = np.frombuffer(content, kind, count).reshape(state["shape"]).astype("float32")


class _Reader(pickle._Unpickler):
    """In Python, because the C unpickler reads ahead, over the numbers."""

    def __init__(self, content):
        stream = io.BytesIO(content)
        super().__init__(stream)
        self._array = type("_Array", (_Array,), {"stream": stream})

    def find_class(self, module, name):
        known = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): self._array,
            ("numpy", "ndarray"): "ndarray",
            ("numpy", "dtype"): _Type,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is refused.")
        return known[module, name]
