"""AdaIN as pytorch-AdaIN's `Net` names it: enc_1.0, enc_2.1, decoder.1.

Its layers stand in rows of padding, convolution and ReLU, each counted; an encoder's part ends behind the first
convolution of a block.
"""


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.generative.adain.adain`."""
    table, part, place = {"encoder_colours": "enc_1.0"}, 1, 1
    for layer in model.layers:
        if not layer.name.startswith("encoder_block"):
            continue
        kind = layer.name.rpartition("_")[2]
        if kind.startswith("conv"):
            table[layer.name] = f"enc_{part}.{place}"
            place += 1  # Its ReLU.
        place += 1
        if kind == "conv1":
            part, place = part + 1, 0
    place = 0
    for layer in model.layers:
        if not layer.name.startswith("decoder"):
            continue
        if layer.name.rpartition("_")[2].startswith("conv"):
            table[layer.name] = f"decoder.{place}"
            place += 1
        place += 1
    return table
