"""SSD as torchvision names it: backbone.features.0, backbone.extra.0.7.1, head.regression_head.module_list.0."""

import re

# Keras's convolution -> its number among torch's convolutions, activations and poolings, up to the fourth stage ...
FEATURES = ("1_1", "1_2", None, "2_1", "2_2", None, "3_1", "3_2", "3_3", None, "4_1", "4_2", "4_3")
# ... and behind it.
FURTHER = {"stage5_1": "1", "stage5_2": "3", "stage5_3": "5", "fully6": "7.1", "fully7": "7.3"}
EXTRA = re.compile(r"extra(\d+)_(\d)")
HEAD = re.compile(r"(boxes|classes)(\d+)")
HEADS = {"boxes": "regression_head", "classes": "classification_head"}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.ssd.ssd`."""
    table = {"stage4_norm/scale": ("backbone.scale_weight", "same")}
    place = 0
    for layer in FEATURES:
        if layer:
            table[f"stage{layer}"] = f"backbone.features.{place}"
        place += 2 if layer else 1  # An activation follows a convolution, nothing a pooling.
    table |= {layer: f"backbone.extra.0.{module}" for layer, module in FURTHER.items()}
    for layer in model.layers:
        if found := EXTRA.fullmatch(layer.name):
            table[layer.name] = f"backbone.extra.{found[1]}.{2 * int(found[2]) - 2}"
        elif found := HEAD.fullmatch(layer.name):
            table[layer.name] = f"head.{HEADS[found[1]]}.module_list.{int(found[2]) - 1}"
    return table
