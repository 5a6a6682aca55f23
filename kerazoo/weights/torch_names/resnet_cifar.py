"""CIFAR ResNet as github.com/akamaster/pytorch_resnet_cifar10 names it: conv1, layer1.0.conv1, linear."""

from kerazoo.weights.torch_names import resnet


def names(model, received):
    """{Keras layer: torch module} of a `kerazoo.models.vision.resnet_cifar.resnet_cifar`."""
    return resnet.names(model, received) | {"logits": "linear"}
