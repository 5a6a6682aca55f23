"""The applications: found without TensorFlow, run whole at smoke size, stopped and gone on with."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kerazoo

for needed in ("sklearn", "matplotlib", "PIL", "ai_edge_litert"):
    pytest.importorskip(needed)

ROOT = Path(__file__).parent.parent
SMALL = ["--epochs=1", "--limit=40", "--batch-size=16", "--model=lenet5"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs and exports go where the test is over with them."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, color in (("<red>", 0), ("blue", 2)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 60, (20 + i, 24, 3)).astype("uint8")
            pixels[..., color] += 180
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def test_tasks_are_listed_without_tensorflow():
    code = (
        "import sys; from kerazoo import runner; print(runner.tasks());"
        "assert not {'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules), 'heavy imports'"
    )
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    assert "image_classification" in done.stdout


def test_unknown_task_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'image_classification'"):
        kerazoo.run("image_clasification")


def test_digits_from_data_to_report(capsys):
    record = kerazoo.run("image_classification", [*SMALL, "--limit=200", "--epochs=2", "--export=out/lenet5"])
    folder = Path("runs/image_classification/digits-lenet5-1")
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert (folder / "report.html").read_text().count("data:image/") > 20
    assert list((folder / "tensorboard").rglob("events*")) or "tensorboard" not in sys.modules
    exports = {row["form"]: row for row in record["exports"]}
    assert set(exports) == {"saved_model", "tflite", "tflite_int8"}
    for form in ("saved_model", "tflite"):
        assert exports[form]["max_relative_difference"] < 1e-4 and exports[form]["same_answers"] == 1
    assert record["test"]["count"] == 200 and record["training"]["epochs_run"] == 2
    assert len(record["baselines"]) == 3 and record["training"]["pipeline_images_per_second"] > 0
    printed = capsys.readouterr().out
    for said in ("Accuracy on the 200 test images", "nearest class mean", "TFLite int8", "Report: "):
        assert said in printed
    from kerazoo.data import named

    test = named.load("digits").limited(200).test
    served = kerazoo.load("out/lenet5")
    assert served.labels == list("0123456789")
    assert served(np.zeros((2, 32, 32, 3), "float32")).shape == (2, 10) and len(test) == 200


def test_a_folder_of_photos_with_a_broken_one(photos, capsys):
    (photos / "blue" / "broken.png").write_bytes(b"no image")
    argv = [
        f"--data={photos}",
        "--model=lenet5",
        "--epochs=12",
        "--batch-size=4",
        "--learning-rate=0.003",
        "--augment=flip",
    ]
    record = kerazoo.run("image_classification", argv)
    assert record["dataset"]["classes"] == ["<red>", "blue"]
    assert [name for name, _ in record["dataset"]["unreadable"]] == ["photos/blue/broken.png"]
    assert "1 files are left out:\n  photos/blue/broken.png" in capsys.readouterr().out
    assert record["test"]["accuracy"] == 1.0, "red and blue are told apart"
    page = Path("runs/image_classification/photos-lenet5-1/report.html").read_text()
    assert "<red>" not in page and "&lt;red&gt;" in page and "broken.png" in page


def test_a_seed_gives_one_training_however_fast_the_machine_is(monkeypatch):
    """The pipeline's speed is measured before the training: for a second, so over more or fewer epochs of it."""
    from kerazoo.data import pipeline

    def runs_over(epochs):
        def throughput(data, *, seconds):
            return sum(len(labels) for _ in range(epochs) for _, labels in data)

        monkeypatch.setattr(pipeline, "throughput", throughput)
        argv = [*SMALL, "--epochs=2", "--learning-rate=0.01", "--augment=flip,crop", f"--out=run{epochs}"]
        kerazoo.run("image_classification", argv)
        return [epoch["loss"] for epoch in json.loads(Path(f"run{epochs}/run.json").read_text())["training"]["history"]]

    np.testing.assert_allclose(runs_over(0), runs_over(3), rtol=1e-5)


def stop_in_epoch(monkeypatch, error, *, epoch=1):
    """Raises in the middle of an epoch, as Ctrl-C or a full disk does."""
    import keras

    original = keras.callbacks.CallbackList.on_epoch_begin

    def raising(self, index, logs=None):
        if index == epoch:
            if callable(error):
                error()
            else:
                raise error
        return original(self, index, logs)

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_epoch_begin", raising)


