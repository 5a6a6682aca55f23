"""Gemma: the names of Llama; its norms keep by how much a scale differs from one."""

from kerazoo.weights.torch_names.llama import names

__all__ = ["names", "translated"]


def translated(tensors):
    """The tensors with whole scales of the norms."""
    return {name: tensor + 1 if name.endswith("norm.weight") else tensor for name, tensor in tensors.items()}
