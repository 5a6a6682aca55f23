"""How far a vector lies from what is usual."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kerazoo")
class SquaredDistance(keras.layers.Layer):
    """Squared distance of the last axis from a fixed centre, by Mahalanobis where `correlated`.

    Centre and precision are set from data (`set_centre`, `set_from`), never trained; at the start the centre is
    zero and the precision the identity. Computed in float32 under any precision.

    Args:
        correlated: weigh by the inverse covariance of what `set_from` is given.
        **options: of every Keras layer: `name`, `dtype`, `trainable`.

    Shapes: (..., D) -> float32 (...).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.squared_distance import SquaredDistance
    >>> layer = SquaredDistance()
    >>> points = numpy.array([[3.0, 4.0]], "float32")
    >>> layer(points).numpy().tolist()
    [25.0]
    >>> layer.set_centre([3.0, 0.0])
    >>> layer(points).numpy().tolist()
    [16.0]
    """

    def __init__(self, correlated=False, **options):
        super().__init__(**options)
        self.correlated = correlated

    def build(self, input_shape):
        size = input_shape[-1]
        options = {"trainable": False, "autocast": False, "dtype": "float32"}
        self.centre = self.add_weight(name="centre", shape=(size,), initializer="zeros", **options)
        if self.correlated:
            self.precision = self.add_weight(name="precision", shape=(size, size), initializer="identity", **options)

    def set_centre(self, centre):
        """Takes (D,) as the centre."""
        self.centre.assign(np.asarray(centre, "float32"))

    def set_from(self, vectors, *, ridge=1e-6):
        """Takes the mean and the inverse covariance of (N, D) vectors.

        Args:
            vectors: (N, D).
            ridge: added to the variances, as a share of their mean, so that the covariance can be inverted.
        """
        vectors = np.asarray(vectors, "float64")
        self.set_centre(vectors.mean(axis=0))
        covariance = np.atleast_2d(np.cov(vectors, rowvar=False, bias=True))
        floor = max(ridge * np.trace(covariance) / len(covariance), 1e-12)
        self.precision.assign(np.linalg.inv(covariance + floor * np.eye(len(covariance))).astype("float32"))

    def call(self, inputs):
        away = ops.cast(inputs, "float32") - self.centre
        weighted = ops.matmul(away, self.precision) if self.correlated else away
        return ops.sum(weighted * away, axis=-1)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape[:-1], "float32")

    def get_config(self):
        return super().get_config() | {"correlated": self.correlated}
