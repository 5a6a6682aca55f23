"""PyTorch weight files as numpy arrays, without PyTorch and without running what a pickle asks for.

`.safetensors` is read by the safetensors package. A `.pth` is a zip archive that holds one pickle
(the names, shapes and strides) and one raw member for each storage; the pickle is read by an
unpickler that knows the eleven storage types, three functions and one class, and refuses the rest.
"""

import io
import math
import pickle
import pickletools
import re
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

# Bytes of the pickle that are still taken; a state dict of 3,000 tensors needs about 0.3 MB.
LARGEST_PICKLE = 32 * 2**20
# Wrappers that training scripts put around a state dict, in the order in which they are looked for.
WRAPPERS = ("state_dict", "model")
TORCH_SUFFIXES = (".pth", ".pt")
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


def read_tensors(path) -> dict:
    """{name: array} of every tensor of a state dict, read-only.

    A dictionary that wraps the state dict as "state_dict" or "model" is unwrapped, and the prefix
    "module." that torch's DataParallel puts before every name is taken off.

    Args:
        path: a `.safetensors`, `.pth` or `.pt` file.

    Raises:
        FileNotFoundError: no such file.
        ImportError: a `.safetensors` file without the safetensors package.
        ValueError: another kind of file, a damaged one, or one whose pickle wants more than tensors.

    Example:

    >>> import tempfile, numpy, safetensors.numpy
    >>> from kerazoo.weights.torch_files import read_tensors
    >>> path = tempfile.mkdtemp() + "/tiny.safetensors"
    >>> safetensors.numpy.save_file({"fc.bias": numpy.zeros(3, "float32")}, path)
    >>> read_tensors(path)["fc.bias"].shape
    (3,)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing weights file. Received: {str(path)!r}.")
    if path.suffix == ".safetensors":
        tensors = _read_safetensors(path)
    elif path.suffix in TORCH_SUFFIXES:
        tensors = _state_dict(_read_archive(path), path)
    else:
        choices = ", ".join((".safetensors", *TORCH_SUFFIXES))
        raise ValueError(f"`path` must end in one of {choices}. Received: {str(path)!r}.")
    if not tensors:
        raise ValueError(f"{path} holds no tensors.")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _read_safetensors(path) -> dict:
    try:
        import safetensors
    except ImportError as error:
        raise ImportError('Reading .safetensors needs safetensors: pip install "kerazoo[torch]".') from error
    try:
        # Its numpy front end does not know bfloat16, so the tensors are made from the raw bytes.
        entries = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file: {error}") from error
    types = {
        "F64": "float64",
        "F32": "float32",
        "F16": "float16",
        "BF16": "bfloat16",
        "I64": "int64",
        "I32": "int32",
        "I16": "int16",
        "I8": "int8",
        "U8": "uint8",
        "BOOL": "bool",
    }
    tensors = {}
    for name, facts in entries:
        if facts["dtype"] not in types:
            raise ValueError(f"{path}: {name!r} must have a type of {sorted(types)}. Received: {facts['dtype']}.")
        tensors[name] = _array(facts["data"], types[facts["dtype"]]).reshape(facts["shape"])
    return tensors


def _array(data, kind):
    """Raw little-endian bytes -> a read-only array of one axis."""
    if kind == "bfloat16":  # The upper half of a float32.
        array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        array.flags.writeable = False
        return array
    return np.frombuffer(data, np.dtype(kind).newbyteorder("<"))


def _state_dict(content, path) -> dict:
    """The state dict inside what a pickle held, checked to be names and tensors and nothing else."""
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a state dict: names and tensors. Received: {type(content).__name__}.")
    strangers = [name for name, tensor in content.items() if not isinstance(tensor, np.ndarray)]
    if strangers or not all(isinstance(name, str) for name in content):
        raise ValueError(
            f"{path} must hold a state dict (names and tensors), alone or under one of {list(WRAPPERS)}. "
            f"Received other values, under: {', '.join(map(repr, strangers[:5]))}."
        )
    return dict(content)


def _read_archive(path):
    """What the pickle of a torch archive holds, tensors as arrays."""
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is no zip archive: it is damaged, or was written by PyTorch before 1.6. "
            "Where you trust it, write it again with torch.save(torch.load(path), new_path)."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return _Reader(archive, path).load()
    except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged or refused: {error}") from error
    # A forged pickle can make the unpickler stumble over any of these; none of them ran its code.
    except (AttributeError, IndexError, KeyError, MemoryError, OverflowError, TypeError, UnicodeError) as error:
        raise ValueError(f"{path} is damaged or refused: {type(error).__name__}: {error}") from error


class _Reader(pickle.Unpickler):
    """Reads one archive. Everything that `find_class` hands out is an immutable value or bound to this
    reader, so that a forged pickle cannot leave a mark behind it."""

    def __init__(self, archive, path):
        self._archive, self._storages = archive, {}
        self._members = self._checked_members(path.stat().st_size)
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
        _check_memo(content)
        super().__init__(io.BytesIO(content))

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
        """The storage of ("storage", type, key, device, elements)."""
        kind, dtype, key, _, elements = reference
        if kind != "storage" or dtype not in STORAGES.values() or not re.fullmatch(r"\d{1,9}", key):
            raise pickle.UnpicklingError(f"an unknown storage: {reference!r}.")
        if (key, dtype) not in self._storages:
            member = self._members.get(f"{self._prefix}data/{key}")
            if member is None:
                raise pickle.UnpicklingError(f"storage {key} is missing.")
            self._storages[key, dtype] = _array(self._archive.read(member), dtype)
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


def _check_memo(content):
    """Refuses memo numbers beyond the pickle's own length: the unpickler would reserve memory up to them."""
    try:
        for operation, argument, _ in pickletools.genops(content):
            if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > len(content):
                raise pickle.UnpicklingError(f"its pickle asks for {argument} memo places.")
    except ValueError as error:
        raise pickle.UnpicklingError(f"its pickle cannot be parsed: {error}") from error
