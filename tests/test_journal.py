"""The journal of a training: which epoch is best, when training ends, what a kill at any moment leaves."""

import json
import os
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from kerazoo import json_files
from kerazoo.evaluate.runs import write_record
from kerazoo.training.callbacks import Journal, best_weights, mark
from kerazoo.training.epochs import RequireFiniteLoss
from kerazoo.training.finished import Finished

NAN, INF = float("nan"), float("inf")


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.05), "mse", run_eagerly=True)
    return model


class Scores(keras.callbacks.Callback):
    """Gives each epoch its score."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.scores[epoch]


def data(rows=8):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 3)), rng.normal(size=(rows, 2))


def train(folder, scores, *, epochs=None, patience=None, mode="max", **options):
    """(model, journal, epochs done before) of a training with these scores, begun or resumed in `folder`."""
    model = small_model()
    options = {"configuration": {}, "monitor": "score", "mode": mode, "patience": patience} | options
    journal = Journal(folder, **options)
    done = journal.restore(model)
    callbacks = [Scores(scores)]
    journal.fit(
        model, *data(), epochs=epochs or len(scores), callbacks=callbacks, batch_size=8, shuffle=False, verbose=0
    )
    return model, journal, done


@pytest.mark.parametrize("mode, sign", [("max", 1), ("min", -1)])
@pytest.mark.parametrize(
    "scores, patience, run, best",
    [
        ([1, 2, 3, 2, 2, 2], 2, 5, 2),
        ([1] * 9, 2, 3, 2),  # Equal is not better, but the latest of equals is kept.
        ([1, 3, 2, 4, 4, 4, 5], 2, 6, 5),
        ([1, 3, 3, 3, 4], 2, 4, 3),
        ([NAN, 1, 2, 1, 1, 1], 2, 5, 2),
        ([1, NAN, NAN, 2], 2, 3, 0),
        ([INF, 1, -INF, 2, 0, 0, 5], 2, 6, 3),
        ([NAN, 1, 1, NAN], None, 4, 2),
    ],
)
def test_better_latest_of_equals_and_not_finite_are_three_things(tmp_path, mode, sign, scores, patience, run, best):
    _, journal, _ = train(tmp_path, [sign * score for score in scores], patience=patience, mode=mode)
    assert (len(journal.history), journal.best_epoch) == (run, best)
    assert bool(journal.stopped) == (patience is not None)
    record = json.loads(write_record(journal.record(), tmp_path / "run.json").read_text())
    assert [epoch["score"] for epoch in record["history"]] == [
        sign * score if np.isfinite(score) else None for score in scores[:run]
    ]


def test_the_weights_kept_are_those_of_the_best_epoch(tmp_path):
    _, journal, _ = train(tmp_path / "whole", [1, 3, 3, NAN, 2])
    short, _, _ = train(tmp_path / "short", [1, 3, 3])
    model = small_model()
    journal.load_best(model)
    for mine, theirs in zip(model.get_weights(), short.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
    assert best_weights(tmp_path / "whole").name == json.loads((tmp_path / "whole/journal.json").read_text())["best"]


def test_where_no_epoch_is_finite_it_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no better score for 2 epochs"):
        train(tmp_path, [NAN] * 5, patience=2)
    with pytest.raises(ValueError, match="no best weights"):
        best_weights(tmp_path)
    with pytest.raises(ValueError, match="score was not finite in any of 3 epochs"):
        train(tmp_path / "b", [NAN] * 3)


def test_a_training_that_patience_has_ended_has_ended(tmp_path, capsys):
    model, journal, _ = train(tmp_path, [3, 2, 2, 9, 9], patience=2)
    assert journal.stopped == "no better score for 2 epochs"
    again, resumed, done = train(tmp_path, [3, 2, 2, 9, 9], patience=2)
    assert done == 3 and len(resumed.history) == 3 and resumed.stopped == journal.stopped
    assert "has ended before" in capsys.readouterr().out
    for mine, theirs in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


def test_a_training_that_its_epochs_have_ended_goes_on_with_more(tmp_path):
    def epochs(count, **options):
        options |= {"configuration": {"epochs": count, "seed": 0}}
        return train(tmp_path / "a", [1, 2, 3, 2], epochs=count, **options)

    epochs(2, open_ended=True)
    for count, options in ((4, {}), (1, {"open_ended": True})):
        with pytest.raises(ValueError, match=f"epochs was 2, is {count}"):
            epochs(count, **options)
    model, journal, done = epochs(4, open_ended=True)
    whole, _, _ = train(tmp_path / "b", [1, 2, 3, 2])
    assert (done, len(journal.history), journal.best_epoch) == (2, 4, 2)
    for mine, theirs in zip(model.get_weights(), whole.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


# A loss that is not finite


class Spoil(keras.callbacks.Callback):
    """Makes a weight NaN before a step, so that the step's loss is."""

    def __init__(self, epoch, step, value=NAN):
        super().__init__()
        self.where, self.value = (epoch, step), value

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.where:
            self.model.layers[0].bias.assign(np.full(2, self.value))


