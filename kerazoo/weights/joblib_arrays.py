"""A list of arrays that joblib wrote, compressed by lz4, without running what its pickle asks for."""

import io
import math

import numpy as np

from kerazoo.data.archives import DAMAGED
from kerazoo.errors import one_line
from kerazoo.extras import need
from kerazoo.paths import expand
from kerazoo.weights import pickles

LARGEST = 64 * 2**20  # Bytes that are still taken, unpacked.
KINDS = ("f4", "f8")
# Names that a pickle may have: joblib's wrapper, and numpy's array and type.
WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
ARRAY, TYPE = ("numpy", "ndarray"), ("numpy", "dtype")


def read_arrays(path):
    """The arrays of a joblib file, float32.

    Args:
        path: a `.lz4` file.

    Raises:
        ImportError: without lz4.
        ValueError: a damaged file, or one with other things than arrays of numbers.
    """
    need("lz4")
    import lz4.frame

    try:
        with lz4.frame.open(expand(path), "rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it unpacks to more than {LARGEST} bytes.")
        arrays = _Reader(io.BytesIO(content)).load()
        if not isinstance(arrays, list) or not arrays or not all(isinstance(item, np.ndarray) for item in arrays):
            raise ValueError("it is no list of arrays.")
        return arrays
    except FileNotFoundError:
        raise
    except DAMAGED as error:
        raise ValueError(f"{path} is damaged or refused: {one_line(error)}") from error


class _Type:
    """One of `KINDS`."""

    __slots__ = ("kind",)

    def __init__(self, kind):
        self.kind = kind


class _Reader(pickles.Reader):
    """Reads a pickle between whose operations the numbers of the arrays stand."""

    def known(self, name):
        return name if name.parts in (WRAPPER, ARRAY, TYPE) else super().known(name)

    def call(self, known, arguments):
        if getattr(known, "parts", None) != TYPE:
            return super().call(known, arguments)
        if arguments[0] not in KINDS:
            raise ValueError(f"arrays must be of {KINDS}. Received: {pickles.said(arguments[0])}.")
        return _Type(arguments[0])

    def new(self, known):
        return known if getattr(known, "parts", None) == WRAPPER else super().new(known)

    def build(self, value, state):
        if isinstance(value, _Type):
            if state[1] != "<":
                raise ValueError(f"arrays must be little-endian. Received: {pickles.said(state[1])}.")
            return value
        if getattr(value, "parts", None) != WRAPPER:
            return super().build(value, state)
        return self._numbers(state["dtype"], state["order"], state["shape"])

    def _numbers(self, dtype, order, shape):
        """The array whose numbers follow in the stream, after as many bytes as the first one says."""
        if not isinstance(dtype, _Type) or order != "C":
            raise ValueError("arrays must be of numbers, in C's order.")
        if not all(type(number) is int and number >= 0 for number in shape):
            raise ValueError(f"a shape must be of counts. Received: {pickles.said(shape)}.")
        self.stream.read(self.stream.read(1)[0])  # They are left free to align the numbers.
        kind, count = np.dtype(f"<{dtype.kind}"), math.prod(shape)
        content = self.stream.read(kind.itemsize * count)
        return np.frombuffer(content, kind, count).reshape(shape).astype("float32")
