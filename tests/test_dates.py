"""Columns of dates: read in one way for the whole column, the right one, or refused with the way to choose."""

import datetime
import io

import numpy as np
import pytest

from kerazoo.data.dates import looks_like_dates, read_dates
from kerazoo.data.nab import _labelled
from kerazoo.data.prices import features, read_prices
from kerazoo.data.series import read_series
from kerazoo.data.tables import read_table

pandas = pytest.importorskip("pandas")

HOURS = pandas.date_range("2021-03-01", periods=288, freq="h")  # The first twelve days of a month.
DAYS = pandas.date_range("2021-01-01", periods=60, freq="D")


def read(cells, **options):
    stamps, _ = read_dates(pandas.Series(cells), "a.csv, column 'day'", **options)
    return stamps


def same(stamps, expected):
    return np.array_equal(stamps, pandas.DatetimeIndex(expected).to_numpy().astype("datetime64[us]"))


@pytest.mark.parametrize(
    "form",
    [
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%d-%m-%y",
        "%m/%d/%y",
        "%y-%m-%d",
        "%Y-%m-%d",
        "%Y/%m/%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y%m%d",
        "%d%m%Y",
        "%Y%m%d%H%M%S",
        "%m/%d/%Y %I:%M:%S %p",
        "%d-%b-%y",
        "%d %B %Y",
        "%b %d, %Y",
        "%A, %B %d, %Y",
        "%Y-%b-%d",
        "%d/%m/%Y %H:%M",
        "%a %d.%m.%Y %H.%M",
    ],
)
def test_the_same_days_in_every_form(form):
    assert same(read(DAYS.strftime(form)), DAYS)


def test_a_number_above_twelve_far_below_decides_for_all_rows():
    days = pandas.date_range("2018-01-01", "2018-01-31", freq="D")
    stamps, said = read_dates(pandas.Series(days.strftime("%d/%m/%Y")))
    assert same(stamps, days) and said == "day first, for only so every cell is a date"


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"])
def test_even_spacing_decides_where_no_number_is_above_twelve(form):
    stamps, said = read_dates(pandas.Series(HOURS.strftime(form)))
    assert same(stamps, HOURS) and "evenly spaced" in said
    shuffled = np.random.default_rng(0).permutation(len(HOURS))
    assert same(read(HOURS[shuffled].strftime(form)), HOURS[shuffled])


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_the_order_of_rows_decides(form):
    days = pandas.DatetimeIndex(["2021-01-02", "2021-01-05", "2021-02-01", "2021-03-12", "2021-04-03"])
    stamps, said = read_dates(pandas.Series(days.strftime(form)))
    assert same(stamps, days) and "in order of time" in said
    assert same(read(days[::-1].strftime(form)), days[::-1])


