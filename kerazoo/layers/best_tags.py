"""The likeliest tags of texts under a linear-chain conditional random field."""

import keras

from kerazoo.layers.linear_chain import best_path


@keras.saving.register_keras_serializable(package="kerazoo")
class BestTags(keras.layers.Layer):
    """Potentials -> the sequence of tags with the highest score, by Viterbi's algorithm.

    Shapes: potentials (B, T, K, K), present (B, T) bool -> (B, T) int32, -1 where there is nothing.

    Example:

    >>> import numpy
    >>> from kerazoo.layers.best_tags import BestTags
    >>> potentials = numpy.zeros((1, 3, 2, 2), "float32")
    >>> potentials[0, 1, 0, 1] = 1.0
    >>> BestTags()(potentials, numpy.array([[True, True, False]])).numpy().tolist()
    [[0, 1, -1]]
    """

    def call(self, potentials, present):
        return best_path(potentials, present)[0]

    def compute_output_spec(self, potentials, present):
        return keras.KerasTensor(potentials.shape[:2], "int32")
