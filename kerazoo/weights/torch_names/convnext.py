"""ConvNeXt as torchvision names it (features.1.0.block.0), or as timm does (stages.0.blocks.0.conv_dw)."""

import re

BLOCK = re.compile(r"stage(\d+)_block(\d+)_(conv|norm|1|2|scale)")
BETWEEN = re.compile(r"stage(\d+)_(norm|conv)")
TORCHVISION_PARTS = {"conv": "block.0", "norm": "block.2", "1": "block.3", "2": "block.5"}
TIMM_PARTS = {"conv": "conv_dw", "norm": "norm", "1": "mlp.fc1", "2": "mlp.fc2"}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.convnext.convnext`."""
    if "stem.0.weight" in received:
        return _timm(model)
    table = {
        "stem_conv": "features.0.0",
        "stem_norm": "features.0.1",
        "norm": "classifier.0",
        "logits": "classifier.2",
    }
    for layer in model.layers:
        if found := BLOCK.fullmatch(layer.name):
            prefix = f"features.{2 * int(found[1]) - 1}.{int(found[2]) - 1}"
            if found[3] == "scale":
                table[f"{layer.name}/gamma"] = (f"{prefix}.layer_scale", "flat")
            else:
                table[layer.name] = f"{prefix}.{TORCHVISION_PARTS[found[3]]}"
        elif found := BETWEEN.fullmatch(layer.name):
            table[layer.name] = f"features.{2 * int(found[1]) - 2}.{('norm', 'conv').index(found[2])}"
    return table


def _timm(model):
    table = {"stem_conv": "stem.0", "stem_norm": "stem.1", "norm": "head.norm", "logits": "head.fc"}
    for layer in model.layers:
        if found := BLOCK.fullmatch(layer.name):
            prefix = f"stages.{int(found[1]) - 1}.blocks.{int(found[2]) - 1}"
            if found[3] == "scale":
                table[f"{layer.name}/gamma"] = (f"{prefix}.gamma", "same")
            else:
                table[layer.name] = f"{prefix}.{TIMM_PARTS[found[3]]}"
        elif found := BETWEEN.fullmatch(layer.name):
            place = ("norm", "conv").index(found[2])
            table[layer.name] = f"stages.{int(found[1]) - 1}.downsample.{place}"
    return table
