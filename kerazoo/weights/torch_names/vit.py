"""ViT as timm names it (blocks.0.attn.qkv), or as torchvision does (encoder.layers.encoder_layer_0.mlp.0).

Weights of another image size fit too: the grid of position embeddings is resampled, as both libraries do.
"""

import math
import re

import keras
import numpy as np

BLOCK = re.compile(r"block(\d+)_(\w+)")
TIMM = {
    "patch_embedding": "patch_embed.proj",
    "class_token/token": ("cls_token", "same"),
    "norm": "norm",
    "logits": "head",
}
TIMM_BLOCK = {
    "norm1": "norm1",
    "qkv": "attn.qkv",
    "projection": "attn.proj",
    "norm2": "norm2",
    "mlp_1": "mlp.fc1",
    "mlp_2": "mlp.fc2",
}
TORCHVISION = {
    "patch_embedding": "conv_proj",
    "class_token/token": ("class_token", "same"),
    "norm": "encoder.ln",
    "logits": "heads.head",
}
TORCHVISION_BLOCK = {
    "norm1": "ln_1",
    "projection": "self_attention.out_proj",
    "norm2": "ln_2",
    "mlp_1": "mlp.0",
    "mlp_2": "mlp.3",
}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.vit.vit`."""
    torchvision = "conv_proj.weight" in received
    table = dict(TORCHVISION if torchvision else TIMM)
    parts = TORCHVISION_BLOCK if torchvision else TIMM_BLOCK
    grid = model.get_layer("patch_embedding").output.shape[1:3]
    positions = "encoder.pos_embedding" if torchvision else "pos_embed"
    table["position_embedding/positions"] = (positions, lambda tensor: resample(tensor, grid))
    for layer in model.layers:
        if not layer.weights or not (found := BLOCK.fullmatch(layer.name)):
            continue
        place = int(found[1]) - 1
        prefix = f"encoder.layers.encoder_layer_{place}" if torchvision else f"blocks.{place}"
        if torchvision and found[2] == "qkv":  # Its names end in an underscore, not in a module's dot.
            table[f"{layer.name}/kernel"] = (f"{prefix}.self_attention.in_proj_weight", "dense")
            table[f"{layer.name}/bias"] = (f"{prefix}.self_attention.in_proj_bias", "same")
        else:
            table[layer.name] = f"{prefix}.{parts[found[2]]}"
    return table


def resample(positions, grid):
    """(1, 1 + rows * columns, D) of a square grid -> the same of another grid, bicubic; the class token's stays."""
    side = math.isqrt(positions.shape[1] - 1) if positions.ndim == 3 else 0
    if positions.ndim != 3 or side**2 != positions.shape[1] - 1 or (side, side) == tuple(grid):
        return positions
    first, rest = positions[:, :1], positions[:, 1:].reshape(1, side, side, -1)
    rest = keras.ops.image.resize(
        rest.astype("float32"), grid, interpolation="bicubic", antialias=True, data_format="channels_last"
    )
    rest = keras.ops.convert_to_numpy(rest).reshape(1, -1, positions.shape[2])
    return np.concatenate([first.astype("float32"), rest], axis=1)