class Unreached(keras.callbacks.Callback):
    """A score of weights that are not finite would be of no use, and may fail."""

    def on_epoch_end(self, epoch, logs=None):
        assert all(np.isfinite(w).all() for w in self.model.get_weights())
        logs["score"] = float(epoch)


@pytest.mark.parametrize("value, name", [(NAN, "nan"), (1e30, "inf")])
@pytest.mark.parametrize("spacing", [0.0, 1e6])
def test_a_loss_that_is_not_finite_ends_training_and_the_epochs_before_stand(tmp_path, capsys, value, name, spacing):
    def run(folder, *callbacks, epochs):
        model = small_model()
        journal = Journal(folder, configuration={}, monitor="score", spacing=spacing)
        journal.restore(model)
        options = {"batch_size": 4, "shuffle": False, "verbose": 0}
        journal.fit(model, *data(12), epochs=epochs, callbacks=[*callbacks, Unreached()], **options)
        return model, journal

    model, journal = run(tmp_path / "a", Spoil(2, 1, value), epochs=5)
    assert journal.stopped == f"loss was {name} at step 2 of epoch 3"
    assert f"Training stops: {journal.stopped}." in capsys.readouterr().out
    assert journal.diverged and len(journal.history) == 3 and journal.best_epoch == 1
    good, _ = run(tmp_path / "b", epochs=2)
    journal.load_best(model)
    for mine, theirs in zip(model.get_weights(), good.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
    text = write_record(journal.record("rows", seen=12, fed=1.0), tmp_path / "run.json").read_text()
    record = json.loads(text, parse_constant=pytest.fail)
    assert record["diverged"] and record["history"][2]["loss"] is None and record["best_epoch"] == 2
    _, resumed = run(tmp_path / "a", epochs=5)
    assert resumed.stopped == journal.stopped and len(resumed.history) == 3


def test_a_loss_that_is_not_finite_at_once_is_an_error_that_says_where(tmp_path):
    journal = Journal(tmp_path, configuration={}, monitor="loss", mode="min")
    with pytest.raises(ValueError, match="loss was nan at step 1 of epoch 1.*smaller learning rate"):
        journal.fit(small_model(), *data(), epochs=3, callbacks=[Spoil(0, 0)], batch_size=4, verbose=0)
    again = Journal(tmp_path, configuration={}, monitor="loss", mode="min")
    model = small_model()
    again.restore(model)
    with pytest.raises(ValueError, match="loss was nan at step 1 of epoch 1"):
        again.fit(model, *data(), epochs=3, verbose=0)


def test_as_a_plain_callback_the_journal_ends_training_too(tmp_path):
    model, journal = small_model(), Journal(tmp_path, configuration={}, monitor="val_loss", mode="min")
    options = {"validation_data": data(), "batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(*data(), epochs=4, callbacks=[Spoil(1, 1), journal], **options)
    assert journal.stopped == "loss was nan at step 2 of epoch 2" and journal.best_epoch == 0
    assert [np.isfinite(epoch["val_loss"]) for epoch in journal.history] == [True, False]


def test_several_steps_of_one_execution_are_told(tmp_path):
    model = small_model()
    model.compile(keras.optimizers.SGD(1.0), "mse", steps_per_execution=3)
    journal = Journal(tmp_path, configuration={}, monitor="loss", mode="min")
    x, y = data(20)
    y[16] = INF
    with pytest.raises(ValueError, match="loss was (inf|nan) at one of the steps 4 to 5 of epoch 1"):
        journal.fit(model, x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)


def test_weights_that_the_last_step_spoiled_are_not_kept(tmp_path):
    """The loss is the one before the step: finite, and so is the epoch's."""
    model = small_model()
    journal = Journal(tmp_path, configuration={}, monitor="loss", mode="min")

    class Late(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 4:
                self.model.layers[0].bias.assign([NAN, 0.0])

    journal.fit(model, *data(), epochs=4, callbacks=[Late()], batch_size=4, shuffle=False, verbose=0)
    assert journal.stopped == "weights were not finite after the last step of epoch 2" and journal.best_epoch == 0
    journal.load_best(model)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_a_training_without_a_journal_ends_too():
    with pytest.raises(ValueError, match="loss was nan at step 2 of epoch 1"):
        small_model().fit(*data(), batch_size=4, callbacks=[Spoil(0, 1), RequireFiniteLoss()], verbose=0)


def test_checks_that_are_not_finite_begin_no_average():
    from kerazoo.training.triggered_average import TriggeredAverage

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile("sgd", "mse")
    trigger = TriggeredAverage(model, checks=1)
    for value in (NAN, 2.0, INF, 1.0, NAN):
        trigger.check(value)
    assert not trigger.began and float(trigger.best) == 2.0
    trigger.check(3.0)
    assert trigger.began


def test_a_descent_stops_where_its_loss_is_not_finite(capsys):
    import tensorflow as tf

    from kerazoo.training.gatys import stylize

    class Loss:
        weights = {"content": 1.0}

        def __init__(self, good):
            self.left = tf.Variable(good)

        def terms(self, content, image):
            self.left.assign_sub(1)
            term = tf.reduce_mean((image - 100.0) ** 4, axis=(1, 2, 3))
            return {"content": tf.where(self.left >= 0, term, np.nan)}

    content = np.zeros((4, 4, 3), "float32")
    for method in ("adam", "lbfgs"):
        image, history = stylize(content, Loss(3), method=method, steps=9)
        assert len(history["loss"]) == 4 and np.isfinite(image).all() and image.max() > 0
        assert "loss was nan at step 4" in capsys.readouterr().out
        with pytest.raises(ValueError, match="loss was nan at step 1"):
            stylize(content, Loss(0), method=method, steps=9)


# Kills


def snapshots(monkeypatch, folder, target):
    """Copies `folder` at every moment at which a kill leaves other files than at the one before."""
    taken = []

    def take():
        taken.append(target / str(len(taken)))
        shutil.copytree(folder, taken[-1])

    def replace(source, goal):
        take()  # Written, not moved.
        if len(taken) < 6:
            whole = source.read_bytes()
            source.write_bytes(whole[: len(whole) // 2])
            take()  # Half written: the same of every file of a kind.
            source.write_bytes(whole)
        os.rename(source, goal)
        take()

    monkeypatch.setattr(json_files.os, "replace", replace)
    return taken


@pytest.mark.parametrize("spacing", [0.0, 1e6])
def test_a_kill_at_any_write_changes_nothing_of_the_outcome(tmp_path, monkeypatch, spacing):
    """Better, equal, not finite: and patience ends it before the last epoch."""
    scores, options = [1, 1, NAN, 9], {"patience": 2, "spacing": spacing}
    whole = tmp_path / "whole"
    whole.mkdir()
    with monkeypatch.context() as patch:
        taken = snapshots(patch, whole, tmp_path)
        model, journal, _ = train(whole, scores, **options)
    best = small_model()
    journal.load_best(best)
    assert (len(journal.history), journal.best_epoch) == (3, 1)
    seen = set()
    for place in taken:
        named = place / "journal.json"
        if named.exists():
            known = json.loads(named.read_text())
            assert all((place / known[kind]).exists() for kind in ("last", "best"))
        again, resumed, done = train(place, scores, **options)
        seen.add(done)
        for mine, theirs in ((again, model), (again.optimizer, model.optimizer)):
            for one, other in zip(mine.variables, theirs.variables, strict=True):
                np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        resumed.load_best(again)
        for one, other in zip(again.get_weights(), best.get_weights()):
            np.testing.assert_array_equal(one, other)
        assert sorted(path.name for path in place.iterdir()) == sorted(path.name for path in whole.iterdir())
        assert (resumed.stopped, resumed.best_epoch) == (journal.stopped, journal.best_epoch)
        scored = [[epoch["loss"], epoch["score"]] for epoch in resumed.history]
        np.testing.assert_array_equal(scored, [[epoch["loss"], epoch["score"]] for epoch in journal.history])
    assert seen == ({*range(4)} if spacing == 0 else {0, 1, 3})


SCRIPT = """
import os, signal, sys
from kerazoo import json_files
from tests.test_journal import train

count, (folder, at) = 0, (sys.argv[1], int(sys.argv[2]))
replace = os.replace


def killing(source, target):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)


json_files.os.replace = killing
train(folder, [1, 1, 0])
"""


@pytest.mark.slow
def test_a_killed_process_is_resumed_as_if_it_had_not_been(tmp_path):
    whole, _, _ = train(tmp_path / "whole", [1, 1, 0])
    for at in range(1, 9):
        folder = tmp_path / str(at)
        path = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(folder), str(at)], env=os.environ | {"PYTHONPATH": path}, check=False
        )
        assert done.returncode == -signal.SIGKILL
        model, journal, _ = train(folder, [1, 1, 0])
        assert journal.best_epoch == 1
        for mine, theirs in zip(model.variables, whole.variables):
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


def test_a_kill_at_any_write_of_a_part_leaves_it_whole_or_undone(tmp_path, monkeypatch):
    (tmp_path / "whole").mkdir()
    with monkeypatch.context() as patch:
        taken = snapshots(patch, tmp_path / "whole", tmp_path)
        finished = Finished(tmp_path / "whole", {"seed": 0})
        for name, value in (("a", 1.0), ("b", NAN)):
            finished.part(name, lambda value=value: {"value": value})
    assert finished.parts == {"a": {"value": 1.0}, "b": {"value": None}}
    for place in taken:
        again = Finished(place, {"seed": 0})
        for name, value in (("a", 1.0), ("b", NAN)):
            again.part(name, lambda value=value: {"value": value})
        assert again.parts == finished.parts


def test_a_folder_of_several_trainings_is_resumed_with_its_configuration_alone(tmp_path):
    mark(tmp_path, {"seed": 0})
    mark(tmp_path, {"seed": 0})
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        mark(tmp_path, {"seed": 1})
