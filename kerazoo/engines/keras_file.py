"""A `.keras` file, read in safe mode and served through a compiled function."""

import tensorflow as tf

from kerazoo.engines import graph
from kerazoo.engines.base import Engine
from kerazoo.engines.interface import Interface
from kerazoo.engines.saved_model import warn_of_threads
from kerazoo.model_files import load_model


class KerasEngine(Engine):
    """A Keras model's forward pass, `training=False`, as one frozen graph."""

    def __init__(self, path, *, engine="keras", metadata, threads=None):
        warn_of_threads(engine, threads)
        model = load_model(path, compile=False)
        interface = Interface(model)
        self._concrete = tf.function(interface.serve, autograph=False).get_concrete_function(**interface.tensor_specs())
        super().__init__(
            path,
            engine=engine,
            metadata=metadata,
            inputs=graph.facts(self._concrete.structured_input_signature[1]),
            outputs=graph.facts(self._concrete.structured_outputs),
        )
        self._model = model  # Referenced: its variables stay variables where they are too large to freeze.
        self._run = graph.served(self._concrete)
