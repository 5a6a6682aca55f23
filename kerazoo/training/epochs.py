"""Small callbacks between epochs: figures of one's own in the history, a switch that turns over."""

import keras


class Figures(keras.callbacks.Callback):
    """Adds figures to each epoch's, where later callbacks and the history find them.

    Args:
        figures: function without arguments, {name: number}, called after each epoch.

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.training.epochs import Figures
    >>> model = kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,))
    >>> callback = Figures(lambda: {"val_map": 0.5})
    >>> history = model.fit(np.zeros((8, 2, 2, 3)), np.zeros(8), callbacks=[callback], verbose=0)
    >>> history.history["val_map"]
    [0.5]
    """

    def __init__(self, figures):
        super().__init__()
        self.figures = figures

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.figures())


class SwitchOff(keras.callbacks.Callback):
    """Sets a boolean variable: true before an epoch, false from it on, also where a training goes on later.

    Args:
        variable: has `assign`.
        epoch: position of the first epoch without.
    """

    def __init__(self, variable, epoch):
        super().__init__()
        self.variable, self.epoch = variable, epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.variable.assign(epoch < self.epoch)
