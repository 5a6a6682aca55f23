"""The forecast beyond the last row of a series: its stamps, its inputs, its intervals and its file."""

import csv

import numpy as np
import pytest

from kerazoo.applications import forecast_ahead
from kerazoo.data.series import Series
from kerazoo.data.series_parts import SeriesParts
from kerazoo.data.stamps_ahead import stamps_ahead
from kerazoo.evaluate import conformal, forecast_report


def hours_of_trading(pandas):
    hours = pandas.date_range("2024-01-01", periods=2000, freq="h")
    return hours[(hours.hour >= 9) & (hours.hour <= 16) & (hours.day_of_week < 5)]


@pytest.mark.parametrize(
    ("frequency", "said"),
    [
        ("15min", "every 15 minutes"),
        ("D", "every day"),
        ("B", "on Monday, Tuesday, Wednesday, Thursday, Friday; holidays are not known"),
        ("W-WED", "every 7 days"),
        ("MS", "every month, on day 1 of the month"),
        ("ME", "every month, on the last day of the month"),
        ("BMS", "every month, on the first working day of the month"),
        ("BME", "every month, on the last working day of the month"),
        ("QE", "every quarter, on the last day of the month"),
        ("YS", "every year, on day 1 of the month"),
        ("trading", "on Monday, Tuesday, Wednesday, Thursday, Friday, 8 times a day; holidays are not known"),
    ],
)
def test_stamps_go_on_as_the_series_does(frequency, said):
    """As pandas continues them, which was told the spacing that is recognised here."""
    pandas = pytest.importorskip("pandas")
    if frequency == "trading":
        every = hours_of_trading(pandas)[:300]
    else:
        every = pandas.date_range("2020-01-03", periods=72, freq=frequency)
    every = every.values.astype("datetime64[s]")
    ahead, told = stamps_ahead(every[:-12], 12)
    assert ahead.dtype == every.dtype and told == said
    np.testing.assert_array_equal(ahead, every[-12:])


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (["2024-01-30", "2024-02-29", "2024-03-30", "2024-04-30"], ["2024-05-30", "2024-06-30"]),
        (["2024-07-01", "2024-08-01", "2024-09-01"], ["2024-10-01", "2024-11-01"]),  # Steps of 31 days both.
        (["2021-01-01", "2022-01-01", "2023-01-01", "2024-01-01"], ["2025-01-01", "2026-01-01"]),
        (["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], ["2024-01-10", "2024-01-11"]),
        (["2024-01-01", "2024-01-02", "2024-01-03"], ["2024-01-04", "2024-01-05"]),
    ],
)
def test_a_few_stamps_go_on(stamps, expected):
    ahead, _ = stamps_ahead(np.array(stamps, "datetime64[s]"), 2)
    assert ahead.astype("datetime64[D]").astype(str).tolist() == expected


def test_holidays_leave_working_days_working_days():
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2024-01-01", periods=200, freq="B").delete([0, 90, 110]).values
    ahead, _ = stamps_ahead(days[:-5], 5)
    np.testing.assert_array_equal(ahead, days[-5:].astype("datetime64[s]"))


def test_stamps_without_a_pattern_take_the_median_step():
    seconds = np.sort(np.random.default_rng(0).choice(10**7, 501, replace=False))
    ahead, said = stamps_ahead(seconds.astype("datetime64[s]"), 2)
    assert np.diff(ahead.astype(int))[0] == int(np.median(np.diff(seconds))) and "without a pattern" in said
    for stamps in (["2024-01-01"], ["2024-01-02", "2024-01-01"]):
        with pytest.raises(ValueError, match="at least two stamps, ascending"):
            stamps_ahead(np.array(stamps, "datetime64[s]"), 1)


