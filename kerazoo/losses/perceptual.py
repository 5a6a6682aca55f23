"""How far an image is from a content and a style, by what a network sees in it."""

import keras
from keras import ops


def gram_matrix(maps):
    """Which channels go together, wherever: (B, H, W, C) -> (B, C, C), over the number of values.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.perceptual import gram_matrix
    >>> gram_matrix(numpy.array([[[[1.0, 0.0], [1.0, 2.0]]]], "float32"))[0].numpy().tolist()
    [[0.5, 0.5], [0.5, 1.0]]
    """
    height, width, channels = maps.shape[1:]
    rows = ops.reshape(maps, (-1, height * width, channels))
    return ops.matmul(ops.transpose(rows, (0, 2, 1)), rows) / (height * width * channels)


def total_variation(images):
    """Mean absolute difference of neighbouring values of each image: (B, H, W, C) -> (B,).

    Example:

    >>> import numpy
    >>> from kerazoo.losses.perceptual import total_variation
    >>> float(total_variation(numpy.array([[[[0.0], [4.0]], [[0.0], [4.0]]]], "float32"))[0])
    4.0
    """
    across = ops.mean(ops.absolute(images[:, :, 1:] - images[:, :, :-1]), axis=(1, 2, 3))
    down = ops.mean(ops.absolute(images[:, 1:] - images[:, :-1]), axis=(1, 2, 3))
    return across + down


class Perceptual(keras.losses.Loss):
    """Content, style and smoothness of a stylised image (Gatys et al., 2016; Johnson et al., 2016,
    https://arxiv.org/abs/1603.08155).

    The content is the squared distance of one layer's maps, over their mean square; the style that of the Gram
    matrices, over the mean square of the style's, averaged over the layers. So both are 1 for an image without any,
    and the weights mean the same with every network.

    It holds a network and one style: it is used for training, and a model compiled with it is saved by its weights.

    Args:
        features: a frozen `keras.Model` from pixels in [0, 255] to {layer: maps}.
        style: the style image, pixels in [0, 255], (1, H, W, 3), of the size that `features` takes or of any.
        content: the layer whose maps are the content; all others are the style.
        content_weight, style_weight, variation_weight: of the three terms; the last one is of `total_variation`
            over 255.
        **options: of every Keras loss: `name`, `reduction`, `dtype`.

    Shapes: content images and stylised images, pixels in [0, 255], (B, H, W, 3).

    Raises:
        ValueError: a `content` that is no output of `features`, or no other output.

    Example:

    >>> import numpy
    >>> from kerazoo.losses.perceptual import Perceptual
    >>> from kerazoo.models.generative.vgg_features import vgg_features
    >>> features = vgg_features(["block1_conv1", "block2_conv1"], weights=None, input_shape=(16, 16, 3))
    >>> content, style = numpy.full((2, 1, 16, 16, 3), [[[[[50.0]]]], [[[[200.0]]]]], "float32")
    >>> loss = Perceptual(features, style, content="block2_conv1")
    >>> {name: float(term[0]) for name, term in loss.terms(content, content).items() if name != "style"}
    {'content': 0.0, 'variation': 0.0}
    """

    def __init__(
        self,
        features,
        style,
        *,
        content,
        content_weight=1.0,
        style_weight=1.0,
        variation_weight=0.0,
        name="perceptual",
        **options,
    ):
        super().__init__(name=name, **options)
        if content not in features.output or len(features.output) < 2:
            raise ValueError(
                f"`content` must be one of several outputs of `features`. Received: {content!r} of "
                f"{sorted(features.output)}."
            )
        self.content = content
        # In a closure: Keras would save the network with the weights of every model that is compiled with this loss.
        self.see = lambda images: features(images, training=False)
        self.weights = {"content": content_weight, "style": style_weight, "variation": variation_weight}
        seen = self.see(ops.convert_to_tensor(style, "float32"))
        self.style = {layer: gram_matrix(maps) for layer, maps in seen.items() if layer != content}

    def terms(self, content_images, images):
        """{"content", "style", "variation"}: each term of each image, (B,), before it is weighted."""
        images = ops.cast(images, "float32")
        seen, wanted = self.see(images), ops.stop_gradient(self.see(content_images)[self.content])
        style = [_distance(gram_matrix(seen[layer]), gram) for layer, gram in self.style.items()]
        return {
            "content": _distance(seen[self.content], wanted),
            "style": sum(style) / len(style),
            "variation": total_variation(images) / 255.0,
        }

    def call(self, y_true, y_pred):
        terms = self.terms(y_true, y_pred)
        return sum(self.weights[name] * term for name, term in terms.items())


def _distance(received, wanted):
    """Mean squared difference of each example over the mean square of what is wanted: (B,)."""
    axes = tuple(range(1, len(wanted.shape)))
    size = ops.mean(ops.square(wanted), axis=axes)
    return ops.mean(ops.square(received - wanted), axis=axes) / ops.maximum(size, 1e-12)
