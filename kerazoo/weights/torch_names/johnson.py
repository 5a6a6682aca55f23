"""Johnson's network as PyTorch's fast_neural_style names it: conv1.conv2d, in1, res1.conv1.conv2d, deconv3.conv2d."""

import re

LAYER = re.compile(r"(down|up)(\d)|block(\d+)_(\d)")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.generative.johnson.johnson`."""
    table = {"pixels": "deconv3.conv2d"}
    for layer in model.layers:
        name, _, kind = layer.name.rpartition("_")
        if kind not in ("conv", "norm") or not layer.weights:
            continue
        part, number, block, place = LAYER.fullmatch(name).groups()
        if block:
            conv, norm = f"res{block}.conv{place}.conv2d", f"res{block}.in{place}"
        elif part == "down":
            conv, norm = f"conv{number}.conv2d", f"in{number}"
        else:
            conv, norm = f"deconv{number}.conv2d", f"in{3 + int(number)}"
        if kind == "conv":
            table[layer.name] = conv
        else:
            table |= {f"{layer.name}/gamma": (f"{norm}.weight", "same"), f"{layer.name}/beta": (f"{norm}.bias", "same")}
    return table
