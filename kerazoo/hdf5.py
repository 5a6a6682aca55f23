"""Reading HDF5 files of weights that others made: nothing outside of the file, nothing larger than the file.

HDF5 knows datasets whose bytes are another file's, links to other files, and small files that promise or unpack to
large arrays. Every dataset is looked at here before a byte of it is read.
"""

import contextlib
import math
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np

from kerazoo.errors import one_line

# Kinds of numbers: a weight is filled from numbers of its own kind, of whatever width.
KINDS = {"f": "float", "i": "integer", "u": "integer", "b": "boolean"}
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
# A dataset may unpack to so many times the bytes that it is stored in, or to `SMALL`.
EXPANSION, SMALL = 100, 2**20
# What h5py raises over damaged and forged files.
DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError, MemoryError, SystemError)


@contextlib.contextmanager
def open_datasets(path, said=None):
    """{name inside the file: `h5py.Dataset`} of an HDF5 file, each of which can be given to `read`.

    Args:
        path: the file.
        said: what messages call it; `path` by default.

    Raises:
        ValueError: a damaged file, or one with links, an object under two names, external or virtual datasets, one
            that would unpack to far more than is stored, other than numbers, or an unknown compression.

    Example:

    >>> import h5py, tempfile
    >>> path = tempfile.mkdtemp() + "/tiny.h5"
    >>> with h5py.File(path, "w") as file:
    ...     file["layers/dense/vars/0"] = [1.0, 2.0]
    >>> with open_datasets(path) as datasets:
    ...     {name: read(dataset).tolist() for name, dataset in datasets.items()}
    {'layers/dense/vars/0': [1.0, 2.0]}
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(h5py.File(path, "r"))
            found = _walk(file)
            stored = sum(_check(name, dataset) for name, dataset in found.items())
            if stored > (size := Path(path).stat().st_size):
                raise ValueError(f"its datasets take {stored} bytes of a file of {size}.")
        except DAMAGED as error:
            raise ValueError(f"{said or path} is damaged or no HDF5 file of weights: {one_line(error)}") from error
        yield found


def check(path, said=None):
    """The bytes of all arrays; refuses what `open_datasets` refuses, before another library reads the file."""
    with open_datasets(path, said) as datasets:
        return sum(math.prod(dataset.shape) * dataset.dtype.itemsize for dataset in datasets.values())


def kind(dataset):
    """A value of `KINDS`, or None where a dataset holds other than numbers."""
    return "float" if _is_bfloat16(dataset) else KINDS.get(dataset.dtype.kind)


def read(dataset, said="The file"):
    """The numbers of a dataset, bfloat16 as `ml_dtypes` has it.

    Args:
        dataset: of `open_datasets`.
        said: what messages call its file.

    Raises:
        ValueError: bytes that are damaged or missing.
    """
    try:
        values = dataset[()]
    except DAMAGED as error:
        raise ValueError(f"{said} is damaged: {dataset.name} cannot be read: {one_line(error)}") from error
    return values.view(ml_dtypes.bfloat16) if _is_bfloat16(dataset) else values


def write(dataset, values):
    """Puts numbers in place of a dataset's, as its type."""
    if _is_bfloat16(dataset):
        values = np.asarray(values).astype(ml_dtypes.bfloat16).view("V2")
    elif values.dtype == ml_dtypes.bfloat16:
        values = values.astype("float32")
    dataset[...] = values


def _walk(file):
    """{name: dataset}. No link is followed but a name's own; an object that has two names could be its own parent."""
    found, groups, seen = {}, [("", file)], {h5py.h5o.get_info(file.id).addr}
    while groups:
        prefix, group = groups.pop()
        for name in group:
            place = f"{prefix}{name}"
            if not isinstance(name, str) or not name.isprintable() or "/" in name or len(place) > 1000:
                raise ValueError(f"{place!r:.80} is no name of a weight.")
            link = type(group.get(name, getlink=True))
            if link is not h5py.HardLink:
                raise ValueError(f"{place} is a link ({link.__name__}), which is refused.")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise ValueError(f"{place} is a second name of one object (a hard link), which is refused.")
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append((f"{place}/", item))
            elif isinstance(item, h5py.Dataset):
                found[place] = item
            else:
                raise ValueError(f"{place} is neither a group nor a dataset.")
    return found


def _check(name, dataset):
    """The bytes that a dataset is stored in; refuses what is not in the file, and what unpacks to far more."""
    facts = dataset.id.get_create_plist()
    layout = facts.get_layout()
    if layout == h5py.h5d.VIRTUAL or facts.get_external_count():
        raise ValueError(f"{name} has its numbers in another file, which is refused.")
    if kind(dataset) is None or dataset.shape is None:
        raise ValueError(f"{name} must hold numbers. Received: {dataset.dtype!s:.80}.")
    width = dataset.dtype.itemsize
    size, stored = math.prod(dataset.shape) * width, dataset.id.get_storage_size()
    if layout != h5py.h5d.CHUNKED:
        allowed = stored
    else:
        unknown = {facts.get_filter(index)[0] for index in range(facts.get_nfilters())} - FILTERS
        if unknown:
            raise ValueError(f"{name} is compressed by filter {min(unknown)}, which is refused.")
        chunks = math.prod(-(-axis // chunk) for axis, chunk in zip(dataset.shape, dataset.chunks))
        if dataset.id.get_num_chunks() < chunks:
            raise ValueError(f"{name} has parts that were never written, which is refused.")
        size = max(size, math.prod(dataset.chunks) * width)  # One chunk is unpacked at a time, as a whole.
        allowed = max(SMALL, EXPANSION * stored)
    if size > allowed:
        raise ValueError(f"{name} promises {size} bytes and is stored in {stored}, which is refused.")
    return stored


def _is_bfloat16(dataset):
    """Whether a dataset holds what HDF5 has no type for: Keras keeps the bytes, and a note."""
    return dataset.dtype == np.dtype("V2") and str(dataset.attrs.get("dtype")) == "bfloat16"
