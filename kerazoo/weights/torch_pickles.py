"""What a `.pth` file's pickle holds, tensors as numpy arrays, without running what the pickle asks for.

Since PyTorch 1.6 the file is a zip archive of one pickle (the names, shapes and strides) and one raw
member for each storage. Before, it was a row of pickles, the storages' bytes behind them. Both are read by
`kerazoo.weights.pickles`, to which the ten storage types, two functions and one class mean something.
"""

import io
import math
import re
import zipfile

import numpy as np

from kerazoo.data.archives import DAMAGED, check_overlap
from kerazoo.errors import one_line
from kerazoo.weights import pickles
from kerazoo.weights.torch_storages import STORAGES, as_array

# Bytes of the pickle that are still taken; a state dict of 3,000 tensors needs about 0.3 MB.
LARGEST_PICKLE = 4 * 2**20
# Elements of all tensors together, in terms of the file's bytes. Tensors share storages where a model ties its
# weights, as BART does with four names of one matrix.
MOST_VIEWS = 8
# What a file of before 1.6 starts with: a pickle of a number, and one of the format's version.
LEGACY_MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
# Functions that a pickle may call.
ORDERED_DICT = ("collections", "OrderedDict")
TENSOR = ("torch._utils", "_rebuild_tensor_v2")
PARAMETER = ("torch._utils", "_rebuild_parameter")


def read(path):
    """What the pickle of a `.pth` file holds; what of it is no state dict is the caller's to refuse.

    Args:
        path: a `pathlib.Path`.

    Raises:
        ValueError: a damaged file, or a pickle that wants more than tensors.
    """
    size = path.stat().st_size
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _ArchiveReader(archive, size).load()
        return _read_legacy(path, size)
    except (*DAMAGED, KeyError, MemoryError, TypeError) as error:
        raise ValueError(f"{path} is damaged or refused: {one_line(error)}") from error


class _Reader(pickles.Reader):
    """Reads one pickle of a file of `size` bytes, which has no tensors."""

    def __init__(self, content, size):
        super().__init__(io.BytesIO(content))
        self._size, self._storages, self._elements = size, {}, 0

    def known(self, name):
        if name.module == "torch" and name.name in STORAGES:
            return STORAGES[name.name]
        if name.parts not in (ORDERED_DICT, TENSOR, PARAMETER):
            raise ValueError(
                f"its pickle asks for {name}, and only tensors are read. Where you trust the file, write "
                "the tensors alone with torch.save(state_dict, new_path) or as safetensors."
            )
        return name

    def call(self, known, arguments):
        function = known.parts if isinstance(known, pickles.Name) else None
        if function == ORDERED_DICT:
            return pickles.pairs(*arguments) if arguments else {}
        if function == TENSOR:
            return self._tensor(*arguments)
        if function == PARAMETER:  # (tensor, requires_grad, hooks)
            return arguments[0]
        return super().call(known, arguments)

    def build(self, value, state):
        """A state dict has the versions of its modules in an attribute, which nobody needs."""
        return value if type(value) is dict else super().build(value, state)

    def persistent(self, reference):
        """The storage of ("storage", type, key, device, elements, ...)."""
        kind, dtype, key, _, elements = reference[:5]
        if (
            kind != "storage"
            or dtype not in STORAGES.values()
            or not re.fullmatch(r"\d{1,20}", key)
            or any(reference[5:])
        ):
            raise ValueError(f"an unknown storage: {pickles.said(kind)}, {pickles.said(dtype)}, {pickles.said(key)}.")
        if (key, dtype) not in self._storages:
            self._storages[key, dtype] = self._storage(key, dtype, elements)
        storage = self._storages[key, dtype]
        if storage.size != elements:
            raise ValueError(f"storage {key} must have {storage.size} elements. Received: {pickles.said(elements)}.")
        return storage

    def _storage(self, key, dtype, elements):
        """The array behind a key: pickles of headers and of lists of keys have none."""
        raise ValueError(f"storage {key} is named where no tensors are.")

    def _tensor(self, storage, offset, shape, strides, requires_grad, hooks, metadata=None):
        """A view of a storage that stays inside it and repeats no element."""
        sound = (
            isinstance(storage, np.ndarray)
            and len(shape) == len(strides)
            and all(type(number) is int and 0 <= number < 2**48 for number in (offset, *shape, *strides))
            and (count := math.prod(shape)) <= storage.size
        )
        if sound and count:
            sound = offset + sum((n - 1) * step for n, step in zip(shape, strides)) < storage.size
        if not sound:
            raise ValueError(
                f"a tensor of shape {pickles.said(shape)} and strides {pickles.said(strides)} leaves its storage."
            )
        self._elements += count
        if self._elements > MOST_VIEWS * self._size:
            raise ValueError("its tensors together have many more elements than the file.")
        if not count:
            return np.zeros(shape, storage.dtype)
        strides = [step * storage.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, writeable=False)


