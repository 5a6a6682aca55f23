"""Evaluation: figures against hand-made cases and scikit-learn, baselines, the files of a run, callbacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerazoo.data.images import Images
from kerazoo.evaluate import classification, predict, runs
from kerazoo.training.callbacks import Journal
from kerazoo.training.schedules import OneCycle


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 400)
    logits = rng.normal(size=(400, 7)) + 1.5 * np.eye(7)[labels]
    return logits, labels, classification.evaluate(logits, labels)


def test_figures_equal_scikit_learn(answers):
    metrics = pytest.importorskip("sklearn.metrics")
    logits, labels, got = answers
    precision, recall, f1, support = metrics.precision_recall_fscore_support(labels, got.predicted)
    assert got.accuracy == pytest.approx(metrics.accuracy_score(labels, got.predicted))
    assert got.top5 == pytest.approx(metrics.top_k_accuracy_score(labels, logits, k=5))
    assert got.loss == pytest.approx(metrics.log_loss(labels, classification.softmax(logits)))
    assert np.array_equal(got.confusion, metrics.confusion_matrix(labels, got.predicted))
    for mine, theirs in ((got.precision, precision), (got.recall, recall), (got.f1, f1), (got.support, support)):
        np.testing.assert_allclose(mine, theirs)


def test_mistakes_are_the_wrong_answers_most_confident_first(answers):
    _, labels, got = answers
    assert set(got.mistakes) == set(np.flatnonzero(got.predicted != labels))
    assert np.all(np.diff(got.confidence[got.mistakes]) <= 0)


def test_calibration_error_by_hand():
    # Four answers at 0.9, half of them right; two at 0.6, both right: (4 * 0.4 + 2 * 0.4) / 6.
    confidence, right = np.array([0.9] * 4 + [0.6] * 2), np.array([1, 1, 0, 0, 1, 1], bool)
    rows, error = classification.calibration(confidence, right)
    assert error == pytest.approx(0.4)
    np.testing.assert_allclose(rows, [[0.6, 1.0, 2], [0.9, 0.5, 4]])


def test_a_certain_answer_belongs_to_the_last_bin():
    rows, error = classification.calibration(np.array([1.0]), np.array([True]))
    assert error == 0 and len(rows) == 1


def test_a_class_that_is_not_there_has_no_recall():
    got = classification.evaluate(np.array([[3.0, 0, 0], [0, 2.0, 0]]), np.array([0, 1]))
    record = got.record(["a", "b", "c"])
    assert record["per_class"]["c"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    assert record["top5"] is None
    json.dumps(record, allow_nan=False)


def test_huge_logits_stay_finite():
    got = classification.evaluate(np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([0, 0]))
    assert np.isfinite(got.loss) and got.accuracy == 0.5


@pytest.mark.parametrize(
    "logits, labels", [(np.zeros((2, 3)), np.zeros(3, int)), (np.zeros((0, 3)), np.zeros(0, int)), (np.zeros(3), 0)]
)
def test_shapes_that_do_not_fit(logits, labels):
    with pytest.raises(ValueError, match="must be"):
        classification.evaluate(logits, np.asarray(labels))


def test_scores_that_are_not_finite():
    with pytest.raises(ValueError, match="1 values that are not"):
        classification.evaluate(np.array([[np.nan, 0.0]]), np.array([0]))


def test_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    shares = rng.binomial(200, 0.9, size=500) / 200
    held = [low <= 0.9 <= high for low, high in (classification.accuracy_interval(share, 200) for share in shares)]
    assert 0.92 < np.mean(held) < 0.98  # 95%, with 500 draws a standard error of 1%


def test_baselines_learn_what_pixels_tell():
    pytest.importorskip("sklearn")
    from kerazoo.evaluate.baselines import flatten, image_baselines

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300).astype("int32")
    pixels = rng.integers(0, 60, (300, 32, 40, 3)) + 60 * labels[:, None, None, None]
    images = Images(labels, pixels=pixels.astype("uint8"))
    rows = image_baselines(images.take(np.arange(200)), images.take(np.arange(200, 300)))
    assert [row["name"] for row in rows][0] == "most frequent class"
    assert rows[0]["accuracy"] < 0.6 and rows[1]["accuracy"] == rows[2]["accuracy"] == 1.0
    assert flatten(images.pixels).shape == (300, 16 * 20 * 3) and flatten(images.pixels).max() <= 1


def test_collect_reads_each_batch_once():
    from kerazoo.data.pipeline import batches

    images = Images(np.arange(10, dtype="int32"), pixels=np.full((10, 4, 4, 3), 9, "uint8"))
    outputs, labels = predict.collect(
        {"sum": lambda x: x.sum(axis=(1, 2)), "one": lambda x: x[:, 0, 0]}, batches(images, size=(4, 4), batch_size=4)
    )
    assert outputs["sum"].shape == (10, 3) and np.array_equal(labels, np.arange(10))
    assert predict.difference(outputs["sum"], outputs["one"]) == pytest.approx(15 / 16)


# The files of a run


def test_runs_are_numbered_and_never_overwritten(tmp_path):
    def enter(*arguments, **options):
        with runs.run_folder(*arguments, **options) as folder:
            (folder / "note.txt").write_text("mine")
            return folder

    first, second = (enter(tmp_path, "digits-lenet5") for _ in range(2))
    assert [first.name, second.name] == ["digits-lenet5-1", "digits-lenet5-2"]
    with pytest.raises(FileExistsError, match="must be new"):
        enter(tmp_path, "x", out=first)
    (first / "run.json").write_text("{}")
    for resume in (True, False):
        with pytest.raises(FileExistsError, match="never overwritten"):
            enter(tmp_path, "x", out=first, resume=resume)
    for missing in ({}, {"out": tmp_path / "none"}):
        with pytest.raises(FileNotFoundError, match="no epoch was saved"):
            enter(tmp_path, "digits-lenet5", resume=True, **missing)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits-lenet5-1", "digits-lenet5-2"]


def test_a_start_that_fails_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="no data"), runs.run_folder(tmp_path, "a"):
        raise ValueError("no data")
    (tmp_path / "given").mkdir()
    with pytest.raises(ValueError, match="no data"), runs.run_folder(tmp_path, "a", out=tmp_path / "given"):
        raise ValueError("no data")
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_has_its_folder_alone(tmp_path, resume):
    folder = tmp_path / "run"
    with runs.run_folder(tmp_path, "a", out=folder):
        (folder / "journal.json").write_text("{}")
        message = f"Another run is writing to the folder.*{os.getpid()}.*--out"
        with pytest.raises(FileExistsError, match=message), runs.run_folder(tmp_path, "a", out=folder, resume=resume):
            pytest.fail("two runs in one folder")
    with runs.run_folder(tmp_path, "a", out=folder, resume=True) as again:
        assert again == folder
    assert [path.name for path in folder.iterdir()] == ["journal.json"]


def test_runs_that_start_at_once_have_folders_of_their_own(tmp_path, monkeypatch):
    """Both look for the next number before either makes its folder."""
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()) if self == tmp_path else glob(self, pattern))
    with runs.run_folder(tmp_path, "a") as one, runs.run_folder(tmp_path, "a") as other:
        assert [one.name, other.name] == ["a-1", "a-2"]


def test_the_lock_of_a_killed_run_is_none(tmp_path):
    script = (
        "import sys; from kerazoo.evaluate.runs import run_folder\n"
        "with run_folder('.', 'a', out=sys.argv[1]) as folder:\n"
        "    (folder / 'journal.json').write_text('{}'); print('writes', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "run")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as other:
        assert other.stdout.readline() == "writes\n"
        message = f"process {other.pid} on"
        with pytest.raises(FileExistsError, match=message), runs.run_folder(tmp_path, "a", out=tmp_path / "run"):
            pytest.fail("two runs in one folder")
        other.kill()
    assert (tmp_path / "run" / ".lock").exists()
    with runs.run_folder(tmp_path, "a", out=tmp_path / "run", resume=True) as folder:
        assert (folder / ".lock").read_text().startswith(f"process {os.getpid()} ")


def test_a_name_cannot_leave_the_runs_folder(tmp_path):
    with runs.run_folder(tmp_path, "../../tfds:a/b") as folder:
        assert folder.parent == tmp_path


def test_records_are_whole_or_not_there(tmp_path):
    with pytest.raises(TypeError, match="JSON"):
        runs.write_record({"score": {1, 2}}, tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []
    runs.write_record({"score": float("nan"), "rows": [1, (float("-inf"),)]}, tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text()) == {"score": None, "rows": [1, [None]]}
    runs.write_record({"score": 1.0} | {"environment": runs.environment()}, tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["environment"]["keras"] == keras.__version__


# Journal and schedule


def small_model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    return model


def fit(model, *callbacks, epochs, first=0):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 4)), rng.integers(0, 3, 64)
    model.fit(
        x, y, validation_data=(x, y), epochs=epochs, initial_epoch=first, shuffle=False, callbacks=callbacks, verbose=0
    )
    return model


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path):
    whole = fit(small_model(), Journal(tmp_path / "a", configuration={"epochs": 4}), epochs=4)
    fit(small_model(), Journal(tmp_path / "b", configuration={"epochs": 4}), epochs=2)
    model, journal = small_model(), Journal(tmp_path / "b", configuration={"epochs": 4})
    assert journal.restore(model) == 2
    fit(model, journal, epochs=4, first=2)
    assert len(journal.history) == 4
    for mine, theirs in zip(model.get_weights(), whole.get_weights()):
        # The optimizer's state came along, or Adam's steps would be several hundredths elsewhere.
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_another_configuration_is_refused(tmp_path):
    fit(small_model(), Journal(tmp_path, configuration={"epochs": 4, "seed": 0}), epochs=1)
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        Journal(tmp_path, configuration={"epochs": 4, "seed": 1}).restore(small_model())


def test_best_weights_and_patience(tmp_path):
    model, journal = small_model(), Journal(tmp_path, configuration={}, monitor="val_loss", mode="min", patience=2)
    model.optimizer.learning_rate = 500.0  # Far too large: the loss only rises after the first epochs.
    fit(model, journal, epochs=30)
    assert len(journal.history) == journal.best_epoch + 3 < 30
    journal.load_best(model)
    rng = np.random.default_rng(0)
    loss = model.evaluate(rng.normal(size=(64, 4)), rng.integers(0, 3, 64), verbose=0)[0]
    assert loss == pytest.approx(min(epoch["val_loss"] for epoch in journal.history), rel=1e-4)


def test_a_failing_disk_leaves_the_epoch_before(tmp_path, monkeypatch):
    model, journal = small_model(), Journal(tmp_path, configuration={})
    fit(model, journal, epochs=1)

    def full(path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model, "save_weights", full)
    with pytest.raises(OSError, match="No space left"):
        fit(model, journal, epochs=2, first=1)
    assert not list(tmp_path.glob("writing-*"))
    assert Journal(tmp_path, configuration={}).restore(small_model()) == 1


def test_savings_keep_their_distance_and_the_best_epoch_between_them_is_kept(tmp_path, monkeypatch):
    """The third epoch is the best of five; only the first and the last are far enough from the one before."""
    written, kept = [], []
    losses = iter([5.0, 4.0, 1.0, 3.0, 2.0])

    class Told(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["told"] = next(losses)
            kept.append([w.copy() for w in self.model.get_weights()])

    options = {"configuration": {}, "monitor": "told", "mode": "min", "spacing": 1e6}
    model, journal = small_model(), Journal(tmp_path, **options)
    replace = os.replace
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda source, target: (written.append(target.name), replace(source, target)))
        fit(model, Told(), journal, epochs=5)
    assert written == [
        "last-0.weights.h5",
        "best-0.weights.h5",
        "journal.json",
        "last-1.weights.h5",
        "best-1.weights.h5",
        "journal.json",
    ]
    for last, present in zip(kept[4], model.get_weights()):
        np.testing.assert_array_equal(last, present)
    again, resumed = small_model(), Journal(tmp_path, **options)
    assert resumed.restore(again) == 5 and resumed.best_epoch == 2
    np.testing.assert_array_equal(again.get_weights()[0], kept[4][0])
    resumed.load_best(again)
    np.testing.assert_array_equal(again.get_weights()[0], kept[2][0])
    assert not np.array_equal(kept[2][0], kept[4][0])


def test_one_cycle():
    schedule = OneCycle(0.4, steps=100, warm_up=0.25)
    values = [float(schedule(step)) for step in (0, 10, 25, 50, 100, 200)]
    np.testing.assert_allclose(values, [0, 0.16, 0.4, 0.4 * 2 / 3, 0, 0], atol=1e-6)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(again(10)) == pytest.approx(0.16)
    with pytest.raises(ValueError, match="`steps`"):
        OneCycle(0.1, steps=0)
