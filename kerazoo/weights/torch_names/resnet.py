"""ResNet as torchvision names it: conv1, bn1, layer1.0.conv1, layer1.0.downsample.0, fc."""

import re

BLOCK = re.compile(r"stage(\d+)_block(\d+)_(\d|shortcut)_(conv|bn)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.resnet.resnet`."""
    table = {"stem_conv": "conv1", "stem_bn": "bn1", "logits": "fc"}
    for layer in model.layers:
        if found := BLOCK.fullmatch(layer.name):
            stage, block, place, kind = found.groups()
            part = f"downsample.{('conv', 'bn').index(kind)}" if place == "shortcut" else f"{kind}{place}"
            table[layer.name] = f"layer{stage}.{int(block) - 1}.{part}"
    return table
