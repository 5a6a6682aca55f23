"""MobileNetV2 as torchvision names it: features.0.0, features.2.conv.1.0, classifier.1."""

import re

BLOCK = re.compile(r"block(\d+)_(expand|depthwise|project)_(conv|bn)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.mobilenet_v2.mobilenet_v2`."""
    found = [match for layer in model.layers if (match := BLOCK.fullmatch(layer.name))]
    expanded = {match.group(1) for match in found if match.group(2) == "expand"}
    last = max(int(match.group(1)) for match in found) + 1
    table = {"stem_conv": "features.0.0", "stem_bn": "features.0.1", "logits": "classifier.1"}
    table |= {"last_conv": f"features.{last}.0", "last_bn": f"features.{last}.1"}
    for match in found:
        block, part, kind = match.groups()
        place = ("expand", "depthwise", "project").index(part) - (block not in expanded)
        inside = ("conv", "bn").index(kind)
        # The projection has no activation, so torchvision does not group it with its norm.
        path = f"{place + inside}" if part == "project" else f"{place}.{inside}"
        table[match.group(0)] = f"features.{block}.conv.{path}"
    return table
