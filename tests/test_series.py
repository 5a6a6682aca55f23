"""Series from files: what is inferred, repaired and refused; windows cut from them."""

import hashlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerazoo.data import named_series, series_parts
from kerazoo.data.named_series import load_series
from kerazoo.data.series import Series, read_series
from kerazoo.data.series_parts import SeriesParts
from kerazoo.data.windows import window_starts, windows

pytest.importorskip("pandas")


def read(text, **options):
    return read_series(io.StringIO(text), name="file", **options)


def test_schema_is_inferred_and_said():
    series = read("id,when,load,site\n7,2024-01-01 00:00,1,a\n8,2024-01-01 01:00,2.5,b\n")
    assert series.columns == ("id", "load")  # Numbers, whatever they mean; `columns` chooses.
    assert series.values.dtype == "float32" and series.values[:, 1].tolist() == [1.0, 2.5]
    assert series.step == 3600 and str(series.stamps[1]) == "2024-01-01T01:00:00"
    assert series.notes == (
        "Read as: separator ',', decimal '.', header row.",
        "Stamps are in the column 'when', read year first.",
        "Columns without numbers are left out: 'site'.",
    )
    chosen = read("when,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n", time="when", columns=["b"])
    assert chosen.columns == ("b",) and chosen.values[:, 0].tolist() == [2.0, 4.0]


def test_rows_are_put_in_order():
    series = read("t,x\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n")
    assert series.values[:, 0].tolist() == [1, 2, 3]
    assert "The rows were not in order of time; they are now." in series.notes


def test_zones_become_utc():
    series = read("t,x\n2024-01-01T01:00:00+01:00,1\n2024-01-01T01:00:00+00:00,2\n")
    assert [str(stamp) for stamp in series.stamps] == ["2024-01-01T00:00:00", "2024-01-01T01:00:00"]


def test_gaps_take_the_last_value_before_them_never_a_later_one():
    text = "t,x,y\n2024-01-01,,5\n2024-01-02,1,\n2024-01-05,4,7\n2024-01-06,5,8\n2024-01-07,6,8\n"
    series = read(text)
    assert series.values.tolist() == [[1, 5], [1, 5], [1, 5], [4, 7], [5, 8], [6, 8]]
    assert str(series.stamps[0]) == "2024-01-02T00:00:00"
    assert "2 stamps are absent from the grid of 86400 s; their values are missing." in series.notes
    assert "The first 1 rows are cut off: a column has no value before them." in series.notes
    kept = read(text, missing="keep")
    assert np.isnan(kept.values[0, 0]) and len(kept) == 7
    with pytest.raises(ValueError, match="no value may be missing.*'x' at 2024-01-01"):
        read(text, missing="error")


def test_a_constant_column_is_said():
    assert "'y' never changes." in read("t,x,y\n2024-01-01,1,5\n2024-01-02,2,5\n2024-01-03,3,\n").notes


def test_trading_days_are_rows():
    text = "t,x\n2024-01-05,1\n2024-01-08,2\n2024-01-09,3\n"
    assert read(text, grid="rows").values[:, 0].tolist() == [1, 2, 3]
    assert len(read(text)) == 5


@pytest.mark.parametrize(("choice", "expected"), [("first", 2.0), ("last", 4.0), ("mean", 3.0)])
def test_duplicate_stamps(choice, expected):
    text = "t,x\n2024-01-01,1\n2024-01-02,2\n2024-01-02,4\n2024-01-03,5\n"
    assert read(text, duplicates=choice).values[:, 0].tolist() == [1.0, expected, 5.0]
    with pytest.raises(ValueError, match="lines 3 and 4: a stamp must occur once.*2024-01-02"):
        read(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t,x\n2024-01-01,1\n2024-01-02,oops\n", "line 3, column 'x': every cell must be a number.*'oops'"),
        (
            "t,x\n2024-01-01,1\n2024-13-45,2\n",
            "line 3, column 't': every cell must be a date of one.*'2024-13-45'",
        ),
        ("t,x\n2024-01-01,1\n2024-01-02,inf\n", "line 3, column 'x': every number must be finite"),
        ("t,x\n2024-01-01,1\n2024-01-02,1e300\n", "line 3, column 'x': every number must be finite.*'1e300'"),
        ("t,x\n2024-01-01,1\n", "at least two rows"),
        ("t,x\n", "at least two rows"),
        ("", "no CSV table"),
        ("a,b\n1,2\n3,4\n", "no column of stamps"),
        ("t,x\n2024-01-01,a\n2024-01-02,b\n", "must have a column of numbers"),
        ("t,x,y\n2024-01-01,,1\n2024-01-02,,2\n", "must have a column of numbers|at least one cell"),
        (
            "t,x\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:00,3\n2024-01-01 02:20,3\n",
            "even grid; the commonest step is 3600 s.*02:20:00",
        ),
        ("t,x\n2024-01-01 00:00:00,1\n2024-01-01 00:00:01,2\n2025-01-01 00:00:00,3\n", "makes 316"),
    ],
)
def test_refusals_say_where(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_options_and_paths_are_checked(tmp_path):
    with pytest.raises(ValueError, match="`missing` must be one of"):
        read("t,x\n", missing="interpolate")
    with pytest.raises(ValueError, match="`columns` must be some of"):
        read("t,x\n2024-01-01,1\n2024-01-02,2\n", columns=["y"])
    with pytest.raises(ValueError, match="`time` must be one of"):
        read("t,x\n2024-01-01,1\n2024-01-02,2\n", time="when")
    with pytest.raises(FileNotFoundError, match="must be an existing file"):
        read_series(tmp_path / "absent.csv")
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"must be a \.csv, \.csv\.gz or \.parquet"):
        read_series(tmp_path / "table.xlsx")
    (tmp_path / "bad.csv").write_bytes(b"t,x\n\xff\xfe\x00,1\n")
    with pytest.raises(ValueError, match="bad.csv, line 2, must be UTF-8. Received: byte 0xff"):
        read_series(tmp_path / "bad.csv")


