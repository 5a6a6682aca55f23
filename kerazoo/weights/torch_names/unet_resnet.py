"""U-Net on a ResNet as segmentation-models-pytorch names it: encoder.layer1.0.conv1, decoder.blocks.0.conv1.0."""

import re

from kerazoo.weights.torch_names import resnet

PLACE = re.compile(r"decoder(\d+)_(\d)_(conv|bn)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.unet_resnet.unet_resnet`."""
    table = {layer: f"encoder.{module}" for layer, module in resnet.names(model, received).items()}
    table["logits"] = "segmentation_head.0"
    for layer in model.layers:
        if found := PLACE.fullmatch(layer.name):
            stage, index, kind = found.groups()
            table[layer.name] = f"decoder.blocks.{int(stage) - 1}.conv{index}.{('conv', 'bn').index(kind)}"
    return table
