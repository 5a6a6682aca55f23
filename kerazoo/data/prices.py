"""Daily prices: read, checked, turned into what a model may know at the close of each day."""

import io

import numpy as np

from kerazoo.data.archives import read_tar
from kerazoo.data.named_files import packaged_file
from kerazoo.data.series import Series, read_series
from kerazoo.registry import unknown_choice

COLUMNS = ("open", "high", "low", "close", "volume")
FEATURES = (
    "return of a day",
    "gap over night",
    "return from open to close",
    "range of the day",
    "place of the close in the range",
    "volume against 20 days",
    "return of 5 days",
    "return of 20 days",
    "return of 60 days",
    "deviation of 20 days",
)
WARM_UP = 60  # Days before the first whole row of features.
MSFT_SIZE, MSFT_SHA256 = 134_220, "667627a7e6486003788c845182aaac5f7edbf74220b500eea9a50a7e4f1c12ba"
MSFT_ADDRESS = "https://raw.githubusercontent.com/alkaline-ml/pmdarima/v2.1.1/pmdarima/datasets/data/msft.tar.gz"


def load_prices(name):
    """Loads named daily prices, as `read_prices` returns them.

    Args:
        name: a key of `PRICES`.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: the file is nowhere on this machine and cannot be fetched.
        ImportError: without pandas.

    Example:

    >>> len(load_prices("msft"))  # doctest: +SKIP
    7983
    """
    if name not in PRICES:
        raise ValueError(unknown_choice("prices", name, PRICES))
    return PRICES[name]()


def msft():
    """Microsoft's daily prices, March 1986 to November 2017, adjusted for splits and dividends."""
    facts = {"address": MSFT_ADDRESS, "sha256": MSFT_SHA256, "size": MSFT_SIZE}
    file = packaged_file("pmdarima", "datasets/data/msft.tar.gz", folder="msft", **facts)
    text = read_tar(file, lambda name: name == "msft.csv")["msft.csv"].decode()
    series = read_prices(io.StringIO(text), name="msft")
    facts = {"source": "msft.csv of pmdarima 2.1.1", "terms": "CC0, as its Kaggle page says"}
    return Series(**(vars(series) | facts))


PRICES = {"msft": msft}


def read_prices(path, *, time=None, name=None, duplicates="error", date_format=None, dialect=None):
    """Reads a table of daily prices into a `Series` whose columns are `COLUMNS`; each row is a trading day.

    Headers count without case. Where there is an adjusted close, all prices are adjusted by it. A cell
    without a value takes the one before it.

    Args:
        path: `.csv`, `.parquet`, or a file object with CSV text.
        time: name of the column of dates; by default the first that holds some.
        name: the series's name; by default the file's.
        duplicates: which of several rows of one day counts, as for `read_series`.
        date_format: as for `kerazoo.data.dates.read_dates`, where the column alone does not tell.
        dialect: a `kerazoo.data.delimited.Dialect` that says what is not to be recognised.

    Raises:
        FileNotFoundError, ImportError, ValueError: as in `read_series`; and a column that is missing, a price that
            is not positive, or a day whose prices lie outside its range, with the date.

    Example:

    >>> import io
    >>> text = "Date,Open,High,Low,Close,Volume\\n2024-01-02,9,12,8,10,500\\n2024-01-03,10,11,9,10.5,400\\n"
    >>> read_prices(io.StringIO(text), name="example").columns
    ('open', 'high', 'low', 'close', 'volume')
    """
    how = {"duplicates": duplicates, "date_format": date_format, "dialect": dialect}
    series = read_series(path, time=time, grid="rows", name=name, **how)
    if not series.dated:
        raise ValueError(f"Prices must have a column of dates. Received: {', '.join(series.columns)}.")
    places = {column.strip().lower().replace("_", " "): i for i, column in enumerate(series.columns)}
    missing = [column for column in COLUMNS if column not in places]
    if missing:
        raise ValueError(
            f"Prices must have columns of numbers {', '.join(COLUMNS)}. Missing: {', '.join(missing)}. "
            f"Received: {', '.join(series.columns)}."
        )
    values = series.values[:, [places[column] for column in COLUMNS]].astype("float64")
    notes = [note for note in series.notes if "never changes" not in note]
    adjusted = places.get("adj close", places.get("adjusted close"))
    if adjusted is not None:
        with np.errstate(divide="ignore", invalid="ignore"):  # A close of nothing is refused below.
            values[:, :4] *= (series.values[:, adjusted] / values[:, 3])[:, None]
        notes.append(f"All prices are adjusted by {series.columns[adjusted]!r}.")
    opened, high, low, close, volume = values.T
    slack = 1 + 1e-3  # Adjusted prices are rounded.
    for fault, what in (
        (~(values[:, :4] > 0).all(axis=1) | (volume < 0), "prices that are not positive"),
        (np.maximum(opened, close) > high * slack, "a high below the open or the close"),
        (np.minimum(opened, close) * slack < low, "a low above the open or the close"),
    ):
        if fault.any():
            row = int(np.flatnonzero(fault)[0])
            raise ValueError(
                f"{int(fault.sum())} days have {what}, first {str(series.stamps[row])[:10]}. "
                f"Received: {dict(zip(COLUMNS, values[row].tolist()))}."
            )
    facts = {"values": values.astype("float32"), "columns": COLUMNS, "notes": tuple(notes)}
    return Series(**(vars(series) | facts))