def test_parquet_and_compressed_csv_are_read_alike(tmp_path):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    table = pandas.DataFrame({"t": pandas.date_range("2024-01-01", periods=5, freq="h"), "x": [1.0, 2, 3, 4, 5]})
    table.to_parquet(tmp_path / "series.parquet")
    table.to_csv(tmp_path / "series.csv.gz", index=False)
    one, two = read_series(tmp_path / "series.parquet"), read_series(tmp_path / "series.csv.gz")
    assert np.array_equal(one.values, two.values) and np.array_equal(one.stamps, two.stamps)
    assert one.name == "series"


def test_a_slice_is_a_view():
    series = read("t,x\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    part = series[1:]
    assert isinstance(part, Series) and len(part) == 2 and np.shares_memory(part.values, series.values)
    with pytest.raises(TypeError, match="slice of rows"):
        series[0]


def test_windows_hold_what_the_series_holds():
    values = np.arange(40, dtype="float32").reshape(20, 2)
    starts = window_starts(20, lookback=5, horizon=3, first=8, last=18)
    assert starts == range(3, 11)
    seen = 0
    for past, future in windows(values, starts, lookback=5, horizon=3, batch_size=3, targets=[1]):
        assert past.shape[1:] == (5, 2) and future.shape[1:] == (3, 1)
        for one, other in zip(past.numpy(), future.numpy()):
            first = int(one[0, 0] // 2)
            assert np.array_equal(one, values[first : first + 5])
            assert np.array_equal(other, values[first + 5 : first + 8, 1:])
            seen += 1
    assert seen == len(starts)


def test_training_shuffles_anew_and_repeatably():
    values, starts = np.arange(50, dtype="float32")[:, None], np.arange(40)

    def firsts(data):
        return np.concatenate([past[:, 0, 0] for past, _ in data.as_numpy_iterator()]).tolist()

    def make():
        return windows(values, starts, lookback=4, horizon=2, batch_size=8, training=True, seed=3)

    data = make()
    one, two = firsts(data), firsts(data)
    assert one != two and sorted(one) == sorted(two) == starts.tolist()
    assert firsts(make()) == one
    left = windows(values, starts[:13], lookback=4, horizon=2, batch_size=8, training=True)
    assert len(firsts(left)) == 8


@pytest.mark.parametrize("training", [False, True])
def test_a_range_of_starts_and_their_list_give_the_same_windows(training):
    values = np.arange(60, dtype="float32")[:, None]
    options = {"lookback": 4, "horizon": 2, "batch_size": 8, "training": training, "seed": 3}
    one, two = windows(values, range(7, 41), **options), windows(values, list(range(7, 41)), **options)
    assert len(one) == len(two) == (4 if training else 5)
    for (past, future), (same_past, same_future) in zip(one, two, strict=True):
        assert np.array_equal(past, same_past) and np.array_equal(future, same_future)


MEMORY_OF_WINDOWS = """
import numpy as np
from kerazoo.data.windows import window_starts, windows

def peak():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))

def epoch(rows, batches):
    values = np.ones((rows, 2), "float32")
    sizes = {"lookback": 96, "horizon": 24}
    data = windows(values, window_starts(rows, **sizes), batch_size=32, training=True, **sizes)
    for _ in data.take(batches):
        pass
    return values.nbytes

epoch(2000, 50)
before = peak()
size = epoch(16_000_000, 500)
print((peak() - before) / size)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux's /proc")
def test_a_series_and_its_windows_take_twice_the_memory_of_the_series():
    process = subprocess.run([sys.executable, "-c", MEMORY_OF_WINDOWS], check=True, capture_output=True, text=True)
    assert float(process.stdout) < 2.25  # NumPy's, TensorFlow's, and what is passing through.


@pytest.mark.parametrize("sizes", [{"lookback": 20, "horizon": 1}, {"lookback": 3, "horizon": 3, "first": 18}])
def test_too_few_rows(sizes):
    with pytest.raises(ValueError, match="too few rows"):
        window_starts(20, **sizes)
    with pytest.raises(ValueError, match="at least 1"):
        window_starts(20, lookback=0, horizon=1)


def test_unknown_series_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'etth1'"):
        load_series("ETTh1".lower() + "x")


def test_a_tampered_etth1_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    (tmp_path / "etth1").mkdir()
    (tmp_path / "etth1" / "ETTh1.csv").write_text("date,OT\n2016-07-01,1\n2016-07-02,2\n")
    monkeypatch.setattr("kerazoo.data.named_series.ETT_ADDRESS", "http://127.0.0.1:9/ETTh1.csv")
    with pytest.raises(ConnectionError, match=r"ETTh1\.csv could not be downloaded.*KERAZOO_DATA_DIR"):
        load_series("etth1")


def test_windows_come_in_a_new_order_every_epoch_and_in_the_same_one_of_a_seed():
    values = np.arange(50, dtype="float32")[:, None]

    def epochs(seed):
        pairs = windows(values, np.arange(41), lookback=6, horizon=2, batch_size=8, training=True, seed=seed)
        assert int(pairs.cardinality()) == 5  # The one window that is left over is left out.
        return [[int(start) for past, _ in pairs for start in past[:, 0, 0]] for _ in range(2)]

    first, second = epochs(0)
    assert len(set(first)) == 40 and len(set(second)) == 40 and set(first) | set(second) <= set(range(41))
    assert first != sorted(first) and first != second
    assert epochs(0) == [first, second] and epochs(1)[0] != first


def test_a_series_is_held_once():
    """Training and validation cut from one table of scaled values; the raw ones are views of the series."""
    stamps = np.datetime64("2024-01-01", "s") + np.arange(200) * np.timedelta64(60, "s")
    series = Series(np.random.default_rng(0).normal(3, 2, (200, 2)).astype("float32"), stamps, ("a", "b"))
    parts = SeriesParts(series, (120, 40, 40), lookback=8, horizon=4)
    training, validation = parts.batches("train", 4, training=True), parts.batches("validation", 4)
    assert training.tables["past"] is validation.tables["past"] is parts.channels.scaled
    assert np.shares_memory(parts.channels.values, series.values)
    np.testing.assert_allclose(np.asarray(parts.channels.scaled)[:120].std(axis=0), 1, rtol=1e-5)


def test_mean_and_deviation_are_those_of_all_rows(monkeypatch):
    """They are summed piece by piece."""
    monkeypatch.setattr(series_parts, "PIECE", 7)
    values = np.random.default_rng(0).normal(1000, 0.5, (50, 3)).astype("float32")
    mean, deviation = series_parts.scale(values)
    np.testing.assert_allclose(mean, values.astype("float64").mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, values.astype("float64").std(axis=0), rtol=1e-5)


def test_the_load_of_victoria(tmp_path, monkeypatch):
    """The first column counts rows; the demand alone is to be forecast."""
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    text = "rownames,Demand,WorkDay,Temperature\n1,3.5,0,18.2\n2,3.25,1,17.9\n"
    (tmp_path / "elecdemand").mkdir()
    (tmp_path / "elecdemand" / "elecdemand.csv").write_text(text)
    monkeypatch.setattr(named_series, "ELECDEMAND_SHA256", hashlib.sha256(text.encode()).hexdigest())
    monkeypatch.setattr(named_series, "ELECDEMAND_SIZE", len(text))
    series, split = load_series("elecdemand")
    assert series.columns == ("Demand", "WorkDay", "Temperature") and series.targets == ("Demand",)
    np.testing.assert_allclose(series.values, [[3.5, 0, 18.2], [3.25, 1, 17.9]])
    assert series.step == 1800 and sum(split) == 17_520
    assert series.select(["WorkDay"]).values[:, 0].tolist() == [0, 1]
    with pytest.raises(ValueError, match="`columns` must be some of"):
        series.select(["Wind"])


def test_the_load_of_taylor():
    if not importlib.util.find_spec("pmdarima"):
        pytest.skip("pmdarima, which carries the file, is not installed")
    series, split = load_series("taylor")
    assert series.values.shape == (4032, 1) and sum(split) == 4032 and series.step == 1800
    assert series.values[0, 0] == 22262 and series.values[-1, 0] == 23132
    assert series.stamps[0].astype("datetime64[D]").item().weekday() == 0
