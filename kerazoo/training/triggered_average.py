"""Descent whose weights are averaged as soon as it no longer gets better: NT-ASGD."""

import math

import keras
from keras import ops

from kerazoo.training.averaged import Averaged


class TriggeredAverage(Averaged):
    """A model and the average of its weights since validation stopped getting better (Merity et al., 2017).

    NT-ASGD, https://arxiv.org/abs/1708.02182: each validation is a check. The average begins with the weights that a
    check finds worse than the best of all checks but the last few; from then on it is the mean of these weights and of
    those after every step. Before that it is the weights themselves. Outside training the model answers as the average
    does: validation judges that, and `average` is what is used after it. Saved weights hold the checks too.

    Args:
        model: a compiled, functional model; the paper trains with plain descent.
        checks: how many of the last ones a check is not compared with: n in the paper.
        monitor: what a check looks at, the smaller the better.

    Raises:
        ValueError: a number of checks that is no positive integer; in `fit`, nothing to validate on.

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.training.triggered_average import TriggeredAverage
    >>> model = TriggeredAverage(kerazoo.build("awd_lstm", vocabulary_size=9, units=8, embedding_size=8))
    >>> ids = np.zeros((4, 6), "int32")
    >>> history = model.fit(ids, ids, validation_data=(ids, ids), epochs=2, verbose=0)
    >>> model.began
    False
    """

    def __init__(self, model, *, checks=5, monitor="val_loss"):
        if not isinstance(checks, int) or checks < 1:
            raise ValueError(f"`checks` must be a positive integer. Received: {checks!r}.")
        self.checks, self.monitor = checks, monitor
        super().__init__(model)

    def build(self, input_shape):
        """Adds what the rule remembers: the last checks, the best before them, how many weights are averaged."""

        def memory(name, shape, initial):
            return self.add_weight(
                name=name, shape=shape, initializer=keras.initializers.Constant(initial), trainable=False
            )

        self.recent = memory("recent", (self.checks,), float("inf"))
        self.best = memory("best", (), float("inf"))
        self.averaged = memory("averaged", (), 0.0)
        super().build(input_shape)

    @property
    def began(self):
        """Whether weights are averaged."""
        return float(self.averaged) > 0

    def check(self, value):
        """One check, with what validation has come to; one that is not finite is none."""
        if not math.isfinite(value):
            return
        recent, best = ops.convert_to_numpy(ops.convert_to_tensor(self.recent)), float(self.best)
        if not self.began and value > best:
            self.averaged.assign(1.0)
        self.best.assign(min(best, float(recent[0])))
        self.recent.assign([*recent[1:], value])

    def fit(self, *data, callbacks=None, **options):
        """As every Keras model's, with a check after each validation."""
        if options.get("validation_data") is None and not options.get("validation_split"):
            raise ValueError("`validation_data` must be given: it decides when weights are averaged. Received: None.")
        given = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks] if callbacks else []
        return super().fit(*data, callbacks=[_Check(), *given], **options)

    def train_step(self, data):
        """A step of the model, then one of the average."""
        self.averaged.assign_add(ops.cast(self.averaged > 0, self.averaged.dtype))
        return super().train_step(data)

    def kept(self):
        """All but the new weights' share of the mean; nothing before the average begins."""
        return 1.0 - 1.0 / ops.maximum(ops.convert_to_tensor(self.averaged), 1.0)


class _Check(keras.callbacks.Callback):
    """Tells the model what validation has come to, before other callbacks save it."""

    def on_epoch_end(self, epoch, logs=None):
        if self.model.monitor in (logs or {}):  # Not each epoch has a validation.
            self.model.check(logs[self.model.monitor])
