"""What a `.pth` file's pickle holds, tensors as numpy arrays, without running what the pickle asks for.

Since PyTorch 1.6 the file is a zip archive of one pickle (the names, shapes and strides) and one raw
member for each storage. Before, it was a row of pickles, the storages' bytes behind them. Both pickles
are read by an unpickler that knows the ten storage types, two functions and one class, and refuses the rest.
"""

import io
import math
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict

import numpy as np

from kerazoo.weights.torch_storages import STORAGES, as_array

# Bytes of the pickle that are still taken; a state dict of 3,000 tensors needs about 0.3 MB.
LARGEST_PICKLE = 32 * 2**20
# What a file of before 1.6 starts with: a pickle of a number, and one of the format's version.
LEGACY_MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001


def read(path):
    """What the pickle of a `.pth` file holds; what of it is no state dict is the caller's to refuse.

    Args:
        path: a `pathlib.Path`.

    Raises:
        ValueError: a damaged file, or a pickle that wants more than tensors.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _ArchiveReader(archive, path.stat().st_size).load()
        return _read_legacy(path)
    except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged or refused: {error}") from error
    # A forged pickle can make the unpickler stumble over any of these; none of them ran its code.
    except (AttributeError, IndexError, KeyError, MemoryError, OverflowError, TypeError, UnicodeError) as error:
        raise ValueError(f"{path} is damaged or refused: {type(error).__name__}: {error}") from error


class _Reader(pickle.Unpickler):
    """Reads one pickle. Everything that `find_class` hands out is an immutable value or bound to this
    reader, so that a forged pickle cannot leave a mark behind it."""

    def __init__(self, content):
        super().__init__(io.BytesIO(content))
        self._storages = {}

    def find_class(self, module, name):
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): self._rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): self._rebuild_parameter,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(
                f"its pickle asks for {module}.{name}, and only tensors are read. Where you trust the file, write "
                "the tensors alone with torch.save(state_dict, new_path) or as safetensors."
            )
        return known[module, name]

    def persistent_load(self, reference):
        """The storage of ("storage", type, key, device, elements, ...)."""
        kind, dtype, key, _, elements = reference[:5]
        if (
            kind != "storage"
            or dtype not in STORAGES.values()
            or not re.fullmatch(r"\d{1,20}", key)
            or any(reference[5:])
        ):
            raise pickle.UnpicklingError(f"an unknown storage: {reference!r}.")
        if (key, dtype) not in self._storages:
            self._storages[key, dtype] = self._storage(key, dtype, elements)
        storage = self._storages[key, dtype]
        if storage.size != elements:
            raise pickle.UnpicklingError(f"storage {key} must have {elements} elements. Received: {storage.size}.")
        return storage

    def _rebuild_tensor(self, storage, offset, shape, strides, requires_grad, hooks, metadata=None):
        """A view of a storage that stays inside it and repeats no element."""
        numbers = (offset, *shape, *strides)
        sound = (
            isinstance(storage, np.ndarray)
            and len(shape) == len(strides)
            and all(type(number) is int and number >= 0 for number in numbers)
            and math.prod(shape) <= storage.size
        )
        if sound and math.prod(shape):
            sound = offset + sum((n - 1) * step for n, step in zip(shape, strides)) < storage.size
        if not sound:
            raise pickle.UnpicklingError(f"a tensor of shape {shape} and strides {strides} leaves its storage.")
        if not math.prod(shape):
            return np.zeros(shape, storage.dtype)
        strides = [step * storage.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, writeable=False)

    def _rebuild_parameter(self, tensor, requires_grad, hooks):
        return tensor


class _ArchiveReader(_Reader):
    """Reads the one pickle of a zip archive; storages are its members."""

    def __init__(self, archive, size):
        self._archive = archive
        self._members = self._checked_members(size)
        pickles = [name for name in self._members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise pickle.UnpicklingError(f"a torch archive has one data.pkl. Received: {len(pickles)}.")
        self._prefix = pickles[0].removesuffix("data.pkl")
        order = self._members.get(f"{self._prefix}byteorder")
        if order and archive.read(order) != b"little":
            raise pickle.UnpicklingError("only little-endian archives can be read.")
        if self._members[pickles[0]].file_size > LARGEST_PICKLE:
            raise pickle.UnpicklingError(f"its data.pkl unpacks to more than {LARGEST_PICKLE} bytes.")
        content = archive.read(pickles[0])
        _end(content)
        super().__init__(content)

    def _checked_members(self, size) -> dict:
        """{name: facts} of the archive's members: none twice, none compressed, none larger than the file."""
        members = {}
        for member in self._archive.infolist():
            if member.filename in members:
                raise pickle.UnpicklingError(f"member {member.filename!r} is there twice.")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
                raise pickle.UnpicklingError(f"member {member.filename!r} is compressed, which torch never writes.")
            members[member.filename] = member
        return members

    def _storage(self, key, dtype, elements):
        member = self._members.get(f"{self._prefix}data/{key}")
        if member is None:
            raise pickle.UnpicklingError(f"storage {key} is missing.")
        return as_array(self._archive.read(member), dtype)


