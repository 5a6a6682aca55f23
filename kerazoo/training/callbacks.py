"""A training that can be stopped at any time: the journal of its epochs, its best weights, its way back."""

import json
import math
import time
from pathlib import Path

import keras
import numpy as np

from kerazoo.json_files import dumps, replace_file, write_json
from kerazoo.training.epochs import describe_step, non_finite_loss

JOURNAL = "journal.json"


class Journal(keras.callbacks.Callback):
    """Writes after every epoch all that a training needs to go on, and the best weights so far.

    In `folder`: the weights of the last epoch (with the optimizer's state), those of the best one, and `journal.json`
    (configuration, history, seconds, the names of the two files). Each kind of weights has two files that are written
    in turn, and the journal is replaced last: a kill at any moment leaves a journal that names two whole files of the
    epochs that it tells of.

    Three rules say which epoch is best, in every application alike. A higher (or lower) value of `monitor` is better.
    Of equal epochs the latest is kept, since it was trained longest; but it is not better, and patience runs on. A
    value that is NaN or infinite is never best. A training loss that is not finite ends the training: the epochs
    before it stand.

    A training that has ended by patience, or by its loss, has ended: `restore` says so by `stopped`, and `fit` trains
    no further.

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
        open_ended: no epoch depends on how many there will be (as under a schedule over all of them): a training that
            is resumed may have more "epochs" in its configuration than before.

    Example:

    >>> import kerazoo, numpy as np
    >>> from kerazoo.training.callbacks import Journal
    >>> model = kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4,))
    >>> journal = Journal("runs/a", configuration={"seed": 0}, monitor="loss", mode="min")
    >>> done = journal.restore(model)  # 0, or the number of epochs already done
    >>> journal.fit(model, np.zeros((8, 2, 2, 3)), np.zeros(8), epochs=3, verbose=0)
    >>> journal.load_best(model)
    >>> len(journal.history)
    3
    """

    def __init__(
        self,
        folder,
        *,
        configuration,
        monitor="val_accuracy",
        mode="max",
        patience=None,
        kept=None,
        spacing=0.0,
        open_ended=False,
    ):
        super().__init__()
        if mode not in ("max", "min"):
            raise ValueError(f"`mode` must be 'max' or 'min'. Received: {mode!r}.")
        self.folder, self.configuration = Path(folder), json.loads(dumps(configuration))
        self.monitor, self.sign, self.patience = monitor, 1 if mode == "max" else -1, patience
        self.kept, self.spacing, self.open_ended = kept or (lambda model: model), spacing, open_ended
        self.history, self.seconds = [], 0.0
        self.stopped = None  # Why the training ended before its last epoch.
        self.diverged = False  # Whether it ended by numbers that are not finite.
        self._files = {"last": None, "best": None}  # The names that the journal on disk has.
        self._saved_at, self._leaves = float("-inf"), False
        self._best = None  # Weights better than those in the folder, that are not written yet.

    @property
    def best_epoch(self):
        """Position of the best epoch in `history`; of equal ones the latest; None where no epoch has a finite value."""
        values = self._values()
        return max(values, key=lambda epoch: (values[epoch], epoch), default=None)

    def _values(self):
        """{epoch: how good it is} of the epochs whose value is finite."""
        values = {epoch: self.sign * logs[self.monitor] for epoch, logs in enumerate(self.history)}
        return {epoch: value for epoch, value in values.items() if math.isfinite(value)}

    def _waited(self):
        """Epochs since the last one that was better than all before it."""
        values = self._values()
        return len(self.history) - 1 - max(values, key=lambda epoch: (values[epoch], -epoch), default=-1)

    def restore(self, model):
        """Loads the last epoch of an earlier run of this folder into `model`.

        Returns:
            The number of epochs done: 0 where there is no earlier run.

        Raises:
            ValueError: the earlier run had another configuration; the message has the differences.
        """
        if not (self.folder / JOURNAL).exists():
            return 0
        known = _read(self.folder)
        refuse_change(known["configuration"], self.configuration, self.folder, open_ended=self.open_ended)
        if known["last"]:
            optimizer = model.optimizer
            optimizer.build(model.trainable_variables)
            model.load_weights(self.folder / known["last"])
        self.history = [
            {key: math.nan if value is None else value for key, value in epoch.items()} for epoch in known["history"]
        ]
        self.seconds, self._files = known["seconds"], {"last": known["last"], "best": known["best"]}
        self.stopped, self.diverged = known["stopped"], known["diverged"]
        if self.stopped:
            print(f"The training has ended before: {self.stopped}.")
        return len(self.history)

    def fit(self, model, *data, epochs, callbacks=(), **options):
        """`model.fit` from the first epoch that is not done; does nothing where the training has ended.

        Args:
            model: compiled.
            *data: as `model.fit` takes them.
            epochs: of the whole training.
            callbacks: further ones, called before the journal, which finds in the logs what they add.
            **options: of `model.fit`.

        Raises:
            ValueError: no epoch has a finite value of `monitor`.
        """
        if not self.stopped and len(self.history) < epochs:
            self._leaves = True
            try:
                model.fit(
                    *data, epochs=epochs, initial_epoch=len(self.history), callbacks=[*callbacks, self], **options
                )
            except _Diverged:
                pass  # The journal is written; to validate weights that are not finite would be of no use.
            finally:
                self._leaves = False
        self._require_best()

    def load_best(self, model):
        """Gives the model the weights of the best epoch.

        Raises:
            ValueError: no epoch has a finite value of `monitor`.
        """
        self._require_best()
        model.load_weights(best_weights(self.folder))

    def _require_best(self):
        if self.best_epoch is None:
            reason = self.stopped or f"{self.monitor} was not finite in any of {len(self.history)} epochs"
            raise ValueError(f"Training found no best weights: {reason}. A smaller learning rate may help.")

    def record(self, unit=None, *, seen=None, fed=None):
        """What a run's record says of its training, in JSON types.

        Args:
            unit: what an epoch goes through, in the plural: "images"; None where no speed is told.
            seen: how many in an epoch.
            fed: how many a second the input pipeline gives alone.
        """
        best = self.best_epoch
        facts = {"epochs_run": len(self.history), "best_epoch": None if best is None else best + 1}
        facts |= {"stopped": self.stopped, "diverged": self.diverged, "minutes": self.seconds / 60}
        if unit:
            # The median, because the first epoch also compiles.
            seconds = float(np.median([epoch["training_seconds"] for epoch in self.history]))
            facts |= {f"{unit}_per_second": seen / seconds, f"pipeline_{unit}_per_second": fed}
        return facts | {"history": self.history}

    def on_train_begin(self, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._started = time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._epoch_began = epoch, time.perf_counter()
        self._trained = self._epoch_began

    def on_train_batch_begin(self, batch, logs=None):
        self._batch = batch

    def on_train_batch_end(self, batch, logs=None):
        self._trained = time.perf_counter()  # Of the last batch: validation comes after it.
        if name := non_finite_loss(logs):
            self._diverge(
                f"{name} was {logs[name]} at {describe_step(self._batch, batch, self._epoch, self.params)}", logs
            )
            if self._leaves:
                raise _Diverged

    def on_epoch_end(self, epoch, logs=None):
        if self.diverged:
            return
        logs = {key: float(value) for key, value in (logs or {}).items()}
        if problem := self._problem(logs, epoch):
            self._diverge(problem, logs)
            return
        if self.monitor not in logs:
            raise ValueError(f"`monitor` must be one of {sorted(logs)}. Received: {self.monitor!r}.")
        now = self._append(logs)
        is_best = self.best_epoch == len(self.history) - 1
        if self.patience is not None and self._waited() >= self.patience:
            self._stop(f"no better {self.monitor} for {self.patience} epochs")
        ends = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if ends or now - self._saved_at >= self.spacing:
            self._save(is_best=is_best)
        elif is_best:
            self._best = self.kept(self.model).get_weights()

    def _problem(self, logs, epoch):
        """What is not finite at the end of an epoch; None where nothing is."""
        if name := non_finite_loss(logs):
            return f"{name} was {logs[name]} in epoch {epoch + 1}"
        if not all(np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in self.model.trainable_variables):
            return f"weights were not finite after the last step of epoch {epoch + 1}"
        return None

    def _append(self, logs):
        """Adds the epoch to the history; returns the time."""
        now = time.perf_counter()
        self.seconds += now - self._started
        self._started = now
        self.history.append(logs | {"training_seconds": self._trained - self._epoch_began})
        return now

    def _stop(self, reason):
        self.stopped, self.model.stop_training = reason, True
        print(f"\nTraining stops: {reason}.")

    def _diverge(self, reason, logs):
        """Ends the training with an epoch that never is best, and whose weights are not kept."""
        self.diverged = True
        self._stop(reason)
        logs = {key: float(value) for key, value in logs.items() if not key.startswith("val_")}
        self._append(logs | {self.monitor: math.nan})
        self._save(is_last=False)

    def _save(self, *, is_last=True, is_best=False):
        """Writes the model as the last epoch and as the best one, or a best one before it; then the journal."""
        files, part = dict(self._files), self.kept(self.model)
        if is_last:
            files["last"] = self._write("last", self.model.save_weights)
        if is_best:
            files["best"] = self._write("best", part.save_weights)
        elif self._best is not None:
            present = part.get_weights()
            part.set_weights(self._best)
            files["best"] = self._write("best", part.save_weights)
            part.set_weights(present)
        journal = {"configuration": self.configuration, "history": self.history, "seconds": self.seconds}
        journal |= {"stopped": self.stopped, "diverged": self.diverged} | files
        write_json(journal, self.folder / JOURNAL)
        self._files, self._best, self._saved_at = files, None, time.perf_counter()

    def _write(self, kind, save):
        """Writes the file of the two whose name the journal does not have; returns its name."""
        name = f"{kind}-1.weights.h5" if self._files[kind] == f"{kind}-0.weights.h5" else f"{kind}-0.weights.h5"
        replace_file(self.folder / name, save)
        return name


class _Diverged(Exception):
    """Leaves `Model.fit` in the middle of an epoch."""


def best_weights(folder):
    """The file of the best epoch's weights: the one that the folder's journal names.

    Args:
        folder: of a `Journal`.

    Raises:
        ValueError: no epoch had a finite value of the journal's monitor.
    """
    known = _read(folder)
    if not known["best"]:
        raise ValueError(f"Training found no best weights: {known['stopped']}. Folder: {str(folder)!r}.")
    return Path(folder) / known["best"]


def _read(folder):
    before = {"best": "best.weights.h5", "stopped": None, "diverged": False}  # What older journals leave out.
    return before | json.loads((Path(folder) / JOURNAL).read_text(encoding="utf-8"))


def mark(folder, configuration, *, open_ended=False):
    """Marks the folder of several trainings, each with its own journal, as one that can be resumed.

    Args:
        folder: exists.
        configuration: JSON types.
        open_ended: as of a `Journal`.

    Raises:
        ValueError: the folder was marked with another configuration; the message has the differences.
    """
    path, configuration = Path(folder) / JOURNAL, json.loads(dumps(configuration))
    if path.exists():
        refuse_change(
            json.loads(path.read_text(encoding="utf-8"))["configuration"], configuration, folder, open_ended=open_ended
        )
    else:
        write_json({"configuration": configuration}, path)


def refuse_change(before, now, folder, *, open_ended=False):
    """Refuses to resume a run under another configuration; more "epochs" are none where it is `open_ended`.

    Raises:
        ValueError: `now` is not `before`; the message has the differences.
    """
    if open_ended and before.get("epochs", math.inf) < now.get("epochs", 0):
        before = before | {"epochs": now["epochs"]}
    changed = [key for key in sorted(set(before) | set(now)) if before.get(key) != now.get(key)]
    if changed:
        said = ", ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in changed)
        if changed == ["epochs"] and not open_ended:
            said += " (the learning rate's schedule runs over all of them)"
        raise ValueError(f"A run is resumed only with the configuration it began with: {said}. Folder: {folder}.")