def test_intervals_hold_what_they_say():
    """Exchangeable errors, other at each step and channel: about the coverage, never much below it."""
    rng = np.random.default_rng(0)
    scale = np.array([[1.0, 10.0], [3.0, 30.0]])
    seen, later = (rng.normal(size=(count, 2, 2)) * scale for count in (199, 4000))
    widths = conformal.half_widths(np.zeros_like(seen), seen, 0.9)
    assert widths.shape == (2, 2) and (np.diff(widths, axis=1) > 0).all()
    np.testing.assert_allclose(conformal.coverage_of(np.zeros_like(later), later, widths), 0.9, atol=0.04)
    # The rank, by hand: of 19 errors the 18th for 90%, and for 95% the largest.
    errors = np.arange(1.0, 20.0).reshape(19, 1, 1)
    assert [float(conformal.half_widths(errors * 0, errors, share)[0, 0]) for share in (0.9, 0.95)] == [18, 19]
    assert np.isinf(conformal.half_widths(errors * 0, errors, 0.96)).all(), "too few to tell"
    with pytest.raises(ValueError, match="between 0 and 1"):
        conformal.half_widths(errors, errors, 1.0)
    with pytest.raises(ValueError, match="one shape"):
        conformal.half_widths(errors, errors[1:], 0.9)


def series_of(columns, rows=60, dated=True):
    stamps = np.datetime64("2024-01-01T00:00:00") + np.arange(rows) * np.timedelta64(6, "h")
    values = np.arange(rows * len(columns), dtype="float32").reshape(rows, -1)
    return Series(values, stamps, columns, dated=dated)


def test_a_forecaster_is_told_the_last_rows_and_the_calendar_of_those_ahead():
    series = series_of(("load", "heat"))
    whole = SeriesParts(series, (40, 10, 10), lookback=8, horizon=4, observed=["heat"], calendar=True)
    inputs, stamps, _ = whole.ahead()
    np.testing.assert_array_equal(inputs["past"][0], series.values[-8:, :1])
    np.testing.assert_array_equal(inputs["observed"][0], series.values[-8:, 1:])
    # Cut before those rows, the same calendar stands among the rows that were known.
    np.testing.assert_array_equal(stamps, series.stamps[-1] + np.arange(1, 5) * np.timedelta64(6, "h"))
    names = whole.covariates["known"].names
    assert inputs["known"].shape == (1, 12, len(names))
    day = 2 * np.pi * (stamps.astype("int64") % 86_400) / 86_400
    np.testing.assert_allclose(inputs["known"][0, -4:, names.index("day_sine")], np.sin(day), atol=1e-6)
    with pytest.raises(ValueError, match=r"known columns \['heat'\]"):
        SeriesParts(series, (40, 10, 10), lookback=8, horizon=4, known=["heat"]).ahead()


def test_the_table_of_a_forecast(tmp_path):
    """A column a series and its bounds, names that meet kept apart, and no file overwritten."""
    parts = SeriesParts(series_of(("load", "load_lower"), dated=False), (40, 10, 10), lookback=8, horizon=2)
    errors = np.tile([1.0, 2.0], (20, 2, 1))
    ahead = forecast_ahead.Ahead(parts, (np.zeros_like(errors), errors), 0.9)
    record = ahead.record(lambda past: past[:, -2:], (np.zeros_like(errors), 0.5 * errors))
    assert record["measured"] == 1 and record["stamps"] == ["61", "62"] and record["after"] == "row 60"
    path = forecast_ahead.write(record, tmp_path)
    again = forecast_ahead.write(record, tmp_path)
    assert (path.name, again.name) == ("forecast.csv", "forecast-2.csv") and path.read_text() == again.read_text()
    head, first, _ = csv.reader(path.read_text().splitlines())
    assert head == ["stamp", "load", "load_lower", "load_upper", "load_lower_", "load_lower_lower", "load_lower_upper"]
    assert [float(cell) for cell in first[1:4]] == [116, 115, 117]
    assert len(ahead.examples(record, 4)) == 2 and ahead.metadata()["half_widths"] == [[1, 2], [1, 2]]


def test_too_few_windows_give_a_forecast_without_bounds(tmp_path):
    parts = SeriesParts(series_of(("load",)), (40, 10, 10), lookback=8, horizon=2)
    few = np.zeros((3, 2, 1))
    ahead = forecast_ahead.Ahead(parts, (few, few + 1), 0.9)
    record = ahead.record(lambda past: past[:, -2:], (few, few))
    assert not record["bounded"] and record["measured"] is None and ahead.metadata()["half_widths"] is None
    lines = forecast_ahead.write(record, tmp_path).read_text().splitlines()
    assert lines[1] == "2024-01-16T00:00:00,58.0,,"
    sentences = forecast_report._ahead({"ahead": record | {"file": "forecast.csv"}})
    assert "3 validation windows are too few for a coverage of 90%" in sentences[1]