class _LegacyReader(_Reader):
    """Reads a pickle whose storages come behind it: their arrays are there at once, their values when `fill` came."""

    def __init__(self, content, size):
        super().__init__(content)
        self._left = size

    def _storage(self, key, dtype, elements):
        width = _width(dtype)
        if type(elements) is not int or not 0 <= elements * width <= self._left:
            raise pickle.UnpicklingError(f"storage {key} has {elements!r} elements, which the file cannot hold.")
        self._left -= elements * width
        return np.zeros(elements, "float32" if dtype == "bfloat16" else dtype)

    def fill(self, keys, file):
        """Reads the storages of these keys, in this order: the number of elements in 8 bytes, then the elements."""
        arrays = {key: (array, dtype) for (key, dtype), array in self._storages.items()}
        if len(arrays) < len(self._storages) or sorted(keys) != sorted(arrays):
            raise pickle.UnpicklingError("the storages that its pickle names are not the ones behind it.")
        for key in keys:
            array, dtype = arrays[key]
            elements = int.from_bytes(file.read(8), "little")
            data = file.read(array.size * _width(dtype))
            if elements != array.size or len(data) != array.size * _width(dtype):
                raise pickle.UnpicklingError(f"storage {key} must have {array.size} elements. Received: {elements}.")
            array[:] = as_array(data, dtype)


def _read_legacy(path):
    """What the fourth pickle of a file from before PyTorch 1.6 holds."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if not file.read(2) == b"\x80\x02":
            raise pickle.UnpicklingError("it is neither a zip archive nor a row of pickles.")
        file.seek(0)
        magic, version, system = (_Reader(_next_pickle(file)).load() for _ in range(3))
        if (magic, version) != (LEGACY_MAGIC, LEGACY_VERSION):
            raise pickle.UnpicklingError("it is a pickle, but not one that torch.save wrote.")
        if system["little_endian"] is not True:
            raise pickle.UnpicklingError("only little-endian files can be read.")
        reader = _LegacyReader(_next_pickle(file), size)
        content = reader.load()
        reader.fill(_Reader(_next_pickle(file)).load(), file)
    return content


def _next_pickle(file):
    """The bytes of the pickle at the file's position, which moves behind it."""
    start = file.tell()
    content = file.read(LARGEST_PICKLE)
    end = _end(content)
    file.seek(start + end)
    return content[:end]


def _end(content):
    """Where the first pickle ends; refuses memo numbers beyond that: the unpickler would reserve memory up to them."""
    try:
        operations = list(pickletools.genops(content))
    except ValueError as error:
        raise pickle.UnpicklingError(f"its pickle cannot be parsed: {error}") from error
    end = operations[-1][2] + 1
    places = [number for code, number, _ in operations if code.name in ("PUT", "BINPUT", "LONG_BINPUT")]
    if max(places, default=0) > end:
        raise pickle.UnpicklingError(f"its pickle asks for {max(places)} memo places.")
    return end


def _width(dtype):
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