class _ArchiveReader(_Reader):
    """Reads the one pickle of a zip archive; storages are its members."""

    def __init__(self, archive, size):
        self._archive = archive
        check_overlap(archive, size)
        self._members = self._checked_members(size)
        found = [name for name in self._members if name.endswith("/data.pkl")]
        if len(found) != 1:
            raise ValueError(f"a torch archive has one data.pkl. Received: {len(found)}.")
        self._prefix = found[0].removesuffix("data.pkl")
        order = self._members.get(f"{self._prefix}byteorder")
        if order and archive.read(order) != b"little":
            raise ValueError("only little-endian archives can be read.")
        if self._members[found[0]].file_size > LARGEST_PICKLE:
            raise ValueError(f"its data.pkl unpacks to more than {LARGEST_PICKLE} bytes.")
        super().__init__(archive.read(found[0]), size)

    def _checked_members(self, size) -> dict:
        """{name: facts} of the archive's members: none twice, none compressed, none larger than the file."""
        members = {}
        for member in self._archive.infolist():
            if member.filename in members:
                raise ValueError(f"member {member.filename!r:.80} is there twice.")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise ValueError(f"member {member.filename!r:.80} is compressed, which torch never writes.")
            members[member.filename] = member
        return members

    def _storage(self, key, dtype, elements):
        member = self._members.get(f"{self._prefix}data/{key}")
        if member is None:
            raise ValueError(f"storage {key} is missing.")
        return as_array(self._archive.read(member), dtype)


class _LegacyReader(_Reader):
    """Reads a pickle whose storages come behind it: their arrays are there at once, their values when `fill` came."""

    def __init__(self, content, size):
        super().__init__(content, size)
        self._left = size

    def _storage(self, key, dtype, elements):
        width = _width(dtype)
        if type(elements) is not int or not 0 <= elements * width <= self._left:
            raise ValueError(f"storage {key} has {pickles.said(elements)} elements, which the file cannot hold.")
        self._left -= elements * width
        return np.zeros(elements, "float32" if dtype == "bfloat16" else dtype)

    def fill(self, keys, file):
        """Reads the storages of these keys, in this order: the number of elements in 8 bytes, then the elements."""
        arrays = {key: (array, dtype) for (key, dtype), array in self._storages.items()}
        if len(arrays) < len(self._storages) or sorted(keys) != sorted(arrays):
            raise ValueError("the storages that its pickle names are not the ones behind it.")
        for key in keys:
            array, dtype = arrays[key]
            elements = int.from_bytes(file.read(8), "little")
            data = file.read(array.size * _width(dtype))
            if elements != array.size or len(data) != array.size * _width(dtype):
                raise ValueError(f"storage {key} must have {array.size} elements. Received: {elements}.")
            array[:] = as_array(data, dtype)


def _read_legacy(path, size):
    """What the fourth pickle of a file from before PyTorch 1.6 holds."""
    with path.open("rb") as file:
        if file.read(2) != b"\x80\x02":
            raise ValueError("it is neither a zip archive nor a row of pickles.")
        file.seek(0)
        magic, version, system = (_next(file, _Reader, size)[1] for _ in range(3))
        if (magic, version) != (LEGACY_MAGIC, LEGACY_VERSION):
            raise ValueError("it is a pickle, but not one that torch.save wrote.")
        if system["little_endian"] is not True:
            raise ValueError("only little-endian files can be read.")
        reader, content = _next(file, _LegacyReader, size)
        reader.fill(_next(file, _Reader, size)[1], file)
    return content


def _next(file, kind, size):
    """(reader, value) of the pickle at the file's position, which moves behind it."""
    start = file.tell()
    reader = kind(file.read(LARGEST_PICKLE), size)
    content = reader.load()
    file.seek(start + reader.stream.tell())
    return reader, content


def _width(dtype):
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