@pytest.mark.parametrize("options", [["--optimizer=muon"], ["--mean-teacher=0.5", "--augment=flip"]])
def test_ctrl_c_saves_and_the_run_goes_on(options, monkeypatch, capsys):
    argv = [*SMALL, "--epochs=3", *options]
    with monkeypatch.context() as stopped:
        stop_in_epoch(stopped, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            kerazoo.run("image_classification", argv)
    printed = capsys.readouterr().out
    again = printed.strip().splitlines()[-1].split()
    assert again[:3] == ["kerazoo", "run", "image_classification"] and "--resume" in again
    folder = Path("runs/image_classification/digits-lenet5-1")
    assert not (folder / "run.json").exists()
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        kerazoo.run("image_classification", [*argv, "--seed=1", "--resume"])
    record = kerazoo.run("image_classification", again[3:])
    assert record["training"]["epochs_run"] == 3 and (folder / "report.html").exists()
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("image_classification", [*argv, "--resume"])
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("image_classification", [*argv, f"--out={folder}"])


def test_a_full_disk_is_said_and_nothing_lost(monkeypatch):
    stop_in_epoch(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="The disk is full. Every finished epoch is saved.*--resume"):
        kerazoo.run("image_classification", [*SMALL, "--epochs=3"])
    journal = json.loads(Path("runs/image_classification/digits-lenet5-1/journal.json").read_text())
    assert len(journal["history"]) == 1


def test_a_loss_that_is_not_finite_ends_a_run_with_its_record_and_a_status(monkeypatch, capsys):
    """The second epoch's weights overflow; the report, the exports and the record are of the first one's."""
    import keras

    from kerazoo.cli import main

    original = keras.callbacks.CallbackList.on_epoch_begin

    def spoil(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 1:
            weights = self._model.trainable_variables[0]
            weights.assign(np.full(weights.shape, np.nan))

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_epoch_begin", spoil)
    assert main(["run", "image_classification", *SMALL, "--epochs=4", "--out=run"]) == 1
    record = json.loads(Path("run/run.json").read_text(), parse_constant=pytest.fail)
    training = record["training"]
    assert (training["epochs_run"], training["best_epoch"], training["diverged"]) == (2, 1, True)
    assert training["history"][1]["loss"] is None and record["exports"] and record["test"]["accuracy"] is not None
    reason = training["stopped"]
    assert re.fullmatch("loss was nan at (step 1|one of the steps 1 to 2) of epoch 2", reason)
    assert f"Training stops: {reason}." in capsys.readouterr().out
    assert reason in Path("run/report.html").read_text()
    assert not Path("run/.lock").exists()


def test_a_loss_that_is_not_finite_from_the_start_is_one_line(capfd):
    from kerazoo.cli import main

    argv = [*SMALL, "--model=mlp", "--augment=none", "--learning-rate=1e38", "--warm-up=0.01", "--epochs=2"]
    assert main(["run", "image_classification", *argv]) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert error[-1].startswith("kerazoo: Training found no best weights: ") and "Traceback" not in "".join(error)


def test_two_runs_into_one_folder(capsys):
    from kerazoo.cli import main
    from kerazoo.evaluate.runs import run_folder

    with run_folder("runs", "a", out="run"):
        assert main(["run", "image_classification", *SMALL, "--out=run"]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith("kerazoo: Another run is writing to the folder: 'run/.lock' is locked by process")


def test_a_start_that_fails_leaves_no_folder_and_no_lock():
    with pytest.raises(FileNotFoundError):
        kerazoo.run("image_classification", ["--data=nowhere"])
    assert not list(Path("runs").rglob("nowhere*"))


def test_sigterm_stops_as_ctrl_c_does(monkeypatch, capsys):
    import signal

    from kerazoo.cli import main

    with monkeypatch.context() as stopped:
        stop_in_epoch(stopped, lambda: os.kill(os.getpid(), signal.SIGTERM))
        before = signal.getsignal(signal.SIGTERM)
        assert main(["run", "image_classification", *SMALL, "--epochs=2", "--out=run"]) == 143
    assert signal.getsignal(signal.SIGTERM) is before
    captured = capsys.readouterr()
    assert "Every finished epoch is saved" in captured.out and captured.err.endswith("kerazoo: terminated\n")
    assert len(json.loads(Path("run/journal.json").read_text())["history"]) == 1
    assert not Path("run/.lock").exists()


@pytest.mark.parametrize(
    "argv, error, message",
    [
        (["--dataset=digts"], ValueError, "Did you mean 'digits'"),
        (["--data=nowhere"], FileNotFoundError, "nowhere"),
        (["--model=lenet6"], ValueError, "Did you mean"),
        (["--epochs=0"], ValueError, "`--epochs` must be at least 1"),
        (["--label-smoothing=1"], ValueError, "`--label-smoothing` must be in"),
        (["--mean-teacher=1"], ValueError, "`--mean-teacher` must be in"),
        (["--mean-teacher=0.5", "--strategy=mirrored"], ValueError, "`--mean-teacher` must be 0 under a strategy"),
        (["--augment=flop"], ValueError, "Did you mean 'flip'"),
        (["--augment=alternate", "--data-service=127.0.0.1:1"], ValueError, "no memory of its images"),
        (["--resume"], FileNotFoundError, "no run to resume"),
    ],
)
def test_what_a_user_gets_wrong(argv, error, message):
    with pytest.raises(error, match=message):
        kerazoo.run("image_classification", ["--limit=20", *argv])


def test_mixing_augmentations_and_json(capsys):
    argv = [*SMALL, "--augment=crop,mixup,cutmix", "--optimizer=muon", "--label-smoothing=0.1", "--json"]
    record = kerazoo.run("image_classification", argv)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(record))
    assert record["settings"]["augment"] == ["crop", "mixup", "cutmix"]


def test_mirrored_strategy():
    record = kerazoo.run("image_classification", [*SMALL, "--strategy=mirrored"])
    assert record["training"]["epochs_run"] == 1


def test_shipped_weights_score_as_their_card_says():
    from kerazoo import catalog

    facts = catalog.entry("resnet20").weights.get("cifar10")
    archive = ROOT.parent / "shared" / "data" / "cifar10_jpg.zip"
    archive = Path(os.environ.get("KERAZOO_DATA_DIR", archive.parent)) / archive.name
    if facts is None:
        pytest.skip("resnet20 has no weights 'cifar10'")
    if not archive.is_file():
        pytest.skip(f"{archive.name} is not in KERAZOO_DATA_DIR")
    from kerazoo.data.archives import read_zip
    from kerazoo.data.decode import decode_all
    from kerazoo.evaluate.predict import compiled

    # The first hundred test images of each class.
    contents = read_zip(archive, lambda name: name.startswith("test/") and name.split("/")[-1][:4] < "0100")
    pixels, _, unreadable = decode_all(list(contents.values()), list(contents))
    labels = np.array([facts["labels"].index(name.split("/")[1]) for name in contents])
    model = kerazoo.build("resnet20", weights="cifar10", precision="float32", jit_compile=False)
    accuracy = (compiled(model)(pixels.astype("float32")).argmax(axis=1) == labels).mean()
    assert len(pixels) == 1000 and not unreadable
    # A thousand of the ten thousand images: two standard errors of such a sample are 2 points.
    assert abs(accuracy - facts["accuracy"]) < 0.025


def test_data_service_prepares_the_training_images():
    import tensorflow as tf

    dispatcher = tf.data.experimental.service.DispatchServer()
    address = dispatcher.target.partition("://")[2]
    worker = tf.data.experimental.service.WorkerServer(
        tf.data.experimental.service.WorkerConfig(dispatcher_address=address)
    )
    argv = [*SMALL, f"--data-service={address.replace('localhost', '127.0.0.1')}"]
    record = kerazoo.run("image_classification", argv)
    assert record["training"]["epochs_run"] == 1 and worker is not None


@pytest.mark.slow
def test_digits_keep_their_promise():
    record = kerazoo.run("image_classification", [])
    int8 = next(row for row in record["exports"] if row["form"] == "tflite_int8")
    assert record["test"]["accuracy"] >= 0.98
    assert abs(int8["accuracy"] - record["test"]["accuracy"]) <= 0.01
    assert all(row["max_relative_difference"] < 1e-4 for row in record["exports"] if row is not int8)
