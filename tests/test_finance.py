"""Stock prediction and trading rules: from prices to report, without a look ahead, and DeepLOB."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.applications.finance import algorithmic_trading, stock_prediction
from kerazoo.data.prices import COLUMNS
from kerazoo.data.series import Series

for needed in ("pandas", "matplotlib", "ai_edge_litert"):
    pytest.importorskip(needed)

SMALL = ["--epochs=1", "--folds=2", "--lookback=10", "--batch-size=64", "--option=units=4"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs and exports go where the test is over with them."""
    monkeypatch.chdir(tmp_path)


def walk(days, *, seed=0):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0.0005, 0.02, days)))
    opened = close * np.exp(rng.normal(0, 0.005, days))
    table = np.stack(
        [opened, np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99, close, np.full(days, 5.0)], axis=1
    )
    stamps = np.datetime64("2015-01-01", "s") + np.arange(days) * np.timedelta64(86_400, "s")
    return Series(table.astype("float32"), stamps, COLUMNS, name="walk")


@pytest.fixture
def prices_csv(tmp_path):
    series = walk(700)
    rows = [",".join([str(stamp)[:10], *map(str, row)]) for stamp, row in zip(series.stamps, series.values.tolist())]
    path = tmp_path / "walk.csv"
    path.write_text("\n".join(["date," + ",".join(COLUMNS), *rows]))
    return path


def test_prices_to_forecasts_to_trading(prices_csv, capsys):
    record = kerazoo.run("stock_prediction", [f"--data={prices_csv}", *SMALL])
    folder = Path("runs/stock_prediction/walk-lstm_seq2seq-1")
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert len(record["folds"]) == 2 and all(len(fold["history"]) == 1 for fold in record["folds"])
    assert {row["form"] for row in record["exports"]} == {"saved_model", "tflite"}
    assert all(row["difference"] < 1e-4 for row in record["exports"])
    assert [row["name"] for row in record["forecasts"]][1:] == [
        "random walk (no return)",
        "mean return of the past",
        "momentum (mean of 20 days)",
    ]
    assert all(len(row["difference"]["interval"]) == 2 for row in record["strategies"] if row["name"] != "buy and hold")
    page = (folder / "report.html").read_text()
    assert page.count("data:image/") == 3 and "over the same resampled days" in page
    served = kerazoo.load(record["exports"][0]["folder"])
    assert list(served.signature.outputs) == ["forecast_return"]
    lines = (folder / "forecasts.csv").read_text().splitlines()
    # The days that have 60 days for their features, 10 to look back and a return, without the first 40% of them.
    assert len(lines) - 1 == 629 - int(0.4 * 629)
    printed = capsys.readouterr().out
    assert "beat" in printed and "Report: " in printed

    record = kerazoo.run("algorithmic_trading", [f"--data={prices_csv}", f"--forecasts={folder / 'forecasts.csv'}"])
    names = {row["name"] for row in record["choosing"]}
    assert {"the network's forecast, long or flat", "buy and hold", "hold, sized by volatility"} < names
    assert record["trials"] == len(names) - 1 and 0 <= record["deflated_sharpe"] <= record["probabilistic_sharpe"] <= 1
    assert len(record["judging"]) == 2
    assert (Path("runs/algorithmic_trading/walk-1") / "report.html").exists()


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y"])
def test_the_same_walk_earns_the_same_whatever_the_form_of_its_dates(tmp_path, form):
    """Read one by one, 01/02 to 12/02 would be months and 13/02 a day: rules would trade shuffled days."""
    records = []
    for name, pattern in (("iso", "%Y-%m-%d"), ("other", form)):
        series, rows = walk(600), ["Date,Open,High,Low,Close,Volume"]
        for stamp, row in zip(series.stamps, series.values.tolist()):
            rows.append(",".join([stamp.item().strftime(pattern), *map(str, row)]))
        file = tmp_path / name / "prices.csv"
        file.parent.mkdir()
        file.write_text("\n".join(rows))
        words = ["--data", str(file), "--out", str(tmp_path / name / "run")]
        records.append(algorithmic_trading.main(words))
    for key in ("chosen", "choosing", "judging", "deflated_sharpe"):
        assert records[0][key] == records[1][key]
    assert records[0]["dataset"]["first"] == records[1]["dataset"]["first"] == "2015-01-01T00:00:00"


