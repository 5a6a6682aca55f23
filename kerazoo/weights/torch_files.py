"""PyTorch weight files as numpy arrays, without PyTorch and without running what a pickle asks for.

`.safetensors` is read by the safetensors package, `.pth` and `.pt` by `torch_pickles`.
"""

import numpy as np

from kerazoo.errors import one_line
from kerazoo.paths import expand
from kerazoo.weights import torch_pickles
from kerazoo.weights.torch_storages import as_array

# Wrappers that training scripts put around a state dict, in the order in which they are looked for.
WRAPPERS = ("state_dict", "model")
LONGEST_NAME = 300
SUFFIXES = (".safetensors", ".pth", ".pt")


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
    path = expand(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing weights file. Received: {str(path)!r}.")
    if path.suffix == ".safetensors":
        tensors = _read_safetensors(path)
    elif path.suffix in SUFFIXES:
        tensors = _state_dict(torch_pickles.read(path), path)
    else:
        raise ValueError(f"`path` must end in one of {', '.join(SUFFIXES)}. Received: {str(path)!r}.")
    if not tensors:
        raise ValueError(f"{path} holds no tensors.")
    strange = next((name for name in tensors if not name.isprintable() or len(name) > LONGEST_NAME), None)
    if strange is not None:
        raise ValueError(f"{path} must have printable names, of {LONGEST_NAME} characters. Received: {strange!r:.80}.")
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
        raise ValueError(f"{path} is damaged or no safetensors file: {one_line(error)}") from error
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
            raise ValueError(f"{path}: {name!r:.80} must have a type of {sorted(types)}. Received: {facts['dtype']}.")
        try:
            tensors[name] = as_array(facts["data"], types[facts["dtype"]]).reshape(facts["shape"])
        except ValueError as error:  # No numbers, along axes that are too long.
            raise ValueError(f"{path}: {name!r:.80} has a shape that cannot be: {facts['shape']}.") from error
    return tensors


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
            f"Received other values, under: {', '.join(map(repr, strangers[:5])):.200}."
        )
    return dict(content)
