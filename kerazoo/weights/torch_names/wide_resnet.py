"""Wide ResNet as github.com/xternalz/WideResNet-pytorch names it: block1.layer.0.conv1, convShortcut, bn1, fc."""

import re

BLOCK = re.compile(r"stage(\d+)_block(\d+)_(\d|shortcut)_(conv|bn)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.wide_resnet.wide_resnet`."""
    table = {"stem_conv": "conv1", "last_bn": "bn1", "logits": "fc"}
    for layer in model.layers:
        if found := BLOCK.fullmatch(layer.name):
            stage, block, place, kind = found.groups()
            part = "convShortcut" if place == "shortcut" else f"{kind}{place}"
            table[layer.name] = f"block{stage}.layer.{int(block) - 1}.{part}"
    return table