def test_forecasts_of_other_days_are_refused(prices_csv, tmp_path):
    (tmp_path / "forecasts.csv").write_text("date,forecast,return\n1999-01-04,0.1,0.1\n1999-01-05,0.1,0.1\n")
    with pytest.raises(ValueError, match="must forecast days of walk. Received: none"):
        kerazoo.run("algorithmic_trading", [f"--data={prices_csv}", f"--forecasts={tmp_path / 'forecasts.csv'}"])


def test_a_window_ends_with_the_day_of_its_decision():
    days = stock_prediction.Days(walk(300), lookback=10)
    chosen = range(5, 25)
    windows = days.windows(chosen)
    np.testing.assert_array_equal(windows[:, -1], days.features[days.days[chosen]])
    past, target = next(iter(days.batches(chosen, 32, unit=2.0)))
    np.testing.assert_array_equal(past.numpy(), windows)
    np.testing.assert_allclose(target.numpy(), days.returns[days.days[chosen]] / 2, rtol=1e-6)


def test_positions_know_nothing_of_later_days():
    series = walk(400)
    before = algorithmic_trading.positions(series, None, 0.15)
    changed = series.values.copy()
    changed[330:] *= 2
    after = algorithmic_trading.positions(series.with_values(changed), None, 0.15)
    for name in before:
        np.testing.assert_array_equal(before[name][:330], after[name][:330])
    assert any(not np.array_equal(before[name][330:], after[name][330:]) for name in before)


def test_a_stopped_walk_goes_on(prices_csv, monkeypatch, capsys):
    original, calls = stock_prediction.train, []

    def stop(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(stock_prediction, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        kerazoo.run("stock_prediction", [f"--data={prices_csv}", *SMALL])
    again = capsys.readouterr().out.strip().splitlines()[-1].split()
    first = json.loads(Path("runs/stock_prediction/walk-lstm_seq2seq-1/fold-1/journal.json").read_text())
    record = kerazoo.run("stock_prediction", again[3:])
    assert record["folds"][0]["history"] == first["history"], "the first fold was not trained again"
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("stock_prediction", again[3:])


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("stock_prediction", ["--model=resnet20"], "must forecast points. Received: 'resnet20'"),
        ("stock_prediction", ["--first=1"], "`--first` must lie between 0 and 1"),
        ("stock_prediction", ["--stock=mfst"], "Did you mean 'msft'"),
        ("algorithmic_trading", ["--share=0"], "`--share` must lie between 0.1 and 0.9"),
        ("algorithmic_trading", ["--cost=-1"], "`--cost` must be at least 0"),
    ],
)
def test_mistakes_are_said_before_training(task, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.run(task, arguments)


def test_deeplob_drops_whole_columns_and_sees_every_level():
    model = kerazoo.build("deeplob", levels=2, length=12, filters=4, units=8, seed=0)
    states = np.random.default_rng(0).normal(size=(1, 12, 8)).astype("float32")
    before = keras.ops.convert_to_numpy(model(states))
    for column in range(8):
        changed = states.copy()
        changed[:, 6, column] += 3
        assert np.abs(keras.ops.convert_to_numpy(model(changed)) - before).max() > 1e-7
    dropped = keras.ops.convert_to_numpy(model.get_layer("dropout")(np.ones((3, 12, 24), "float32"), training=True))
    assert ((dropped == 0).all(axis=1) == (dropped == 0).any(axis=1)).all() and (dropped == 0).any()
