"""Representative data in any of the usual shapes -> named arrays."""

import zipfile

import numpy as np

from kerazoo.paths import expand

# Enough to calibrate the ranges of activations; more only takes longer.
MAX_SAMPLES = 256


def example(data):
    """The first batch of inputs in the data, as the model takes it, or None; an iterator is left whole.

    Raises:
        TypeError: data that is neither arrays nor an iterable of batches.
    """
    return None if data is None else next(_batches(data))


def reusable(data):
    """The data as something that can be read twice: an iterator's batches are kept."""
    if data is None or _is_batch(data) or not hasattr(data, "__next__"):
        return data
    batches, count = [], 0
    for batch in data:
        batches.append(batch)
        arrays = list(_inputs(batch).values()) if isinstance(_inputs(batch), dict) else _inputs(batch)
        count += len(arrays) if hasattr(arrays, "shape") else len(arrays[0])
        if count >= MAX_SAMPLES:
            break
    return batches


def samples(data, interface):
    """{input name: array} of the first `MAX_SAMPLES` samples.

    Raises:
        ValueError: no samples, or samples that do not fit the model's inputs.
    """
    collected, count = [], 0
    for batch in _batches(data):
        named = interface.unpack(batch)
        collected.append(named)
        count += len(next(iter(named.values())))
        if count >= MAX_SAMPLES:
            break
    if count == 0:
        raise ValueError("`representative_data` must hold at least one sample. Received: none.")
    return {name: np.concatenate([named[name] for named in collected])[:MAX_SAMPLES] for name in interface.inputs}


def _is_batch(data):
    arrays_only = isinstance(data, (list, tuple)) and data and all(hasattr(item, "shape") for item in data)
    return hasattr(data, "shape") or isinstance(data, dict) or (arrays_only and isinstance(data, tuple))


def _batches(data):
    if _is_batch(data):
        yield _inputs(data)
        return
    if not hasattr(data, "__iter__"):
        raise TypeError(
            "`representative_data` must be an array, a dict of arrays, or an iterable of batches. "
            f"Received: {type(data).__name__}."
        )
    for batch in data:
        yield _inputs(batch)


def _inputs(batch):
    """A batch as Keras's `fit` reads it: of a tuple, the first part is the inputs."""
    return batch[0] if isinstance(batch, tuple) else batch


def from_file(path):
    """The array of an .npy file, or {input: array} of an .npz.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another kind of file.
    """
    path = expand(path)
    refusal = f"`--representative-data` must be an .npy or .npz file. Received: {str(path)!r}."
    if path.suffix not in (".npy", ".npz"):  # NumPy opens any archive, a model's too.
        raise ValueError(refusal)
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"`--representative-data` must be an existing file. Received: {str(path)!r}.") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise ValueError(refusal) from None
    if isinstance(found, np.ndarray):
        return found
    with found:
        return {name: found[name] for name in found.files}
