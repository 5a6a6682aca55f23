"""A series made ready for a forecaster: channels, covariates, parts in order of time, scaled by the training rows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerazoo.data.calendar import calendar as of_calendar
from kerazoo.data.stamps_ahead import stamps_ahead
from kerazoo.data.windows import PIECE, hold, window_starts, windows


@dataclass(frozen=True)
class Columns:
    """Some columns of a series.

    Attributes:
        names: of the K columns.
        values: (T, K), raw.
        mean, deviation: (K,), of the training rows; 0 and 1 where a column is not to be scaled.
    """

    names: tuple
    values: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @cached_property
    def scaled(self):
        """(T, K), as TensorFlow holds it: made once, and cut into windows without another copy."""
        return hold(self.values, self.mean, self.deviation)


def scale(values):
    """(mean, deviation) of each column, (K,) float32; a column that never changes is left as it is."""
    pieces = range(0, len(values), PIECE)
    mean = sum(values[first : first + PIECE].sum(axis=0, dtype="float64") for first in pieces) / len(values)
    squares = sum(((values[first : first + PIECE] - mean) ** 2).sum(axis=0) for first in pieces)
    deviation = np.sqrt(squares / len(values))
    return mean.astype("float32"), np.where(deviation > 0, deviation, 1).astype("float32")


class SeriesParts:
    """A series with its parts by rows, its scale, what else the forecaster is told, and the windows of each part.

    Args:
        series: the `Series`, raw.
        split: rows of the training, validation and test parts.
        lookback: rows of the past in a window.
        horizon: rows to forecast.
        known: names of columns that are known in advance; they are told, not forecast.
        observed: names of columns of which the past alone is told.
        calendar: the time of day, week and year is known too, where the training rows hold two of them.
        limit: windows of each part at most.

    Attributes:
        channels: `Columns` to forecast: all others.
        covariates: {"known" | "observed": `Columns`}, those there are.
        starts: {"train" | "validation" | "test": first rows of the windows whose future lies in that part}.

    Raises:
        ValueError: an unknown column, one named twice, none left to forecast, a part without a window, or nothing
            for the calendar to tell.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.series import Series
    >>> stamps = np.datetime64("2024-01-01", "s") + np.arange(40) * np.timedelta64(3600, "s")
    >>> series = Series(np.arange(80, dtype="float32").reshape(40, 2), stamps, ("load", "holiday"))
    >>> parts = SeriesParts(series, (20, 10, 10), lookback=4, horizon=2, known=["holiday"])
    >>> parts.channels.names, parts.covariates["known"].names, len(parts.starts["test"])
    (('load',), ('holiday',), 9)
    """

    def __init__(self, series, split, *, lookback, horizon, known=(), observed=(), calendar=False, limit=None):
        told = [*known, *observed]
        unknown = [name for name in told if name not in series.columns]
        if unknown or len(set(told)) < len(told) or set(told) >= set(series.columns):
            raise ValueError(
                f"`known` and `observed` must name different columns of {list(series.columns)} and leave one to "
                f"forecast. Received: {list(known)} and {list(observed)}."
            )
        train, validation, test = split
        self.series, self.split, self.lookback, self.horizon = series, split, lookback, horizon
        self.known, self.calendar = tuple(known), calendar
        self.channels = self._columns([name for name in series.columns if name not in told])
        self.covariates = {}
        if known or calendar:
            self.covariates["known"] = self._columns(known, calendar=calendar)
        if observed:
            self.covariates["observed"] = self._columns(observed)
        edges = {"train": (lookback, train), "validation": (train, train + validation)}
        edges["test"] = (train + validation, train + validation + test)
        self.starts = {
            part: window_starts(len(series), lookback=lookback, horizon=horizon, first=first, last=last)[:limit]
            for part, (first, last) in edges.items()
        }

    def _columns(self, names, *, calendar=False):
        values = self.series.values
        if tuple(names) != self.series.columns:
            values = values[:, [self.series.columns.index(name) for name in names]]
        mean, deviation = scale(values[: self.split[0]])
        if calendar:
            cycles, of = of_calendar(self.series.stamps, learned_from=self.split[0])
            values, names = np.concatenate([values, cycles], axis=1), [*names, *of]
            mean, deviation = np.append(mean, np.zeros(len(of))), np.append(deviation, np.ones(len(of)))
        return Columns(tuple(names), values, mean.astype("float32"), deviation.astype("float32"))

    @property
    def tables(self):
        """{"known" | "observed": (T, K), raw}, as `forecasting.backtest` takes them."""
        return {name: columns.values for name, columns in self.covariates.items()}

    def origins(self, part):
        """The first row to forecast of every window of a part: int64, (N,)."""
        return np.arange(len(self.starts[part])) + self.starts[part].start + self.lookback

    def ahead(self):
        """What a forecaster is told to forecast the rows after the last one.

        Returns:
            `(inputs, stamps, spacing)`: raw inputs of one window, as a forecaster takes them; the stamps of the rows
            ahead, datetime64[s], (horizon,); how they go on from those of the series, in words.

        Raises:
            ValueError: known columns, whose values after the last row the series does not hold.

        Example:

        >>> import numpy as np
        >>> from kerazoo.data.series import Series
        >>> stamps = np.datetime64("2024-01-01", "s") + np.arange(40) * np.timedelta64(3600, "s")
        >>> series = Series(np.arange(40, dtype="float32")[:, None], stamps, ("load",))
        >>> inputs, stamps, spacing = SeriesParts(series, (20, 10, 10), lookback=4, horizon=2).ahead()
        >>> inputs[0, :, 0].tolist(), str(stamps[0]), spacing
        ([36.0, 37.0, 38.0, 39.0], '2024-01-02T16:00:00', 'every hour')
        """
        if self.known:
            raise ValueError(
                "A forecast after the last row needs columns whose values there are known from the calendar alone. "
                f"Received: the known columns {list(self.known)}."
            )
        stamps, spacing = stamps_ahead(self.series.stamps, self.horizon)
        inputs = {"past": self.channels.values[None, -self.lookback :]}
        if self.calendar:
            every = np.concatenate([self.series.stamps, stamps])
            cycles, _ = of_calendar(every, learned_from=self.split[0])
            inputs["known"] = cycles[None, -self.lookback - self.horizon :]
        if "observed" in self.covariates:
            inputs["observed"] = self.covariates["observed"].values[None, -self.lookback :]
        return (inputs if len(inputs) > 1 else inputs["past"]), stamps, spacing

    def batches(self, part, batch_size, *, training=False, seed=0):
        """(past, future) of a part, scaled, for `fit`."""
        return windows(
            self.channels.scaled,
            self.starts[part],
            lookback=self.lookback,
            horizon=self.horizon,
            batch_size=batch_size,
            training=training,
            seed=seed,
            **{name: columns.scaled for name, columns in self.covariates.items()},
        )
