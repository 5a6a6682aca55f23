"""The application energy_forecasting: from a user's file to report, export and forecast."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import kerazoo
from kerazoo.data import series_parts
from kerazoo.data.series import Series
from kerazoo.evaluate import forecasting


@pytest.fixture
def load_csv(tmp_path, monkeypatch):
    """Fifteen days of hourly load, two channels, one gap; runs and exports go where the test is over with them."""
    for needed in ("pandas", "matplotlib", "ai_edge_litert"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    stamps = np.datetime64("2024-01-01T00:00:00") + np.arange(360) * np.timedelta64(1, "h")
    rng = np.random.default_rng(0)
    load = 100 + 20 * np.sin(2 * np.pi * np.arange(360) / 24) + rng.normal(0, 2, 360)
    lines = [f"{stamp},{a:.3f},{a / 10 + 3:.3f}" for stamp, a in zip(stamps, load)]
    del lines[100]
    path = tmp_path / "load.csv"
    path.write_text("when,load,other\n" + "\n".join(lines) + "\n")
    return path


SMALL = ["--lookback=48", "--horizon=12", "--epochs=2", "--batch-size=16"]


def check_ahead(ahead, folder):
    """The forecast beyond the last row of `load_csv`: its stamps, its place between its bounds, its file."""
    assert ahead["after"] == "2024-01-15T23:00:00" and ahead["spacing"] == "every hour"
    assert ahead["stamps"] == [f"2024-01-16T{hour:02}:00:00" for hour in range(12)]
    assert ahead["coverage"] == 0.9 and ahead["calibration_windows"] == 25 and ahead["test_windows"] == 61
    assert 0.6 < ahead["measured"] <= 1 and len(ahead["measured_by_step"]) == 12
    lines = [line.split(",") for line in (folder / "forecast.csv").read_text().splitlines()]
    assert lines[0] == ["stamp", "load", "load_lower", "load_upper", "other", "other_lower", "other_upper"]
    assert [line[0] for line in lines[1:]] == ahead["stamps"]
    assert Path(ahead["file"]).name == "forecast.csv"
    values = np.array([line[1:] for line in lines[1:]], float)
    assert (values[:, 1] < values[:, 0]).all() and (values[:, 0] < values[:, 2]).all()
    np.testing.assert_allclose(values[:, 0], ahead["series"]["load"]["forecast"], rtol=1e-5)
    assert 60 < values[:, 0].mean() < 140, "in the unit of the file"
    assert "Beyond the last row" in (folder / "report.html").read_text()


def test_a_users_csv_from_data_to_report(load_csv, capsys):
    record = kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL])
    printed = capsys.readouterr().out
    folder = load_csv.parent / "runs" / "energy_forecasting" / "load-dlinear-1"
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert "1 stamps are absent" in printed and "network" in printed
    assert record["dataset"]["windows"] == {"train": 193, "validation": 25, "test": 61}
    assert {row["name"] for row in record["baselines"]} == {"last value", "seasonal naive (24 rows)"}
    page = (folder / "report.html").read_text()
    assert page.count("data:image/svg+xml") == 6 and "load.csv" in page
    check_ahead(record["ahead"], folder)
    exported = record["exports"][0]["folder"]
    past = np.full((3, 48, 2), [100.0, 13.0], "float32")
    saved, lite = (kerazoo.load(exported, engine=engine)(past) for engine in ("saved_model", "tflite"))
    assert saved.shape == (3, 12, 2)
    np.testing.assert_allclose(saved, lite, rtol=1e-4)
    assert all(row["difference"] < 1e-4 for row in record["exports"])
    metadata = json.loads((load_csv.parent / exported / "export.json").read_text())["metadata"]
    assert metadata["columns"] == ["load", "other"] and metadata["step_seconds"] == 3600
    assert np.shape(metadata["intervals"]["half_widths"]) == (12, 2)
    assert list(kerazoo.load(exported).signature.outputs) == ["forecast"]
    past = np.array([line.split(",")[1:] for line in load_csv.read_text().splitlines()[-48:]], "float32")[None]
    series = record["ahead"]["series"]
    answers = kerazoo.load(exported)(past)[0]
    np.testing.assert_allclose(answers, np.stack([row["forecast"] for row in series.values()], -1), rtol=1e-4)
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL, f"--out={folder}"])
    check_predict(load_csv, exported, record["ahead"])


def check_predict(load_csv, exported, ahead):
    """--predict of the same file says the same; of one that goes on, what follows that."""
    folder = str(Path(exported).parent)
    again = kerazoo.run("energy_forecasting", [f"--predict={load_csv}", f"--from={folder}"])["ahead"]
    assert again["stamps"] == ahead["stamps"] and again["coverage"] == 0.9 and again["bounded"]
    for name, series in ahead["series"].items():
        for bound, values in series.items():
            np.testing.assert_allclose(again["series"][name][bound], values, rtol=1e-4)
    lines = load_csv.read_text().splitlines()
    newer = load_csv.with_name("newer.csv")
    newer.write_text("\n".join([*lines, "2024-01-16T00:00:00,120,15"]) + "\n")
    record = kerazoo.run("energy_forecasting", [f"--predict={newer}", f"--from={folder}"])
    assert record["ahead"]["after"] == "2024-01-16T00:00:00" and record["ahead"]["stamps"][0] == "2024-01-16T01:00:00"
    runs = Path("runs/energy_forecasting/predict-newer-1")
    assert {path.name for path in runs.iterdir()} >= {"forecast.csv", "report.html", "run.json"}
    short = load_csv.with_name("short.csv")
    short.write_text("\n".join(lines[:20]) + "\n")
    for options, message in (
        ([f"--predict={short}", f"--from={folder}"], "must have the 48 rows"),
        ([f"--predict={newer}"], "needs the exported forecaster"),
        ([f"--from={folder}"], "goes with --predict"),
        ([f"--predict={newer}", f"--from={folder}", f"--data={newer}"], "takes the place"),
    ):
        with pytest.raises(ValueError, match=message):
            kerazoo.run("energy_forecasting", options)
    every_other = load_csv.with_name("other.csv")
    every_other.write_text("\n".join([lines[0], *lines[101::2]]) + "\n")
    with pytest.raises(ValueError, match="a row every 3600 s.*Received: every 7200 s"):
        kerazoo.run("energy_forecasting", [f"--predict={every_other}", f"--from={folder}"])


def test_quantiles_with_columns_that_are_told_and_not_forecast(load_csv, capsys):
    """One run of the dearest model: quantiles, the calendar, a known and an observed column, which the export heeds."""
    lines = load_csv.read_text().splitlines()
    told = [f"{line},{index % 7 // 5},{20 + index % 24}" for index, line in enumerate(lines[1:])]
    load_csv.write_text("\n".join([f"{lines[0]},holiday,heat", *told]) + "\n")
    options = ["--model=tft", "--option=width=8", "--option=heads=2", "--calendar", "--quantiles=0.1,0.5,0.9"]
    # One batch in a call: a loop around the step would be traced again, which takes longer than the steps.
    options += ["--columns=load", "--known=holiday", "--observed=heat", "--epochs=1", "--steps-per-execution=1"]
    record = kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL, *options])
    network, naive = record["quantiles"]
    assert network["quantiles"] == [0.1, 0.5, 0.9] and set(network["coverage"]) == {"0.8"}
    assert naive["name"] == "seasonal naive (24 rows) and its errors" and 0.5 < naive["coverage"]["0.8"] < 1
    printed = capsys.readouterr().out
    assert "in the 80% interval" in printed
    assert "known columns ['holiday']" in record["ahead"]["left_out"] and record["ahead"]["file"] is None
    assert "No forecast after the last row" in printed
    assert record["dataset"]["columns"] == ["load"] and record["dataset"]["covariates"]["observed"] == ["heat"]
    assert record["dataset"]["covariates"]["known"][:2] == ["holiday", "day_sine"]
    model = kerazoo.load(record["exports"][0]["folder"], engine="tflite")
    inputs = {"past": np.full((1, 48, 1), 100.0), "known": np.zeros((1, 60, 3)), "observed": np.full((1, 48, 1), 30.0)}
    inputs = {name: values.astype("float32") for name, values in inputs.items()}
    answers = [model(inputs)]
    for name in ("known", "observed"):
        answers.append(model(inputs | {name: inputs[name] + 1}))
    assert answers[0].shape == (1, 12, 1, 3) and (np.diff(answers[0], axis=-1) > 0).all()
    assert abs(answers[0].mean() - 100) < 60
    assert not np.allclose(answers[0], answers[1]) and not np.allclose(answers[0], answers[2])


def test_quantiles_need_a_model_that_has_them(load_csv):
    with pytest.raises(ValueError, match="one that takes `--quantiles` or `distribution`: deepar, tft"):
        kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL, "--quantiles=0.1,0.5,0.9"])
    with pytest.raises(ValueError, match="must have 0.5"):
        kerazoo.run("energy_forecasting", [f"--data={load_csv}", "--model=tft", "--quantiles=0.1,0.9"])


def test_an_observed_column_that_looks_ahead_is_caught(load_csv, monkeypatch):
    honest = series_parts.SeriesParts._columns

    def leaky(self, names, **options):
        columns = honest(self, names, **options)
        return (
            dataclasses.replace(columns, values=np.roll(columns.values, -1, axis=0))
            if list(names) == ["other"]
            else columns
        )

    monkeypatch.setattr(series_parts.SeriesParts, "_columns", leaky)
    options = ["--model=tft", "--option=width=8", "--option=heads=2", "--epochs=1", "--observed=other"]
    with pytest.raises(forecasting.LookAhead, match="changed by"):
        kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL, *options])
    assert not (load_csv.parent / "saved_models").exists()


def test_quantiles_of_drawn_futures(load_csv, capsys):
    options = ["--model=deepar", "--option=units=8", "--option=depth=1", "--quantiles=0.1,0.5,0.9", "--epochs=1"]
    record = kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL, *options])
    network, naive = record["quantiles"]
    assert network["name"] == "deepar, 100 futures drawn by the Keras model"
    assert 0 < network["below"][0] < network["below"][1] < network["below"][2] < 1
    model = kerazoo.load(record["exports"][0]["folder"])
    assert np.asarray(model(np.full((2, 48, 2), [100.0, 13.0], "float32"))).shape == (2, 12, 2)


def test_months_are_rows(load_csv):
    """Months are of different length: no even grid holds them."""
    stamps = np.arange(np.datetime64("1990-01"), np.datetime64("2010-01")).astype("datetime64[D]")
    rows = [f"{stamp},{100 + index % 12}" for index, stamp in enumerate(stamps)]
    load_csv.write_text("when,load\n" + "\n".join(rows) + "\n")
    arguments = [f"--data={load_csv}", "--lookback=24", "--horizon=6", "--epochs=1", "--season=12"]
    with pytest.raises(ValueError, match="even grid"):
        kerazoo.run("energy_forecasting", arguments)
    record = kerazoo.run("energy_forecasting", [*arguments, "--grid=rows"])
    assert record["dataset"]["rows"] == 240 and record["baselines"][1]["mse"] < 1e-6  # The season repeats exactly.
    assert record["ahead"]["spacing"] == "every month, on day 1 of the month"
    assert record["ahead"]["stamps"] == [f"2010-{month:02}-01" for month in range(1, 7)]


def test_parts_are_scaled_by_the_training_rows_alone():
    stamps = np.datetime64("2024-01-01", "s") + np.arange(40) * np.timedelta64(3600, "s")
    values = np.stack([np.r_[np.zeros(10), np.full(10, 2.0), np.full(20, 50.0)], np.arange(40)], axis=1)
    series = Series(values.astype("float32"), stamps, ("load", "heat"))
    parts = series_parts.SeriesParts(series, (20, 10, 10), lookback=4, horizon=2, observed=["heat"])
    assert parts.channels.mean.tolist() == [1.0] and parts.channels.deviation.tolist() == [1.0]
    inputs, future = next(iter(parts.batches("test", 3)))
    np.testing.assert_allclose(future[..., 0], np.full((3, 2), 49.0))
    raw = inputs["observed"] * parts.covariates["observed"].deviation + parts.covariates["observed"].mean
    np.testing.assert_allclose(raw[0, :, 0], [26, 27, 28, 29], rtol=1e-5)
    with pytest.raises(ValueError, match="leave one to forecast"):
        series_parts.SeriesParts(series, (20, 10, 10), lookback=4, horizon=2, known=["heat", "load"])


def test_a_planted_leak_is_caught(load_csv, monkeypatch):
    honest = series_parts.SeriesParts._columns

    def leaky(self, names, **options):
        mean, deviation = series_parts.scale(self.series.values)  # All rows, the test's too.
        return dataclasses.replace(honest(self, names, **options), mean=mean, deviation=deviation)

    monkeypatch.setattr(series_parts.SeriesParts, "_columns", leaky)
    with pytest.raises(forecasting.LookAhead, match="changed by"):
        kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL])


def test_a_stopped_run_goes_on(load_csv, monkeypatch, capsys):
    from kerazoo.applications import forecasts

    judge = forecasts.Judging.judge

    def stop(*_):
        raise KeyboardInterrupt

    arguments = [f"--data={load_csv}", *SMALL, "--out=run"]
    monkeypatch.setattr(forecasts.Judging, "judge", stop)
    with pytest.raises(KeyboardInterrupt):
        kerazoo.run("energy_forecasting", arguments)
    assert "--resume" in capsys.readouterr().out
    monkeypatch.setattr(forecasts.Judging, "judge", judge)
    record = kerazoo.run("energy_forecasting", [*arguments, "--resume"])
    assert record["training"]["epochs_run"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=resnet20"], "`--model` must be one for forecasting"),
        (["--epochs=0"], "`--epochs` must be at least 1"),
        (["--season=500"], "`--lookback` must hold a season of 500"),
        (["--lookback=300"], "too few rows"),
        (["--option=window"], "`--option` must be NAME=VALUE"),
        (["--option=kernel=3"], "Unknown argument for 'dlinear'"),
    ],
)
def test_mistakes_are_said_before_training(load_csv, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.run("energy_forecasting", [f"--data={load_csv}", *SMALL, *arguments])
