"""A training that can be stopped at any time: the journal of its epochs, its best weights, its way back."""

import json
import os
import time
from pathlib import Path

import keras
import numpy as np


class Journal(keras.callbacks.Callback):
    """Writes after every epoch all that a training needs to go on, and the best weights so far.

    In `folder`: `last.weights.h5` (with the optimizer's state), `best.weights.h5` and `journal.json`
    (configuration, history, seconds). Each is written beside and moved into place, the journal last,
    so that a kill at any moment leaves the epoch before it whole.

    Args:
        folder: where to write; made if it is not there.
        configuration: what makes this training this training, JSON types; a journal with another
            configuration is refused.
        monitor: the metric that "best" is about.
        mode: "max" or "min".
        patience: epochs without a better value after which training stops; None never stops it.
        kept: function from the model to the part of it whose weights are kept as the best; None keeps all.
        spacing: seconds between two savings, at least: where an epoch takes less time than its files. A kill
            loses the epochs since the last one; the training's last epoch is always saved.

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.training.callbacks import Journal
    >>> model = kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,))
    >>> journal = Journal("runs/a", configuration={"epochs": 3}, monitor="loss", mode="min")
    >>> first = journal.restore(model)  # 0, or the number of epochs already done
    >>> images, labels = np.zeros((8, 2, 2, 3)), np.zeros(8)
    >>> _ = model.fit(images, labels, epochs=3, initial_epoch=first, callbacks=[journal], verbose=0)
    >>> journal.load_best(model)
    >>> len(journal.history)
    3
    """

    def __init__(
        self, folder, *, configuration, monitor="val_accuracy", mode="max", patience=None, kept=None, spacing=0.0
    ):
        super().__init__()
        if mode not in ("max", "min"):
            raise ValueError(f"`mode` must be 'max' or 'min'. Received: {mode!r}.")
        self.folder, self.configuration = Path(folder), json.loads(json.dumps(configuration))
        self.monitor, self.sign, self.patience = monitor, 1 if mode == "max" else -1, patience
        self.kept, self.spacing = kept or (lambda model: model), spacing
        self.history, self.seconds = [], 0.0
        self._last, self._saved_at = None, float("-inf")
        self._best = None  # Weights better than those in the folder, that are not written yet.

    @property
    def best_epoch(self):
        """Position of the best epoch in `history`; of equal ones the last, which was trained longest."""
        return max(range(len(self.history)), key=lambda i: (self.sign * self.history[i][self.monitor], i))

    def restore(self, model):
        """Loads the last epoch of an earlier run of this folder into `model`.

        Returns:
            The number of epochs done: 0 where there is no earlier run.

        Raises:
            ValueError: the earlier run had another configuration; the message has the differences.
        """
        path = self.folder / "journal.json"
        if not path.exists():
            return 0
        known = json.loads(path.read_text(encoding="utf-8"))
        refuse_change(known["configuration"], self.configuration, self.folder)
        if known["history"]:
            optimizer = model.optimizer
            optimizer.build(model.trainable_variables)
            model.load_weights(self.folder / known["last"])
        self.history, self.seconds, self._last = known["history"], known["seconds"], known.get("last")
        return len(self.history)

    def load_best(self, model):
        """Gives the model the weights of the best epoch."""
        model.load_weights(self.folder / "best.weights.h5")

    def record(self, unit=None, *, seen=None, fed=None):
        """What a run's record says of its training, in JSON types.

        Args:
            unit: what an epoch goes through, in the plural: "images"; None where no speed is told.
            seen: how many in an epoch.
            fed: how many a second the input pipeline gives alone.
        """
        facts = {"epochs_run": len(self.history), "best_epoch": self.best_epoch + 1, "minutes": self.seconds / 60}
        if unit:
            # The median, because the first epoch also compiles.
            seconds = float(np.median([epoch["training_seconds"] for epoch in self.history]))
            facts |= {f"{unit}_per_second": seen / seconds, f"pipeline_{unit}_per_second": fed}
        return facts | {"history": self.history}

    def on_train_begin(self, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started = time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_began = self._trained = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self._trained = time.perf_counter()  # Of the last batch: validation comes after it.

    def on_epoch_end(self, epoch, logs=None):
        logs = {key: float(value) for key, value in (logs or {}).items()}
        if self.monitor not in logs:
            raise ValueError(f"`monitor` must be one of {sorted(logs)}. Received: {self.monitor!r}.")
        now = time.perf_counter()
        self.seconds += now - self._started
        self._started = now
        self.history.append(logs | {"training_seconds": self._trained - self._epoch_began})
        is_best = self.best_epoch == len(self.history) - 1
        if self.patience is not None and len(self.history) - 1 - self.best_epoch >= self.patience:
            print(f"No better {self.monitor} for {self.patience} epochs: training stops.")
            self.model.stop_training = True
        ends = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if ends or now - self._saved_at >= self.spacing:
            self._save(is_best)
        elif is_best:
            self._best = self.kept(self.model).get_weights()

    def _save(self, is_best):
        """Writes the epoch that has just ended, and the best one where it is not written yet."""
        # Two in turn: the journal always names a whole one.
        last = "last-1.weights.h5" if self._last == "last-0.weights.h5" else "last-0.weights.h5"
        self._write(last, self.model.save_weights)
        part = self.kept(self.model)
        if is_best:
            self._write("best.weights.h5", part.save_weights)
        elif self._best is not None:
            present = part.get_weights()
            part.set_weights(self._best)
            self._write("best.weights.h5", part.save_weights)
            part.set_weights(present)
        text = json.dumps(
            {"configuration": self.configuration, "history": self.history, "seconds": self.seconds, "last": last}
        )
        self._write("journal.json", lambda path: path.write_text(text, encoding="utf-8"))
        self._last, self._best, self._saved_at = last, None, time.perf_counter()

    def _write(self, name, write):
        """Writes beside and moves into place; a full disk leaves what was there."""
        beside = self.folder / f"writing-{name}"
        try:
            write(beside)
            os.replace(beside, self.folder / name)
        finally:
            beside.unlink(missing_ok=True)


def refuse_change(before, now, folder):
    """Refuses to go on with a run under another configuration.

    Raises:
        ValueError: `now` is not `before`; the message has the differences.
    """
    changed = [key for key in sorted(set(before) | set(now)) if before.get(key) != now.get(key)]
    if changed:
        said = ", ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in changed)
        raise ValueError(f"A run goes on only with the configuration it began with: {said}. Folder: {folder}.")
