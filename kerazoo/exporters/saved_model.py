"""SavedModel: exact, every operation, any batch; what TensorFlow Serving reads."""

import os
from pathlib import Path

import keras
import tensorflow as tf


def write(interface, folder, *, batch_size=None, shapes=None, raw=None, positional=False):
    """Writes the endpoints `serve` and `serving_default` (inference mode), and `raw` or `columns` where asked.

    Args:
        interface: the model's `Interface`.
        folder: where to; existing files of other names in it stay.
        batch_size: the only batch it takes; None takes any.
        shapes: {input: shape} for sizes that the model leaves open.
        raw: the endpoint from files or texts, a `Raw`, or from columns, a `ColumnEndpoint`; or None.
        positional: let `serve` take the inputs as the model's call does too (one array, a list, a dictionary), as
            Keras's own export and `keras.layers.TFSMLayer` do. Converters need the names alone.
    """
    archive = keras.export.ExportArchive()
    # Not the model itself: the archive would list its variables as Keras's beside TensorFlow's own, which the
    # endpoints bring along, and write both. Tables and assets are found below a module too.
    held = tf.Module()
    held.model = interface.model
    archive.track(held)
    specs = interface.tensor_specs(batch_size, shapes)

    def serve(*inputs, **named):
        return by_name(**interface.named(*inputs)) if inputs else interface.serve(**named)

    endpoint = tf.function(serve, autograph=False)
    # A function traced by keywords keeps the inputs' names. Traced first, it is the signature; others call it.
    by_name = endpoint.get_concrete_function(**specs)
    if positional:
        endpoint.get_concrete_function(interface.pack(specs))
    archive.add_endpoint("serve", endpoint)
    if raw:
        raw.add_to(archive)
    archive.add_variable_collection("variables", by_name.variables)  # As `variables` of what is loaded.
    archive.write_out(str(folder), verbose=False)


def size(folder) -> int:
    """Bytes of the SavedModel's own files in `folder`."""
    folder = Path(folder)
    parts = [folder / "saved_model.pb", folder / "fingerprint.pb"]
    parts += [path for name in ("variables", "assets") for path in (folder / name).glob("**/*")]
    return sum(os.path.getsize(path) for path in parts if path.is_file())