def features(series):
    """What is known at the close of each day, free of the price's level.

    Row t is made of the rows up to t alone; the first `WARM_UP` rows hold NaN where a day is missing.

    Args:
        series: a `Series` of `COLUMNS`.

    Shapes: (T, 5) -> (T, len(FEATURES)), float32.

    Example:

    >>> import numpy as np
    >>> days = np.arange("2024-01-01", "2024-03-21", dtype="datetime64[D]").astype("datetime64[s]")
    >>> rising = np.cumprod(np.full(80, 1.01))[:, None] * [1.0, 1.1, 0.9, 1.05, 1.0]
    >>> round(float(features(Series(rising.astype("float32"), days, COLUMNS))[-1, 0]), 5)
    0.00995
    """
    opened, high, low, close, volume = series.values.astype("float64").T
    log_close = np.log(close)
    daily = change_over(log_close, 1)
    deviation = mean_of_last((daily - mean_of_last(daily, 20)) ** 2, 20) ** 0.5
    size = np.log1p(volume)
    table = [
        daily,
        np.log(opened) - np.concatenate([[np.nan], log_close[:-1]]),
        log_close - np.log(opened),
        np.log(high / low),
        (close - low) / np.maximum(high - low, 1e-9 * close),
        size - mean_of_last(size, 20),
        *(change_over(log_close, days) for days in (5, 20, 60)),
        deviation,
    ]
    return np.stack(table, axis=1).astype("float32")


def returns(series):
    """What a day's decision earns: bought at the next day's open, sold at the open after it, as a simple return.

    Shapes: (T, 5) -> (T,), float64; the last two are NaN.

    Example:

    >>> import numpy as np
    >>> days = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]").astype("datetime64[s]")
    >>> opens = np.float32([[10, 10, 10, 10, 1], [10, 10, 10, 10, 1], [11, 11, 11, 11, 1], [11, 11, 11, 11, 1]])
    >>> returns(Series(opens, days, COLUMNS)).round(2).tolist()
    [0.1, 0.0, nan, nan]
    """
    opened = series.values[:, 0].astype("float64")
    earned = np.full(len(opened), np.nan)
    earned[:-2] = opened[2:] / opened[1:-1] - 1
    return earned


def change_over(values, days):
    """The change over so many days, (T,); NaN where there are not as many."""
    return np.concatenate([np.full(days, np.nan), values[days:] - values[:-days]])[: len(values)]


def mean_of_last(values, days):
    """The mean of a day and those before it, `days` in all, (T,); NaN where one is missing."""
    if len(values) < days:
        return np.full(len(values), np.nan)
    means = np.lib.stride_tricks.sliding_window_view(values, days).mean(axis=-1)
    return np.concatenate([np.full(days - 1, np.nan), means])
