"""MLP-Mixer as timm names it: stem.proj, blocks.0.mlp_tokens.fc1, blocks.0.mlp_channels.fc1, head."""

import re

BLOCK = re.compile(r"block(\d+)_(patches|channels)_(\d)")
NORM = re.compile(r"block(\d+)_(norm\d)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.mlp_mixer.mlp_mixer`."""
    table = {"patch_embedding": "stem.proj", "norm": "norm", "logits": "head"}
    for layer in model.layers:
        if found := BLOCK.fullmatch(layer.name):
            over = {"patches": "mlp_tokens", "channels": "mlp_channels"}[found[2]]
            table[layer.name] = f"blocks.{int(found[1]) - 1}.{over}.fc{found[3]}"
        elif found := NORM.fullmatch(layer.name):
            table[layer.name] = f"blocks.{int(found[1]) - 1}.{found[2]}"
    return table
