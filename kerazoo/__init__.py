"""kerazoo: one door to deep learning in Keras 3 on TensorFlow.

>>> import kerazoo
>>> model = kerazoo.build("lenet5", num_classes=10)  # a compiled keras.Model

Importing this package, `list_models` and `info` do not import TensorFlow or Keras.
"""

from importlib import import_module

from kerazoo import serializable
from kerazoo.catalog import info, list_models
from kerazoo.registry import register

__version__ = "0.1.0"

# Public name -> the module that defines it; imported on first use, because each imports Keras. A
# module never has its function's name: importing it would put the module in the function's place.
_LAZY = {
    "backbone": "kerazoo.builder",
    "benchmark": "kerazoo.benchmarks",
    "build": "kerazoo.builder",
    "export": "kerazoo.exporters",
    "load": "kerazoo.engines",
    "run": "kerazoo.runner",
    "verify": "kerazoo.verification",
}

__all__ = ["__version__", "info", "list_models", "register", "weights", *_LAZY]


def __getattr__(name):
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name == "weights":
        return import_module("kerazoo.weights")
    raise AttributeError(f"module 'kerazoo' has no attribute {name!r}. It has: {sorted(__all__)}.")


def __dir__():
    return sorted(__all__)


serializable.follow_keras()
