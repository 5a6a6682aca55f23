"""EfficientNetV2 as torchvision names it: features.0.0, features.4.0.block.2.fc1, classifier.1."""

import re

PART = re.compile(r"stage(\d+)_block(\d+)_(expand|depthwise|excite|project)_(conv|bn|reduce|expand)")
INSIDE = {"conv": "0", "bn": "1", "reduce": "fc1", "expand": "fc2"}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.efficientnet_v2.efficientnet_v2`."""
    found = [match for layer in model.layers if (match := PART.fullmatch(layer.name))]
    parts = {}  # (stage, block) -> its parts in order: a fused block has fewer than a depthwise one.
    for match in found:
        stage, block, part, _ = match.groups()
        known = parts.setdefault((stage, block), [])
        known += [part] if part not in known else []
    last = max(int(stage) for stage, _ in parts) + 1
    table = {"stem_conv": "features.0.0", "stem_bn": "features.0.1", "logits": "classifier.1"}
    table |= {"last_conv": f"features.{last}.0", "last_bn": f"features.{last}.1"}
    for match in found:
        stage, block, part, inside = match.groups()
        place = parts[stage, block].index(part)
        table[match.group(0)] = f"features.{stage}.{int(block) - 1}.block.{place}.{INSIDE[inside]}"
    return table
