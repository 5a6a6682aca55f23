"""A learning rate that falls where the loss stands still, and goes on as it was in a training that was stopped."""

import keras


class FallOnPlateau(keras.callbacks.Callback):
    """Multiplies the learning rate by a factor after some epochs without a lower loss.

    As Keras's `ReduceLROnPlateau`, but the rate follows from the journal's history alone, so that a resumed training
    has the rate that it would have had.

    Args:
        journal: the training's `Journal`; its monitor is the loss that counts, in mode "min".
        rate: of the first epochs.
        factor: of the rate, each time.
        patience: epochs without a lower loss.
        least: the rate falls no further.
        margin: a lower loss is lower by more than this.

    Example:

    >>> from kerazoo.training.callbacks import Journal
    >>> journal = Journal("runs/a", configuration={}, monitor="loss", mode="min")
    >>> plateau = FallOnPlateau(journal, 0.1, patience=2)
    >>> [plateau.after([1.0, 0.5, *more]) for more in ([], [0.6], [0.6, 0.6], [0.6, 0.6, 0.4])]
    [0.1, 0.1, 0.05, 0.05]
    """

    def __init__(self, journal, rate, *, factor=0.5, patience=50, least=1e-4, margin=1e-4):
        super().__init__()
        self.journal, self.rate, self.factor, self.patience = journal, rate, factor, patience
        self.least, self.margin = least, margin

    def after(self, losses):
        """The rate of the epoch that comes after these losses."""
        rate, best, waited = self.rate, float("inf"), 0
        for loss in losses:
            waited += 1
            if loss < best - self.margin:
                best, waited = loss, 0
            elif waited >= self.patience and rate > self.least:
                rate, waited = max(rate * self.factor, self.least), 0
        return rate

    def on_epoch_begin(self, epoch, logs=None):
        losses = [past[self.journal.monitor] for past in self.journal.history]
        self.model.optimizer.learning_rate = self.after(losses)
