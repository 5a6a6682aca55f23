"""Raw bytes of PyTorch's storages as numpy arrays."""

import numpy as np

# torch's name -> numpy's. bfloat16 has no numpy type of its own and is widened when it is read.
STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}


def as_array(data, kind):
    """Raw little-endian bytes -> a read-only array of one axis."""
    if kind == "bfloat16":  # The upper half of a float32.
        array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        array.flags.writeable = False
        return array
    return np.frombuffer(data, np.dtype(kind).newbyteorder("<"))
