"""The endpoint `columns` of a tabular model: one tensor for each column, by its name, in; the model's outputs out."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerazoo.engines.columns import Columns
from kerazoo.exporters.parity import TOLERANCES

NAME = "columns"
DTYPES = {"numeric": tf.float32, "categories": tf.string}


@dataclass(frozen=True)
class ColumnEndpoint:
    """An endpoint from columns.

    Attributes:
        interface: the model's.
        columns: the `Columns`.
    """

    interface: object
    columns: Columns

    def add_to(self, archive):
        """Adds the signature to a `keras.export.ExportArchive`."""
        endpoint = tf.function(self._answer, autograph=False)
        # Of any rank: (B,) and (B, 1).
        kinds, inputs = self.columns.kinds, self.columns.inputs
        specs = {inputs[name]: tf.TensorSpec(None, DTYPES[kind], name=inputs[name]) for name, kind in kinds.items()}
        endpoint.get_concrete_function(**specs)
        archive.add_endpoint(NAME, endpoint)

    def _answer(self, **named):
        matrices = {}
        for kind in dict.fromkeys(self.columns.kinds.values()):
            inputs = [self.columns.inputs[name] for name, its in self.columns.kinds.items() if its == kind]
            matrices[kind] = tf.concat([tf.reshape(named[i], (tf.shape(named[i])[0], 1)) for i in inputs], axis=1)
        if "categories" in matrices:
            matrices["categories"] = tf.strings.strip(matrices["categories"])
        return self.interface.serve(**matrices)

    def problem(self, signature, samples):
        """What is wrong with the signature as it was read back from disk, or None.

        Args:
            signature: the loaded one.
            samples: {"numeric": (B, N), "categories": (B, K)}, those that there are; a row of empty cells is added.
        """
        empty = {"numeric": np.nan, "categories": ""}
        samples = {
            kind: np.concatenate([values, np.full_like(values[:1], empty[kind])]) for kind, values in samples.items()
        }
        inputs, columns = self.columns.inputs, {kind: iter(values.T) for kind, values in samples.items()}
        named = {inputs[name]: tf.constant(next(columns[kind])) for name, kind in self.columns.kinds.items()}
        if set(signature.structured_input_signature[1]) != set(named):
            return f"its inputs are {sorted(signature.structured_input_signature[1])}"
        found = signature(**named)
        for name, wanted in self.interface.serve(**samples).items():
            told, wanted = np.asarray(found[name], "float64"), np.asarray(wanted, "float64")
            error = np.abs(told - wanted).max() / max(np.abs(wanted).max(), 1e-6)
            if not error <= TOLERANCES["saved_model", None]:  # NaN is no answer either.
                return f"its {name!r} has a relative error of {error:.2e}"
        return None


def endpoint(interface, metadata):
    """The `ColumnEndpoint` of a tabular model.

    Raises:
        ValueError: metadata that do not name the columns of the model's inputs.
    """
    columns = Columns.of(metadata, interface.inputs)
    if columns is None:
        raise ValueError(
            '`signature="columns"` needs the columns\' names in the metadata, {"numeric": [...], "categories": [...]}, '
            "as many as the model's inputs of these names have columns. "
            f"Received: { ({kind: metadata.get(kind) for kind in DTYPES}) } for {dict(interface.inputs)}."
        )
    return ColumnEndpoint(interface, columns)
