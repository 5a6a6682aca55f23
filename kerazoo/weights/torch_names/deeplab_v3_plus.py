"""DeepLabv3+ as segmentation-models-pytorch names it: encoder.layer1.0.conv1, decoder.aspp.0.convs.0.0."""

from kerazoo.weights.torch_names import resnet

# Keras's name of a convolution with its norm -> the torch modules of both.
PAIRS = {
    "pyramid1": ("aspp.0.convs.0.0", "aspp.0.convs.0.1"),
    "pyramid2": ("aspp.0.convs.1.0.1", "aspp.0.convs.1.1"),
    "pyramid3": ("aspp.0.convs.2.0.1", "aspp.0.convs.2.1"),
    "pyramid4": ("aspp.0.convs.3.0.1", "aspp.0.convs.3.1"),
    "pyramid_whole": ("aspp.0.convs.4.1", "aspp.0.convs.4.2"),
    "pyramid_project": ("aspp.0.project.0", "aspp.0.project.1"),
    "context": ("aspp.1.1", "aspp.2"),
    "low": ("block1.0", "block1.1"),
    "decoder": ("block2.0.1", "block2.1"),
}
DEPTHWISE = {
    "pyramid2": "aspp.0.convs.1.0.0",
    "pyramid3": "aspp.0.convs.2.0.0",
    "pyramid4": "aspp.0.convs.3.0.0",
    "context": "aspp.1.0",
    "decoder": "block2.0.0",
}


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.deeplab_v3_plus.deeplab_v3_plus`."""
    return {layer: f"encoder.{module}" for layer, module in resnet.names(model, received).items()} | decoder_names()


def decoder_names():
    """{Keras layer: torch module} of all that stands on the encoder."""
    table = {"classes": "segmentation_head.0"}
    for layer, (convolution, norm) in PAIRS.items():
        table |= {f"{layer}_conv": f"decoder.{convolution}", f"{layer}_bn": f"decoder.{norm}"}
    return table | {f"{layer}_depthwise": f"decoder.{module}" for layer, module in DEPTHWISE.items()}
