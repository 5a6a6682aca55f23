"""The anomaly application: a user's series, groups of NAB, ways back after a stop, exports, refusals."""

import json

import numpy as np
import pytest
from test_anomaly import archive

import kerazoo

for needed in ("sklearn", "pandas", "matplotlib"):
    pytest.importorskip(needed)

SMALL = ["--epochs=2", "--lookback=8", "--batch-size=16"]
TINY = [*SMALL, "--model=lstm_autoencoder", "--option=units=4"]


def pump(tmp_path, *, rows=600, labels=True):
    """A wave of two channels with a broken stretch, as a CSV."""
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(rows) / 3)[:, None] * [1, 2] + rng.normal(0, 0.1, (rows, 2))
    wave[400:410] += 6
    broken = np.zeros(rows, int)
    broken[398:412] = 1
    start = np.datetime64("2024-01-01")
    lines = ["when,flow,heat" + ",broken" * labels]
    for i in range(rows):
        lines.append(f"{start + np.timedelta64(i, 'h')},{wave[i, 0]:.4f},{wave[i, 1]:.4f}" + f",{broken[i]}" * labels)
    path = tmp_path / "pump.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_users_series_from_data_to_verified_export(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.chdir(tmp_path)
    arguments = [f"--data={pump(tmp_path)}", "--labels=broken", "--learn=0.4", "--risk=0.001", "--model=nlinear"]
    record = kerazoo.run("series_anomaly", [*arguments, "--epochs=8", "--lookback=24", "--seed=1"])
    printed = capsys.readouterr().out
    assert [row["name"] for row in record["figures"]] == ["nlinear", "rolling z-score", "isolation forest"]
    own = record["figures"][0]
    assert (own["windows_found"], own["windows"]) == (1, 1) and own["auroc"] > 0.75 and own["adjusted_f1"] > 0.4
    assert record["dataset"]["columns"] == ["flow", "heat"] and record["series"][0]["learning"] == 240
    assert "beats" in printed or "does not beat" in printed or "level" in printed
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite"]
    assert all(row["difference"] < 1e-4 and row["same_detections"] == 1 for row in record["exports"])
    folder = tmp_path / "runs" / "series_anomaly" / "pump-nlinear-1"
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    page = (folder / "report.html").read_text()
    assert page.count("data:image/svg+xml") == 3 and "upper bound" in page
    # The exported file scores raw windows as the run did.
    rows = np.genfromtxt(tmp_path / "pump.csv", delimiter=",", skip_header=1, usecols=(1, 2)).astype("float32")
    with np.load(folder / "scores.npz") as arrays:
        scores = arrays["nlinear"]
    served = kerazoo.load(record["exports"][0]["folder"])
    assert list(served.signature.outputs) == ["score"]
    answers = np.asarray(served(np.stack([rows[380:404], rows[177:201]])))
    np.testing.assert_allclose(answers, scores[[403, 200]], rtol=1e-3)


def test_a_series_without_labels_gets_detections_and_no_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record = kerazoo.run("series_anomaly", [f"--data={pump(tmp_path, labels=False)}", "--learn=0.4", *TINY])
    assert record["figures"] == [] and record["series"][0]["windows"] is None
    assert "No labels" in capsys.readouterr().out
    assert all(row["labelled"] is None for row in record["series"][0]["detections"])
    page = (tmp_path / "runs" / "series_anomaly" / "pump-lstm_autoencoder-1" / "report.html").read_text()
    assert "nothing here says whether a detection is right" in page and "window F1" not in page


@pytest.mark.parametrize("model", ["usad", "anomaly_transformer"])
def test_groups_and_the_way_back_after_a_stop(tmp_path, monkeypatch, capsys, model):
    from kerazoo.applications.timeseries import series_anomaly

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    archive(tmp_path, rows=400)
    sizes = {"usad": ["--option=latent=4"], "anomaly_transformer": ["--option=width=8", "--option=heads=2"]}
    arguments = ["--dataset=nab:small", f"--model={model}", "--out=run", *SMALL, *sizes[model]]
    honest, seen = series_anomaly.train, []

    def stop_at_the_second(*given):
        seen.append(given)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return honest(*given)

    monkeypatch.setattr(series_anomaly, "train", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        kerazoo.run("series_anomaly", arguments)
    assert "--resume" in capsys.readouterr().out
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        kerazoo.run("series_anomaly", [*arguments, "--resume", "--seed=1"])
    record = kerazoo.run("series_anomaly", [*arguments, "--resume"])
    assert len(seen) == 3  # The finished series was not trained again.
    assert [row["name"] for row in record["series"]] == ["small/one.csv", "small/two.csv"]
    assert record["figures"][0]["windows"] == 2 and record["exports"] == []
    assert "Series by series" in (tmp_path / "run" / "report.html").read_text()


def test_no_score_looks_ahead_and_scaling_knows_training_rows_alone():
    from kerazoo.applications.timeseries.series_anomaly import Rows
    from kerazoo.data.nab import LabelledSeries
    from kerazoo.data.series import Series

    values = np.random.default_rng(0).normal(size=(100, 2)).astype("float32")
    stamps = np.datetime64("2024-01-01") + np.arange(100)

    def rows(values, scale):
        return Rows(LabelledSeries(Series(values, stamps, ("a", "b")), None, 50), lookback=8, scale=scale)

    for scale in ("standard", "unit"):
        one = rows(values, scale)
        changed = values.copy()
        changed[one.trained :] += 9
        other = rows(changed, scale)
        np.testing.assert_array_equal(one.values[: one.trained], other.values[: one.trained])
        windows = one.windows(60, 63)
        np.testing.assert_array_equal(windows[:, -1], one.values[60:63])
        assert windows.shape == (3, 8, 2) and windows.base is not None
        batch = next(iter(one.batches(35, 50, 64, forecasts=False)))
        np.testing.assert_array_equal(batch, one.windows(35, 50))
        past, last = next(iter(one.batches(35, 50, 64, forecasts=True)))
        np.testing.assert_array_equal(np.concatenate([past, last], axis=1), one.windows(35, 50))
    unit = rows(values, "unit").values[:35]
    assert unit.min() == 0 and unit.max() == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=resnet20"], "`--model` must be one for"),
        (["--model=deep_svdd"], "`--model` must be one for"),
        (["--dataset=ucr"], "`--dataset` must be nab"),
        (["--labels=broken"], "go with `--data`"),
        (["--risk=0.5"], "`--risk` must lie"),
        (["--lookback=2"], "`--lookback` must be at least 3"),
        (["--data=pump.csv", "--learn=1.5"], "`--learn` must lie"),
        (["--data=pump.csv", "--labels=heat"], "must hold 0 and 1"),
        (["--data=pump.csv", "--labels=absent"], "`--labels` must be one of"),
        (["--data=pump.csv", "--lookback=200"], "must hold enough windows"),
    ],
)
def test_refusals_come_before_any_training(tmp_path, monkeypatch, arguments, message):
    pump(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        kerazoo.run("series_anomaly", arguments)
