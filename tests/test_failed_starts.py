"""A start that fails leaves nothing behind, in any application; SIGTERM leaves no half export; more epochs go on."""

import datetime
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

for needed in ("sklearn", "pandas", "matplotlib", "PIL"):
    pytest.importorskip(needed)

import kerazoo  # noqa: E402
from kerazoo import cli, runner  # noqa: E402
from kerazoo.evaluate import runs  # noqa: E402


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def status(argv):
    """Of a command; the parser of options ends it by an exception."""
    try:
        return cli.main(argv)
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("task", runner.tasks())
def test_what_a_user_gets_wrong_leaves_nothing(task, capsys):
    for argv in (
        ["--nonsense"],
        ["--data=nowhere"],
        ["--data=nowhere", "--out=mine/own"],
        ["--model=resnet_5"],
        ["--epochs=0"],
        ["--resume"],
        ["--resume", "--out=mine"],
    ):
        assert status(["run", task, *argv]) == 2, argv
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("kerazoo") and "fault of kerazoo" not in error, (argv, error)
        assert not list(Path().iterdir()), argv


@pytest.mark.parametrize("method", ["johnson", "adain"])
def test_a_style_without_its_pictures_leaves_nothing(method):
    assert cli.main(["run", "style_transfer", f"--method={method}", "--data=nowhere"]) == 2
    assert not list(Path().iterdir())


def test_a_walk_whose_model_cannot_be_built_leaves_nothing(capsys):
    """Its folder is marked with the configuration before the first fold's model is built."""
    price, rows, day = 100.0, [], datetime.date(2015, 1, 1)
    for change in np.random.default_rng(0).normal(0, 0.01, 1500):
        price *= 1 + change
        rows.append(f"{day},{price:.3f},{price * 1.01:.3f},{price * 0.99:.3f},{price:.3f},1000")
        day += datetime.timedelta(1)
    Path("prices.csv").write_text("\n".join(["date,open,high,low,close,volume", *rows]))
    assert cli.main(["run", "stock_prediction", "--data=prices.csv", "--option=nonsense=1"]) == 2
    assert "Unknown argument for 'lstm_seq2seq'" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["prices.csv"]


def test_a_folder_with_a_mark_alone_is_removed_and_one_with_an_epoch_is_not():
    for history, left in (([], False), ([{"loss": 1.0}], True)):
        with pytest.raises(ValueError, match="stop"), runs.run_folder("runs/task", "a") as folder:
            (folder / "journal.json").write_text(json.dumps({"configuration": {}, "history": history}))
            raise ValueError("stop")
        assert folder.exists() == Path("runs").exists() == left


def test_folders_that_were_there_before_stay():
    Path("runs/task").mkdir(parents=True)
    with pytest.raises(ValueError, match="stop"), runs.run_folder("runs/task", "a"):
        raise ValueError("stop")
    assert Path("runs/task").is_dir() and not list(Path("runs/task").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_in_an_export_leaves_nothing(monkeypatch, capsys):
    """It comes when the SavedModel is written and the converters are to begin."""
    from kerazoo.exporters import process

    def terminated(jobs, folder, **_):
        assert (Path(folder).parent / "saved_model.pb").is_file()
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

    kerazoo.build("lenet5", num_classes=3).save("model.keras")
    monkeypatch.setattr(process, "run", terminated)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["export", "model.keras", "exports/mine"]) == 143
    assert capsys.readouterr().err.endswith("kerazoo: terminated\n")
    assert [path.name for path in Path().iterdir()] == ["model.keras"]
    assert signal.getsignal(signal.SIGTERM) is before


def stop_in_epoch(monkeypatch, epoch):
    import keras

    original = keras.callbacks.CallbackList.on_epoch_begin

    def stopping(self, index, logs=None):
        if index == epoch:
            raise KeyboardInterrupt
        return original(self, index, logs)

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_epoch_begin", stopping)


def test_more_epochs_go_on_where_no_schedule_runs_over_them(monkeypatch):
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{value:.3f},{i % 3},{'yes' if value > 0.5 else 'no'}\n" for i, value in enumerate(rng.normal(size=120))
    )
    Path("rows.csv").write_text(f"a,b,ill\n{rows}")
    argv = [
        "disease_diagnosis",
        "--data=rows.csv",
        "--target=ill",
        "--model=tab_mlp",
        "--option=hidden=[8]",
        "--folds=0",
    ]
    with monkeypatch.context() as stopped:
        stop_in_epoch(stopped, 1)
        assert cli.main(["run", *argv, "--epochs=2", "--out=run"]) == 130
    assert cli.main(["run", *argv, "--epochs=4", "--out=run", "--resume"]) == 0
    assert json.loads(Path("run/run.json").read_text())["training"]["epochs_run"] == 4


def test_more_epochs_are_refused_with_the_reason_where_one_does(monkeypatch, capsys):
    argv = ["image_classification", "--limit=40", "--batch-size=16", "--model=lenet5", "--out=run"]
    with monkeypatch.context() as stopped:
        stop_in_epoch(stopped, 1)
        assert cli.main(["run", *argv, "--epochs=2"]) == 130
    assert cli.main(["run", *argv, "--epochs=4", "--resume"]) == 2
    assert "epochs was 2, is 4 (the learning rate's schedule runs over all of them)" in capsys.readouterr().err
    assert len(json.loads(Path("run/journal.json").read_text())["history"]) == 1
