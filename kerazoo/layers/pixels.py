"""From pixels in [0, 255] to what a network was trained on, inside the graph."""

from keras import layers

# (mean, standard deviation) of each channel, on the [0, 255] scale.
NORMALIZATIONS = {
    # torchvision, timm: https://docs.pytorch.org/vision/stable/models.html
    "imagenet": ((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255)),
    "cifar10": ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),  # Wide ResNet's, of the training images
    "unit": ((0.0,), (255.0,)),  # [0, 1]
    "inception": ((127.5,), (127.5,)),  # [-1, 1]
}


def normalize(image, kind, *, name="normalize"):
    """Pixels in [0, 255], (B, H, W, C) -> the same shape, `(pixel - mean) / deviation` by channel.

    It stays in float32 under any precision, because bfloat16 holds pixel values only coarsely.

    Raises:
        ValueError: an unknown kind, or a number of channels that it has no mean for.
    """
    if kind not in NORMALIZATIONS:
        raise ValueError(f"`normalization` must be one of {sorted(NORMALIZATIONS)}. Received: {kind!r}.")
    mean, deviation = NORMALIZATIONS[kind]
    channels = image.shape[-1]
    if len(mean) == 1:
        scale, offset = 1 / deviation[0], -mean[0] / deviation[0]
    elif len(mean) == channels:
        scale, offset = [1 / d for d in deviation], [-m / d for m, d in zip(mean, deviation)]
    else:
        raise ValueError(
            f"Normalization {kind!r} has {len(mean)} channels; the input must have as many. Received: {channels}."
        )
    return layers.Rescaling(scale, offset=offset, dtype="float32", name=name)(image)
