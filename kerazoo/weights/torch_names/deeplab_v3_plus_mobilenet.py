"""DeepLabv3+ on MobileNetV2 as segmentation-models-pytorch names it: encoder.features.0.0, decoder.aspp.0.convs.0.0."""

from kerazoo.weights.torch_names import mobilenet_v2
from kerazoo.weights.torch_names.deeplab_v3_plus import decoder_names


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.deeplab_v3_plus_mobilenet.deeplab_v3_plus_mobilenet`."""
    table = {layer: f"encoder.{module}" for layer, module in mobilenet_v2.names(model, received).items()}
    return table | decoder_names()
