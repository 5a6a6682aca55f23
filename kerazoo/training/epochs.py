"""Small callbacks: figures of one's own in the history, a switch that turns over, an end where the loss is NaN."""

import math

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


class RequireFiniteLoss(keras.callbacks.Callback):
    """Ends a training that has no journal at the first step whose loss is NaN or infinite.

    Raises:
        ValueError: from `fit`; the message has the loss and the step.
    """

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch

    def on_train_batch_end(self, batch, logs=None):
        if name := non_finite_loss(logs):
            step = describe_step(self._first, batch, self._epoch, self.params)
            raise ValueError(f"Training stops: {name} was {logs[name]} at {step}. A smaller learning rate may help.")


def non_finite_loss(logs):
    """The name of the first training loss in Keras's logs that is NaN or infinite; None where there is none."""
    for name, value in (logs or {}).items():
        if name.endswith("loss") and not name.startswith("val_") and not math.isfinite(value):
            return name
    return None


def describe_step(first, last, epoch, params):
    """What to call the steps of one execution, counted from 1.

    Args:
        first, last, epoch: as Keras's callbacks are told, counted from 0.
        params: a callback's.
    """
    last = min(last, (params.get("steps") or last + 1) - 1)  # The last execution of an epoch may be cut short.
    steps = f"step {last + 1}" if first == last else f"one of the steps {first + 1} to {last + 1}"
    return f"{steps} of epoch {epoch + 1}"
