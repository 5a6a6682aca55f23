"""MobileFaceNet as arcface_torch names it: layers.0.layers.0, layers.3.layers.1.layers.2.layers.0."""

import re

PLACE = re.compile(r"stage(\d)_(down|block(\d+))_(expand|depthwise|project)_(conv|bn|prelu)")
KINDS = ("conv", "bn", "prelu")


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.mobilefacenet.mobilefacenet`."""
    table = {"embedding_dense": "features.layers.2", "embedding_bn": "features.layers.3"}
    for place, kind in enumerate(KINDS):
        table |= {f"stem_{kind}": f"layers.0.layers.{place}", f"separate_{kind}": f"conv_sep.layers.{place}"}
        table |= {f"second_{kind}": f"layers.1.layers.{place}", f"global_{kind}": f"features.layers.0.layers.{place}"}
    for layer in model.layers:
        if found := PLACE.fullmatch(layer.name):
            stage, where, block, part, kind = found.groups()
            # Every stage is two modules, the block that halves and the others; the first has the stem in its place.
            module = 2 * (int(stage) - 1)
            path = f"layers.{module}" if where == "down" else f"layers.{module + 1}.layers.{int(block) - 1}"
            part = ("expand", "depthwise", "project").index(part)
            table[layer.name] = f"{path}.layers.{part}.layers.{KINDS.index(kind)}"
    return table
