"""An LSTM that forgets some of its recurrent weights in training, the same ones at every step of a text."""

import keras


@keras.saving.register_keras_serializable(package="kerazoo")
class WeightDroppedLSTM(keras.layers.LSTM):
    """LSTM with DropConnect (Wan et al., 2013) on its recurrent weights (Merity et al., 2017).

    https://arxiv.org/abs/1708.02182. In training each recurrent weight is zero with a chance, and the others are
    larger by as much. One draw holds for a whole batch: for all its texts and all their steps. Outside training it is
    Keras's LSTM.

    Args:
        units: of the state and the answer.
        weight_drop: the chance of a recurrent weight to be dropped.
        **options: as `keras.layers.LSTM` takes them.

    Shapes: (B, T, C) -> as `keras.layers.LSTM`.

    Raises:
        ValueError: a chance outside [0, 1).

    Example:

    >>> import numpy
    >>> from kerazoo.layers.weight_dropped_lstm import WeightDroppedLSTM
    >>> layer = WeightDroppedLSTM(4, weight_drop=0.5, return_sequences=True)
    >>> tuple(layer(numpy.ones((2, 3, 5), "float32"), training=True).shape)
    (2, 3, 4)
    """

    def __init__(self, units, weight_drop=0.0, **options):
        super().__init__(units, **options)
        if not 0 <= weight_drop < 1:
            raise ValueError(f"`weight_drop` must be in [0, 1). Received: {weight_drop!r}.")
        self.rate = weight_drop
        self.weight_seed = keras.random.SeedGenerator(options.get("seed")) if weight_drop else None

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if not (training and self.rate):
            return super().inner_loop(sequences, initial_state, mask, training)
        # Drawn once, before the loop over the steps; the cell reads it as if it were its variable. Its other variables
        # keep the values that an outer scope may have given them.
        kernel = self.cell.recurrent_kernel
        values = [(variable, variable.value) for variable in self.cell.trainable_variables if variable is not kernel]
        dropped = keras.random.dropout(keras.ops.convert_to_tensor(kernel), self.rate, seed=self.weight_seed)
        with keras.StatelessScope([*values, (kernel, dropped)]):
            return super().inner_loop(sequences, initial_state, mask, training)

    def get_config(self):
        return super().get_config() | {"weight_drop": self.rate}
