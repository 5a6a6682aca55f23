"""What a GGUF file says of itself, and where its tensors lie: every count is compared with the bytes that there are.

The layout is https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; numbers are little-endian.
"""

import math
from dataclasses import dataclass

import numpy as np

MAGIC, VERSIONS = b"GGUF", (2, 3)
NUMBERS = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?"}
NUMBERS |= {10: "<u8", 11: "<i8", 12: "<f8"}
STRING, ARRAY = 8, 9
MOST_AXES = 4
SHORTEST_FACT, SHORTEST_TENSOR = 8 + 4 + 1, 8 + 4 + 4 + 8  # Bytes.


@dataclass(frozen=True)
class Tensor:
    """A tensor in the file.

    Attributes:
        shape: as numpy has it, the last axis the one whose numbers lie side by side.
        kind: a `gguf.GGMLQuantizationType`.
        content: uint8, its bytes, shaped as `gguf.dequantize` takes them.
    """

    shape: tuple
    kind: object
    content: np.ndarray


def read_header(path):
    """`({name: fact}, {name: Tensor})`: facts are numbers, strings, lists of strings and arrays of numbers.

    Args:
        path: the file, of which nothing but this is read; the tensors' bytes are mapped.

    Raises:
        ValueError: another kind of file, or one that promises more than it has.
    """
    import gguf

    reader = _Reader(np.memmap(path, mode="r"))
    if reader.take(4).tobytes() != MAGIC:
        raise ValueError("it does not begin with GGUF")
    if (version := reader.number("<u4")) not in VERSIONS:
        raise ValueError(f"its version must be one of {VERSIONS}. Received: {version}")
    tensor_count = reader.count(SHORTEST_TENSOR)
    facts = {}
    for _ in range(reader.count(SHORTEST_FACT)):
        name = reader.name(facts)
        facts[name] = reader.value(reader.number("<u4"))
    places = {}
    for _ in range(tensor_count):
        name = reader.name(places)
        axes = reader.number("<u4")
        if not 1 <= axes <= MOST_AXES:
            raise ValueError(f"{name} must have 1 to {MOST_AXES} axes. Received: {axes}")
        shape = tuple(reader.number("<u8") for _ in range(axes))[::-1]
        places[name] = shape, gguf.GGMLQuantizationType(reader.number("<u4")), reader.number("<u8")
    alignment = facts.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 2**20:
        raise ValueError(f"its alignment must be a number of bytes. Received: {alignment!r:.40}")
    reader.take(-reader.position % alignment if places else 0)
    return facts, _tensors(places, reader.content[reader.position :], gguf.GGML_QUANT_SIZES)


def _tensors(places, data, sizes):
    """{name: Tensor} of {name: (shape, kind, offset)}; tensors that share bytes could unpack to any size."""
    tensors, total = {}, 0
    for name, (shape, kind, offset) in places.items():
        block, width = sizes[kind]
        if shape[-1] % block:
            raise ValueError(f"{name} must have rows of {block} numbers each. Received: {shape}")
        size = math.prod(shape) // block * width
        total += size
        if offset + size > len(data) or total > len(data):
            raise ValueError(f"{name} has {size} bytes at {offset}, beyond the {len(data)} there are")
        content = data[offset : offset + size].reshape(*shape[:-1], shape[-1] // block * width)
        tensors[name] = Tensor(shape, kind, content)
    return tensors


class _Reader:
    """A position in the file's bytes, which moves on by what is read."""

    def __init__(self, content):
        self.content, self.position = content, 0

    def take(self, size):
        if size > len(self.content) - self.position:
            raise ValueError(f"it is cut short: {size} bytes are missing at {self.position}")
        self.position += size
        return self.content[self.position - size : self.position]

    def number(self, kind):
        return self.take(np.dtype(kind).itemsize).view(kind)[0].item()

    def count(self, shortest):
        """How many things follow, each of `shortest` bytes at least."""
        count = self.number("<u8")
        if count * shortest > len(self.content) - self.position:
            raise ValueError(f"it promises {count} items at {self.position}, more than its bytes could be")
        return count

    def string(self):
        return self.take(self.count(1)).tobytes().decode()

    def name(self, known):
        name = self.string()
        if name in known or not name.isprintable() or len(name) > 200:
            raise ValueError(f"a name must be printable and there once. Received: {name!r:.80}")
        return name

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind != ARRAY:
            raise ValueError(f"a value has the unknown type {kind}")
        kind = self.number("<u4")
        if kind == STRING:
            return [self.string() for _ in range(self.count(8))]
        if kind not in NUMBERS:
            raise ValueError(f"an array has the unknown type {kind}")
        kind = np.dtype(NUMBERS[kind])
        return np.array(self.take(self.count(kind.itemsize) * kind.itemsize)).view(kind)
