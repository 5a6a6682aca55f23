"""What all detectors share: answers by name, one of them the score, their training without targets, their checks."""

import keras
import numpy as np
from keras import ops

from kerazoo.losses.as_given import AsGiven
from kerazoo.models.timeseries.forecaster import check_sizes

INITIAL_ROWS = 4096  # Rows that what is set from data before the training is taken from, at most.


@keras.saving.register_keras_serializable(package="kerazoo")
class Detector(keras.Model):
    """A model that answers a dict with "score": one figure a row or a time step, higher is stranger.

    It is trained on inputs alone, `fit(x)`; targets are ignored but by those that say otherwise. This one
    learns to give its input again as "reconstruction".

    Args:
        inputs, outputs, name: as of every functional `keras.Model`; the outputs are a dict.
        **options: `trainable`.
    """

    def __init__(self, inputs, outputs, name=None, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self._as_given = AsGiven(name="as_given")

    def example_losses(self, x, y, y_pred, training):
        """The loss of each example, (B,)."""
        return squared_error(x, y_pred["reconstruction"])

    def prepare(self, x):
        """Sets what the training needs from data first; nothing here.

        Args:
            x: inputs, or an iterable of batches such as a `tf.data.Dataset`.
        """

    def calibrate(self, x):
        """Sets what the score needs from rows that the training has not seen; nothing here.

        Args:
            x: inputs, an array.
        """

    def scorer(self):
        """The plain `keras.Model` from inputs to scores, with this one's weights: what is exported."""
        return keras.Model(self.input, self.output["score"], name=self.name)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean of `example_losses`, and what the layers add."""
        losses = self.example_losses(x, y, y_pred, training)
        loss = self._as_given(ops.zeros_like(losses), losses, sample_weight)
        if self.losses:
            added = ops.reshape(ops.sum(ops.stack(self.losses)), (1,))
            loss = loss + self._as_given(ops.zeros_like(added), added)
        return loss


@keras.saving.register_keras_serializable(package="kerazoo")
class EpochDetector(Detector):
    """A detector whose training depends on the epoch: `self.epoch` counts from 1, also when a run is resumed."""

    def __init__(self, inputs, outputs, name=None, **options):
        super().__init__(inputs=inputs, outputs=outputs, name=name, **options)
        self.epoch = self.add_weight(name="epoch", shape=(), initializer="ones", trainable=False, autocast=False)

    def fit(self, x=None, y=None, *, callbacks=None, **options):
        """As `keras.Model.fit`; calls `prepare` first."""
        self.prepare(x)
        several = isinstance(callbacks, (list, tuple))
        callbacks = [*callbacks] if several else [callbacks] if callbacks else []
        counter = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: self.epoch.assign(epoch + 1.0))
        return super().fit(x, y, callbacks=[counter, *callbacks], **options)


def squared_error(x, reconstruction):
    """Mean squared error of each example, (B,), in float32."""
    error = ops.square(ops.cast(x, "float32") - reconstruction)
    return ops.mean(error, axis=tuple(range(1, len(error.shape))))


def first_rows(x):
    """Some rows of an array, or of an iterable of batches, as an array."""
    if hasattr(x, "shape"):
        return keras.ops.convert_to_numpy(x[:INITIAL_ROWS])
    batches, count = [], 0
    for batch in x:
        batches.append(keras.ops.convert_to_numpy(keras.utils.unpack_x_y_sample_weight(batch)[0]))
        count += len(batches[-1])
        if count >= INITIAL_ROWS:
            break
    return np.concatenate(batches)


def window_input(lookback, channels):
    """(B, lookback, channels), float32; the sizes are checked."""
    check_sizes(lookback=lookback, channels=channels)
    return keras.Input((lookback, channels), name="window", dtype="float32")


def row_input(numeric):
    """(B, numeric), float32; the size is checked."""
    check_sizes(numeric=numeric)
    return keras.Input((numeric,), name="row", dtype="float32")


def hidden_sizes(hidden):
    """The sizes as a tuple.

    Raises:
        ValueError: none, or one that is no positive integer.
    """
    hidden = tuple(hidden)
    if not hidden or any(not isinstance(size, int) or size < 1 for size in hidden):
        raise ValueError(f"`hidden` must be positive integers, at least one. Received: {hidden!r}.")
    return hidden


def compile_detector(model, optimizer):
    """Compiles; the loss is the model's own. Returns the model."""
    model.compile(optimizer=optimizer)
    return model


def sample_windows(*, lookback, channels, unit=False):
    """`(rng, batch) -> (windows, windows)`: noisy waves, in [0, 1] where `unit`, for `register(sample=)`."""

    def sample(rng, batch):
        shape = (batch, 1, channels)
        waves = np.sin(rng.uniform(0, 6.3, shape) + rng.uniform(0.3, 0.9, shape) * np.arange(lookback)[:, None])
        waves = waves + rng.normal(0, 1, shape)
        waves = (1 / (1 + np.exp(-waves)) if unit else waves).astype("float32")
        return waves, waves

    return sample


def sample_rows(*, numeric, labels=False):
    """`(rng, batch) -> (rows, rows or 0 and 1 in turn)`: random rows, for `register(sample=)`."""

    def sample(rng, batch):
        rows = rng.normal(size=(batch, numeric)).astype("float32")
        return rows, (np.arange(batch) % 2).astype("float32") if labels else rows

    return sample
