"""A detector's raw heads as boxes and scores."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class DecodedBoxes(keras.layers.Layer):
    """Reads boxes out of raw heads.

    Args:
        heads: the layer that made them (or its configuration): a `GridHeads` or an `AnchorHeads`.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: what `heads` answers -> boxes in pixels, (B, N, 4), [left, top, right, bottom], and scores in [0, 1],
        (B, N, classes).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.decoded_boxes import DecodedBoxes
    >>> from kerazoo.layers.grid_heads import GridHeads
    >>> raw = {"boxes": numpy.zeros((1, 1, 12), "float32"), "classes": numpy.zeros((1, 1, 2), "float32")}
    >>> boxes, scores = DecodedBoxes(GridHeads((8, 8), strides=(8,)))(raw)
    >>> boxes.numpy().tolist(), scores.numpy().tolist()
    ([[[0.0, 0.0, 8.0, 8.0]]], [[[0.5, 0.5]]])
    """

    def __init__(self, heads, **options):
        super().__init__(**options)
        self.heads = keras.saving.deserialize_keras_object(heads) if isinstance(heads, dict) else heads

    def build(self, input_shape):
        """Nothing to make: the heads are only asked for their arithmetic."""

    def call(self, raw):
        return self.heads.decode(raw)

    def get_config(self):
        return super().get_config() | {"heads": keras.saving.serialize_keras_object(self.heads)}