@pytest.mark.parametrize(
    "cells",
    [
        ["01/02/2021", "02/02/2021"],
        pandas.date_range("2021-01-01", periods=12, freq="MS").strftime("%d/%m/%Y"),  # Months, or twelve days.
        pandas.date_range("2021-03-01", periods=12, freq="D").strftime("%d/%m/%Y"),  # Twelve days, or months.
        HOURS[:24].strftime("%d/%m/%Y %H:%M"),
        ["03/04/2021", "01/02/2021", "05/01/2021"],
        ["01.02.21", "02.02.21"],
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_and_chosen(cells):
    with pytest.raises(
        ValueError, match=r"a.csv, line \d+, column 'day': .* can be read .*--date-format.*day-first"
    ) as e:
        read(cells)
    assert "\n" not in str(e.value)
    first = read(cells, date_format="day-first").astype("datetime64[D]")
    other = read(cells, date_format="month-first").astype("datetime64[D]")
    assert str(first[0])[5:] == f"{cells[0][3:5]}-{cells[0][:2]}"
    assert str(other[0])[5:] == f"{cells[0][:2]}-{cells[0][3:5]}"


def test_years_of_months_are_no_days():
    months = pandas.date_range("2019-01-01", periods=24, freq="MS")
    assert same(read(months.strftime("%d/%m/%Y")), months)
    assert same(read(months.strftime("%Y-%m")), months) and same(read(months.strftime("%m/%Y")), months)
    quarters = pandas.date_range("2019-01-01", periods=8, freq="QS")
    assert same(read([f"{day.year}Q{day.quarter}" for day in quarters]), quarters)


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_unix_time_is_told_by_its_size(unit, ticks):
    seconds = np.arange(1_609_459_200, 1_609_459_200 + 5 * 3600, 3600)
    for cells in (seconds * ticks, [str(value * ticks) for value in seconds]):
        assert same(read(cells), pandas.to_datetime(seconds, unit="s"))
    assert same(read([0, 3600 * ticks], date_format=f"unix-{unit}"), ["1970-01-01", "1970-01-01 01:00"])


def test_days_of_excel_years_and_dates_of_parquet():
    assert same(read(["44197.0416667", "44197.08333"]), ["2021-01-01 01:00", "2021-01-01 02:00"])
    assert same(read(["2019", "2020"]), ["2019-01-01", "2020-01-01"])
    assert same(read(["201911", "201912"]), ["2019-11-01", "2019-12-01"])
    assert same(read(["200911", "200912", "201001"]), ["2009-11-01", "2009-12-01", "2010-01-01"])
    assert same(read(["210105"], date_format="%y%m%d"), ["2021-01-05"])
    assert same(read([datetime.date(2021, 2, 1)]), ["2021-02-01"])
    assert same(read(pandas.to_datetime(["2021-01-01 01:00"]).tz_localize("Europe/Berlin")), ["2021-01-01"])


def test_zones_midnights_and_two_digit_years():
    assert same(read(["2024-01-01T01:00:00+01:00", "2024-01-01 01:00 UTC"]), ["2024-01-01", "2024-01-01 01:00"])
    assert same(read(["2024-01-01 24:00", "2024-01-02 01:00"]), ["2024-01-02", "2024-01-02 01:00"])
    assert same(read(["12/31/68 12:30 AM", "12/31/69 12:30 PM"]), ["2068-12-31 00:30", "1969-12-31 12:30"])
    assert same(read(["2024-01-01 00:00:00.25"]), ["2024-01-01 00:00:00.25"])


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        (["13/01/2021", "01/13/2021"], {}, "line 3, .*'01/13/2021', which is month first, and '13/01/2021' in line 2"),
        (
            ["2021-01-01", "01/02/2021"],
            {},
            "line 3, column 'day': every cell must be a date of one format.*'01/02/2021'",
        ),
        (["2021-01-01", "2021/01/02"], {}, "line 3, .*one format"),
        (["2021-01-01T00:00Z", "2021-01-01T01:00"], {}, "line 3, .*a time zone, or none"),
        (["2021-02-29"], {}, "line 2, .*'2021-02-29'"),
        (["2021-01-01", ""], {}, "line 3, .*''"),
        (["2021-01-01 25:00"], {}, "line 2, "),
        ([1.5, 2.5], {}, "must be text, Unix time"),
        (["210105", "210106", "210107"], {}, "must be text, Unix time.*--date-format.*'210105'"),
        (["200101", "200201", "200301"], {}, "must be text, Unix time.*'200101'"),  # Months of 2020, or Januaries.
        (["010121", "020121", "030121"], {}, "must be text, Unix time.*'010121'"),
        (["2021-01-01"], {"date_format": "day-first"}, "must be one that fits '2021-01-01': year-first"),
        (["2021-01-01"], {"date_format": "dd/mm"}, r"`date_format` \(--date-format\) must be one of day-first"),
        (["2021-01-01"], {"date_format": "%Q"}, "must be a pattern of strptime"),
        (["2021-01-01", "x"], {"date_format": "%Y-%m-%d"}, "line 3, .*'x'"),
        (["13", "x"], {"date_format": "unix-s"}, "line 3, .*'x'"),
        (["13", "1e300"], {"date_format": "excel"}, "line 3, .*'1e300'"),
        (["13", "99999999999999"], {"date_format": "unix-s"}, "line 3, .*'99999999999999'"),
    ],
)
def test_refusals_say_the_line(cells, options, message):
    with pytest.raises(ValueError, match=message) as error:
        read(cells, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("date_format", ["%", "%Q"])
def test_a_pattern_that_is_none_is_refused_before_a_column_is_looked_for(date_format):
    with pytest.raises(
        ValueError, match=r"`date_format` \(--date-format\) must be a pattern of strptime.*Received: '%"
    ):
        read_series(io.StringIO("day,load\n2024-01-01,1\n2024-01-02,2\n"), date_format=date_format)


def test_only_dates_look_like_dates():
    def looks(name, cells):
        return looks_like_dates(pandas.Series(cells, name=name))

    assert looks("x", ["1/2/2021", "3/2/2021"]) and looks("timestamp", [1_609_459_200, 1_609_459_100])
    assert looks("x", [1_609_459_200, 1_609_459_201]) and looks("year", ["2019", "2020"])
    assert not looks("x", ["a", "b"]) and not looks("id", ["7", "8"]) and not looks("load", ["44197.5", "44000.1"])
    assert not looks("x", ["2019", "2020"]) and not looks("day", ["1", "2"])


# Every reader of dates.


def test_hours_stamped_day_first_are_a_whole_series():
    stamps = pandas.date_range("2021-03-01", periods=6576, freq="h")
    rows = [f"{stamp},{index}" for index, stamp in enumerate(stamps.strftime("%d/%m/%Y %H:%M"))]
    series = read_series(io.StringIO("\n".join(["when,load", *rows])))
    assert series.step == 3600 and series.values[:, 0].tolist() == list(range(6576))
    assert not any("missing" in note or "order" in note for note in series.notes[2:])
    assert series.notes[1] == "Stamps are in the column 'when', read day first, for only so every cell is a date."


def test_what_would_mostly_be_invented_is_refused():
    text = "t,x\n2021-01-01 00:00,1\n2021-01-01 01:00,2\n2021-01-02 00:00,3\n"
    with pytest.raises(ValueError, match="at most 50% .* Received: 22 of 25 values of 'x' are missing"):
        read_series(io.StringIO(text))
    assert len(read_series(io.StringIO(text), most_filled=0.9)) == 25
    assert len(read_series(io.StringIO(text), missing="keep")) == 25 and len(
        read_series(io.StringIO(text), grid="rows")
    )
    sparse = "t,x,y\n2021-01-01,1,\n2021-01-02,2,7\n2021-01-03,3,\n2021-01-04,4,\n"
    series = read_series(io.StringIO(sparse))
    assert series.columns == ("x",) and "Columns with more than 50% missing values are left out: 'y'." in series.notes
    with pytest.raises(ValueError, match="3 of 4 values of 'y'"):
        read_series(io.StringIO(sparse), columns=["y"])


def test_stamps_within_a_second_are_refused_as_such():
    with pytest.raises(ValueError, match="at least a second apart"):
        read_series(io.StringIO("t,x\n1609459200000,1\n1609459200250,2\n1609459200500,3\n"), time="t")


def test_prices_are_the_same_whatever_the_form_of_their_dates():
    days = pandas.bdate_range("2018-01-01", periods=90)
    close = 100 * np.cumprod(1 + np.random.default_rng(0).normal(0, 0.01, 90))

    def text(form):
        rows = [f"{d},{c:.3f},{c * 1.01:.3f},{c * 0.99:.3f},{c:.3f},500" for d, c in zip(days.strftime(form), close)]
        return io.StringIO("\n".join(["Date,Open,High,Low,Close,Volume", *rows]))

    known = read_prices(text("%Y-%m-%d"))
    for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d-%b-%Y"):
        other = read_prices(text(form))
        assert np.array_equal(other.stamps, known.stamps) and np.array_equal(other.values, known.values)
        assert np.array_equal(features(other), features(known), equal_nan=True)
    with pytest.raises(ValueError, match="--date-format"):
        read_prices(io.StringIO("Date,Open,High,Low,Close,Volume\n01/02/2018,1,1,1,1,1\n02/02/2018,1,1,1,1,1\n"))
    with pytest.raises(ValueError, match="must have a column of dates"):
        read_prices(io.StringIO("Open,High,Low,Close,Volume\n1,1,1,1,1\n1,1,1,1,1\n"))


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%d%m%Y", "%m/%d/%Y", "%Y-%m-%d"])
def test_rows_of_a_table_are_in_order_of_time(tmp_path, form):
    rows = [f"{day},{index},{'ab'[index % 2]}" for index, day in enumerate(DAYS.strftime(form))]
    order = np.random.default_rng(1).permutation(len(rows))
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["day,x,y", *(rows[place] for place in order)]))
    table = read_table(file, target="y", time="day")
    assert table.numeric["x"].tolist() == list(range(60)) and (np.diff(table.time) == 86_400).all()
    file.write_text("day,x,y\n01/02/2021,1,a\n02/02/2021,2,b\n")
    with pytest.raises(ValueError, match="line 2, column 'day': .*can be read day first or month first"):
        read_table(file, target="y", time="day")
    assert np.diff(read_table(file, target="y", time="day", date_format="day-first").time) == 86_400


def test_a_series_of_nab_is_read_day_first_where_its_days_say_so():
    stamps = pandas.date_range("2021-03-01", periods=400, freq="h")
    text = "\n".join(["timestamp,value", *(f"{s},1" for s in stamps.strftime("%d/%m/%Y %H:%M"))])
    labelled = _labelled("x.csv", text, [["2021-03-02 00:00:00", "2021-03-02 05:00:00"]])
    assert labelled.windows == ((24, 29),)
