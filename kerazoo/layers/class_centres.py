"""How near an embedding is to the centre of each class."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class ClassCentres(keras.layers.Layer):
    """Cosines between embeddings and one learnt centre for each class: what margin losses are computed on.

    As in ArcFace (Deng et al., 2018, https://arxiv.org/abs/1801.07698): a dense layer without bias whose kernel's
    columns, like its inputs, count by their direction alone.

    Args:
        classes: how many centres.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (B, D) -> (B, classes), in [-1, 1]; float32 under any policy.

    Raises:
        ValueError: fewer than two classes.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.class_centres import ClassCentres
    >>> layer = ClassCentres(2)
    >>> layer.build((None, 2))
    >>> layer.set_weights([numpy.array([[2.0, 0.0], [0.0, 3.0]])])
    >>> layer(numpy.array([[5.0, 0.0]])).numpy().tolist()
    [[1.0, 0.0]]
    """

    def __init__(self, classes, **options):
        # Half precision holds cosines so coarsely that a margin would drown in it.
        super().__init__(**({"dtype": "float32"} | options))
        if not isinstance(classes, int) or classes < 2:
            raise ValueError(f"`classes` must be a whole number, 2 at least. Received: {classes!r}.")
        self.classes = classes

    def build(self, input_shape):
        initializer = keras.initializers.RandomNormal(stddev=0.01)
        shape = (input_shape[-1], self.classes)
        self.centres = self.add_weight(shape=shape, initializer=initializer, name="centres")

    def call(self, inputs):
        directions = ops.normalize(ops.cast(inputs, self.compute_dtype), axis=-1)
        return ops.matmul(directions, ops.normalize(self.centres, axis=0))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.classes)

    def get_config(self):
        return super().get_config() | {"classes": self.classes}
