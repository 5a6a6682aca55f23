"""Pretrained weights: from a tag, a file or a PyTorch state dict into a model, whole or not at all."""

from kerazoo.weights.sources import source

__all__ = ["from_torch", "load_file", "source"]


def __getattr__(name):
    if name == "from_torch":
        from kerazoo.weights.torch import from_torch

        return from_torch
    if name == "load_file":
        from kerazoo.weights.files import load_file

        return load_file
    raise AttributeError(f"module 'kerazoo.weights' has no attribute {name!r}. It has: {__all__}.")
