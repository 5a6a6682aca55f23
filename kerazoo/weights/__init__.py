"""Pretrained weights: from a tag, a file or a PyTorch state dict into a model, whole or not at all."""

from importlib import import_module

# Public name -> the module that defines it; imported on first use, for `kerazoo.info` needs none of them.
_LAZY = {
    "from_torch": "kerazoo.weights.torch",
    "load_file": "kerazoo.weights.files",
    "source": "kerazoo.weights.sources",
}

__all__ = ["from_torch", "load_file", "source"]


def __getattr__(name):
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'kerazoo.weights' has no attribute {name!r}. It has: {__all__}.")
