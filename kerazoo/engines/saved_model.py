"""SavedModel in TensorFlow itself: exact, any batch, any operation."""

import importlib
import warnings

import numpy as np
import tensorflow as tf

from kerazoo.engines import graph
from kerazoo.engines.base import Engine
from kerazoo.errors import KerazooWarning


class SavedModelEngine(Engine):
    """The `serving_default` signature of a SavedModel; `raw` runs its endpoint on image bytes or texts."""

    def __init__(self, path, *, engine="saved_model", metadata, threads=None):
        warn_of_threads(engine, threads)
        self._loaded = loaded(path)  # Referenced: it owns what the functions capture.
        if "serving_default" not in self._loaded.signatures:
            raise ValueError(
                f"A SavedModel needs the signature 'serving_default'. Received: {sorted(self._loaded.signatures)}."
            )
        concrete = self._loaded.signatures["serving_default"]
        super().__init__(
            path,
            engine=engine,
            metadata=metadata,
            inputs=graph.facts(concrete.structured_input_signature[1]),
            outputs=graph.facts(concrete.structured_outputs),
        )
        self._run = graph.served(concrete)

    @property
    def signatures(self):
        """{name: function} of the SavedModel's signatures, as plain TensorFlow calls them."""
        return self._loaded.signatures

    def raw(self, files):
        """Labels and scores of encoded images or of texts, best first; or how texts go on.

        Args:
            files: a list of `bytes`, each an image file (JPEG, PNG, BMP, GIF, WebP, PGM, PPM); or of strings, where
                the model takes texts; of a reader {"questions": strings, "passages": strings}, as many of each.

        Returns:
            {"labels": (B, K) strings, "scores": (B, K) float32 probabilities}; of a language model or a
            translator {"texts": (B,) strings}; of a tagger {"words": (B, T) strings, "tags": (B, T) strings}; of a
            reader {"answers": (B,) strings, "places": (B, 2), "scores": (B,), "absence": (B,)}.

        Raises:
            ValueError: the model was exported without `signature="raw"`, or takes other things than are given.
            tf.errors.InvalidArgumentError: bytes that are no image of these, or one too large.
        """
        if "raw" not in self._loaded.signatures:
            raise ValueError(
                'This needs an export with signature="raw". '
                f"Received: an export with {sorted(self._loaded.signatures)}."
            )
        signature = self._loaded.signatures["raw"]
        takes = signature.structured_input_signature[1]
        named = files if isinstance(files, dict) else dict.fromkeys(takes, files)
        if set(named) != set(takes) or (len(takes) > 1 and not isinstance(files, dict)):
            received = sorted(map(str, named)) if files is named else type(files).__name__
            raise ValueError(f"`files` must be a dictionary of {sorted(takes)}. Received: {received}.")
        for name, side in named.items():
            texts = None if isinstance(side, (str, bytes)) or np.ndim(side) != 1 else list(side)
            if texts is None or any(not isinstance(text, (str, bytes)) for text in texts):
                raise ValueError(
                    f"{name!r} must be a list of texts, or of image files' bytes. Received: {type(side).__name__}."
                )
        outputs = signature(**{name: tf.constant(list(side), tf.string, (len(side),)) for name, side in named.items()})
        return {
            name: values.numpy() if values.dtype != tf.string else _strings(values) for name, values in outputs.items()
        }


def _strings(values):
    """A tensor of strings as an array of them."""
    flat = [value.decode() for value in tf.reshape(values, [-1]).numpy()]
    return np.array(flat, dtype=object).reshape(values.shape)


def loaded(path):
    """The SavedModel at `path`; operations of tensorflow-text are registered where it has them.

    Raises:
        ImportError: it has them, and tensorflow-text is not installed.
    """
    try:
        return tf.saved_model.load(str(path))
    except RuntimeError as error:
        if "Op type not registered" not in str(error):
            raise
        try:
            importlib.import_module("tensorflow_text")
        except ImportError:
            raise ImportError(
                'This SavedModel takes texts apart by tensorflow-text. Run: pip install "kerazoo[text]"'
            ) from error
        return tf.saved_model.load(str(path))


def warn_of_threads(engine, threads):
    """Says that TensorFlow's threads cannot be set for one model."""
    if threads is not None:
        warnings.warn(
            f"{engine!r} runs on the threads of the whole process, set with tf.config.threading before TensorFlow "
            f"first runs; threads={threads} has no effect.",
            category=KerazooWarning,
            stacklevel=4,
        )
