"""Files of `torch.save` written without torch: pickle asks a class for its module and name, and nothing else."""

import collections
import pickle
import zipfile

import numpy as np


class Global:
    """Pickles as the global `module.name`, whatever is there."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """Pickles as the call of a global."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Storage:
    def __init__(self, key, kind, elements):
        self.reference = ("storage", Global("torch", kind), key, "cpu", elements)


class Pickler(pickle._Pickler):
    """In Python, because the C pickler insists on importing the globals it names."""

    def persistent_id(self, item):
        return item.reference if isinstance(item, Storage) else None

    def save_global_by_name(self, item):
        self.write(pickle.GLOBAL + f"{item.module}\n{item.name}\n".encode())

    def save_call(self, item):
        self.save(item.function)
        self.save(item.arguments)
        self.write(pickle.REDUCE)

    dispatch = pickle._Pickler.dispatch | {Global: save_global_by_name, Call: save_call}


def rebuilt(key, array, *, kind="FloatStorage", elements=None, offset=0, strides=None):
    """The call that stands for a tensor in torch's pickles."""
    steps = strides or tuple(step // array.itemsize for step in np.empty(array.shape, array.dtype).strides)
    storage = Storage(key, kind, array.size if elements is None else elements)
    arguments = (storage, offset, array.shape, steps, False, Call(Global("collections", "OrderedDict")))
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), *arguments)


def write_archive(path, content, storages, *, compression=zipfile.ZIP_STORED):
    """A torch archive: `content` pickled, `storages` as {key: array}."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        with archive.open("archive/data.pkl", "w") as file:
            Pickler(file, protocol=2).dump(content)
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return path


def write_pth(path, tensors, *, wrapper=None):
    """{name: float32 array} as torch.save writes it."""
    tensors = {name: np.ascontiguousarray(tensor, "float32") for name, tensor in tensors.items()}
    content = {name: rebuilt(str(key), tensor) for key, (name, tensor) in enumerate(tensors.items())}
    content = collections.OrderedDict(content) if wrapper is None else {"epoch": 3, wrapper: content}
    return write_archive(path, content, {str(key): tensor for key, tensor in enumerate(tensors.values())})


def write_legacy(path, tensors, *, version=1001):
    """{name: float32 array} as torch.save wrote it before 1.6: five pickles, and the storages behind them."""
    content = collections.OrderedDict((name, rebuilt(str(key), a)) for key, (name, a) in enumerate(tensors.items()))
    keys = [str(key) for key in range(len(tensors))][::-1]  # Sorted by address: any order.
    with path.open("wb") as file:
        for item in (0x1950A86A20F9469CFC6C, version, {"little_endian": True}, content, keys):
            Pickler(file, protocol=2).dump(item)
        for array in list(tensors.values())[::-1]:
            file.write(array.size.to_bytes(8, "little") + array.tobytes())
    return path
