"""What every engine shares: names, checks of what comes in, batches of any size."""

import os
import threading
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from kerazoo.engines.columns import Columns
from kerazoo.engines.files import EXACT


@dataclass(frozen=True)
class TensorFacts:
    """Shape (None where any size goes) and numpy dtype name of one input or output."""

    shape: tuple
    dtype: str

    def __str__(self):
        return f"{self.dtype}{list(self.shape)}"


class Signature:
    """Names, shapes and dtypes of a model's `inputs` and `outputs`, in order."""

    def __init__(self, inputs, outputs):
        self.inputs = MappingProxyType(dict(inputs))
        self.outputs = MappingProxyType(dict(outputs))

    def words(self) -> dict:
        """{"inputs": {name: "float32[None, 8]"}, "outputs": ...}, the batch left open, as JSON holds it."""

        def of(side):
            return {name: str(TensorFacts((None, *one.shape[1:]), one.dtype)) for name, one in sorted(side.items())}

        return {"inputs": of(self.inputs), "outputs": of(self.outputs)}

    def __repr__(self):
        sides = (", ".join(f"{name}: {facts}" for name, facts in side.items()) for side in (self.inputs, self.outputs))
        return " -> ".join(f"({side})" for side in sides)


class Engine:
    """A loaded model: a callable on numpy arrays.

    A subclass sets the signature in its constructor and runs checked arrays in `_run`.

    Attributes:
        engine: the engine's name.
        path: the file or folder that was loaded.
        signature: names, shapes and dtypes of inputs and outputs.
        metadata: what was exported with the model.
        labels: the metadata's labels, or None.
        columns: the `Columns` of a tabular model whose metadata names them, or None.
        saved_model: the folder of the SavedModel that was exported beside, or None; `raw` runs in it.
    """

    saved_model = None

    def __init__(self, path, *, engine, metadata, inputs, outputs, batch=None):
        self.path, self.engine, self.metadata = path, engine, metadata
        self.labels = metadata.get("labels")
        self.signature = Signature(inputs, outputs)
        self.columns = Columns.of(metadata, self.signature.inputs)
        self._batch = batch  # The only batch size the file can run, or None.
        self._endpoint = None  # The engine that `raw` asks.
        self._lock = threading.Lock()  # Interpreters keep their tensors between calls.

    def __repr__(self):
        return f"<{type(self).__name__} {self.engine!r} {self.path} {self.signature}>"

    def __call__(self, /, *arrays, **named):
        """Runs the model on a batch.

        Args:
            *arrays: the array of the only input, or one dict of arrays by input name; of a tabular model also
                {column: values} or a data frame, as `Columns.matrices` takes it: columns of other names are ignored.
            **named: the arrays by input name, or the columns by theirs.

        Returns:
            The output array, or a dict of arrays by name where there are several.

        Raises:
            ValueError: names, shapes or batch sizes that do not fit the signature; a missing column; texts or bytes for
                numbers.
            TypeError: a dtype that cannot become the input's without loss of kind.
        """
        if self.columns is None:
            self._refuse_texts([*arrays, *named.values()])
        inputs = self._by_name(arrays, named)
        checked = {name: _checked(name, inputs[name], facts) for name, facts in self.signature.inputs.items()}
        sizes = {name: len(value) for name, value in checked.items()}
        if len(set(sizes.values())) != 1 or 0 in sizes.values():
            raise ValueError(f"Every input must hold the same number of samples, at least one. Received: {sizes}.")
        with self._lock:
            outputs = self._batched(checked, next(iter(sizes.values())))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def raw(self, files):
        """Answers to images' bytes or to texts, by the SavedModel beside this file: `SavedModelEngine.raw`.

        Raises:
            ValueError: no SavedModel beside, or a quantised file, whose answers the SavedModel's are not.
        """
        if self.saved_model is None or self.engine not in EXACT:
            raise ValueError(
                '`raw` is an endpoint of a SavedModel exported with signature="raw": load the export\'s folder with '
                f'engine="saved_model". Received: the engine {self.engine!r} of {self.path}.'
            )
        with self._lock:
            if self._endpoint is None:
                from kerazoo.engines.saved_model import SavedModelEngine  # It imports TensorFlow.

                self._endpoint = SavedModelEngine(self.saved_model, metadata=self.metadata)
        return self._endpoint.raw(files)

    def _refuse_texts(self, values):
        if any(facts.dtype == "string" for facts in self.signature.inputs.values()):
            return
        for value in values:
            for part in value.values() if isinstance(value, dict) else [value]:
                if kind := kind_of_texts(part):
                    raise ValueError(
                        f"The model takes numbers, {self.signature}; images' bytes and texts go to `.raw` of an export "
                        f'with signature="raw" (engine="saved_model"). Received: {kind}.'
                    )

    def _by_name(self, arrays, named):
        names = list(self.signature.inputs)
        if len(arrays) > 1 or (arrays and named):
            raise ValueError(f"Give one array, one dict or keywords, by these names: {names}.")
        rows = arrays[0] if arrays else named
        if self.columns and self.columns.given(rows):
            return self.columns.matrices(rows)
        if arrays:
            named = arrays[0] if isinstance(arrays[0], dict) else {names[0]: arrays[0]}
        if set(named) != set(names):
            raise ValueError(f"The inputs must be named {names}. Received: {sorted(map(str, named))}.")
        return named

    def _batched(self, arrays, size):
        """Runs `size` samples, in pieces of the file's own batch where it has one."""
        if self._batch is None or self._batch == size:
            return self._run(arrays)
        pieces = []
        for start in range(0, size, self._batch):
            piece = {name: value[start : start + self._batch] for name, value in arrays.items()}
            lacking = self._batch - min(self._batch, size - start)
            if lacking:
                piece = {name: np.concatenate([v, np.repeat(v[-1:], lacking, axis=0)]) for name, v in piece.items()}
            pieces.append(self._run(piece))
        return {name: np.concatenate([piece[name] for piece in pieces])[:size] for name in pieces[0]}

    def _run(self, arrays):
        """{input name: array} -> {output name: array that the caller owns}."""
        raise NotImplementedError


def kind_of_texts(value):
    """ "str" or "bytes" (or a path's type) where that is what a value is or begins with; else None."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "OSU" and value.size and value.ndim <= 2:
        value = value.ravel()[0] if value.dtype.kind == "O" else value.ravel()[0].item()
    return type(value).__name__ if isinstance(value, (str, bytes, os.PathLike)) else None


def _checked(name, value, facts):
    """`value` as an array of the input's dtype and shape."""
    array = np.asarray(value)
    fits = len(array.shape) == len(facts.shape) and all(
        wanted in (None, size) for wanted, size in zip(facts.shape[1:], array.shape[1:])
    )
    if not fits:
        wanted = (None, *facts.shape[1:])
        raise ValueError(f"Input {name!r} must have shape {wanted}, the first axis the batch. Received: {array.shape}.")
    dtype = np.dtype(object if facts.dtype == "string" else facts.dtype)
    if array.dtype == dtype:
        return array
    if facts.dtype == "string":
        if array.dtype.kind not in "SU":
            raise TypeError(f"Input {name!r} must hold strings. Received: {array.dtype}.")
        return array.astype(object)
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"Input {name!r} must be {dtype} or convert to it. Received: {array.dtype}.")
    if dtype.kind in "iu" and array.size:
        bounds = np.iinfo(dtype)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise ValueError(
                f"Input {name!r} must lie in [{bounds.min}, {bounds.max}] ({dtype}). "
                f"Received: values in [{array.min()}, {array.max()}]."
            )
    return array.astype(dtype)
