"""IDX files, the format of MNIST: a magic number, the sizes, then the bytes."""

import gzip
import math
import struct
import zlib

import numpy as np

from kerazoo.data.archives import check_expansion
from kerazoo.errors import one_line
from kerazoo.paths import expand

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
LARGEST = 4 * 2**30


def read_idx(path):
    """Reads an IDX file, gzipped where its name ends in .gz.

    Shapes: as the file says: (N, H, W) for images, (N,) for labels.

    Raises:
        FileNotFoundError: no such file.
        ValueError: damaged, cut short, followed by other bytes, or not an IDX file.

    Example:

    >>> read_idx("t10k-images-idx3-ubyte.gz").shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    path = expand(path)
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not 1 <= magic[3] <= 8:
                raise ValueError(f"it does not begin as an IDX file does. Received: {magic!r}")
            shape = np.frombuffer(file.read(4 * magic[3]), ">u4").astype(int)
            kind = np.dtype(TYPES[magic[2]])
            if len(shape) != magic[3]:
                raise ValueError("it is cut short")
            size = math.prod(map(int, shape)) * kind.itemsize
            if size > LARGEST:
                raise ValueError(f"its header asks for {size} bytes; at most {LARGEST} are taken")
            check_expansion(size, path.stat().st_size, "it")
            content = file.read(size + 1)
            if len(content) != size:
                raise ValueError(f"its header promises {size} bytes of data. Received: {len(content)}")
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise ValueError(f"{path} is damaged or no IDX file: {one_line(error)}.") from error
    return np.frombuffer(content, kind).reshape(shape).astype(kind.newbyteorder("="))
