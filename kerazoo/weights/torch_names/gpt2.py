"""GPT-2 with presets: the names of `kerazoo.weights.torch_names.gpt`."""

from kerazoo.weights.torch_names.gpt import names

__all__ = ["names"]
