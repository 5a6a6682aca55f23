"""Which tensors of a vision model are its multi-scale features."""

import math
import re


def last_match_of_each_stride(pattern):
    """`(model) -> {stride: tensor}` from the names of layers, for `register(features=)`.

    Of the layers whose whole name matches, in the order of the graph, the last one at each size gives
    the features of that size, (B, H / stride, W / stride, C). Strides are powers of two: a map that an
    unpadded convolution made a little smaller keeps the stride it had.

    Args:
        pattern: a regular expression; it should match the outputs of blocks, not their insides.

    Example:

    >>> from kerazoo.models.vision.mobilenet_v2 import mobilenet_v2
    >>> features = last_match_of_each_stride(r"block[1-6]_(project_bn|add)")(mobilenet_v2())
    >>> {stride: tensor.shape[1:] for stride, tensor in features.items()}
    {2: (112, 112, 16), 4: (56, 56, 24), 8: (28, 28, 32)}
    """

    def features(model):
        found, stride, side = {}, 1, model.input_shape[1]
        for operation in model.operations:
            if not re.fullmatch(pattern, operation.name):
                continue
            height = operation.output.shape[1]
            if not found:
                stride = 2 ** round(math.log2(side / height))
            elif height <= 0.7 * side:
                stride *= 2
            found[stride], side = operation.output, height
        return found

    return features
