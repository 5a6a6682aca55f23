"""The improved ResNet as arcface_torch names it: conv1, bn1, prelu, layer1.0.bn1, layer1.0.downsample.0, fc."""

import re

import numpy as np

BLOCK = re.compile(r"stage(\d+)_block(\d+)_(.+)")
PARTS = {
    "1_bn": "bn1",
    "1_conv": "conv1",
    "2_bn": "bn2",
    "prelu": "prelu",
    "2_conv": "conv2",
    "3_bn": "bn3",
    "shortcut_conv": "downsample.0",
    "shortcut_bn": "downsample.1",
}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.iresnet.iresnet`."""
    table = {"stem_conv": "conv1", "stem_bn": "bn1", "stem_prelu": "prelu", "last_bn": "bn2"}
    table |= {"embedding_dense": "fc", "embedding_bn": "features"}
    shape = model.get_layer("dropout").output.shape[1:]

    def kernel(tensor):
        """Torch flattens channels first, Keras last; None where the sizes are other ones."""
        if tensor.ndim != 2 or tensor.shape[1] != np.prod(shape):
            return None
        height, width, channels = shape
        tensor = tensor.reshape(-1, channels, height, width)
        return tensor.transpose(2, 3, 1, 0).reshape(-1, len(tensor))

    table["embedding_dense/kernel"] = ("fc.weight", kernel)
    for layer in model.layers:
        found = BLOCK.fullmatch(layer.name)
        if found and found.group(3) in PARTS:
            stage, block, part = found.groups()
            table[layer.name] = f"layer{stage}.{int(block) - 1}.{PARTS[part]}"
    return table
