"""Judging forecasters: errors, rolling-origin backtests, a guard against looking ahead, naive baselines."""

import warnings
from dataclasses import dataclass

import numpy as np

from kerazoo.extras import need


class LookAhead(ValueError):
    """A forecast changed when only rows after its origin did: the pipeline knows the future."""


@dataclass(frozen=True)
class ForecastErrors:
    """Errors of forecasts over many windows.

    Attributes:
        mse, mae: over all windows, steps and channels.
        mse_by_step, mae_by_step: (horizon,).
        mse_by_channel, mae_by_channel: (C,).
        count: windows.
    """

    mse: float
    mae: float
    mse_by_step: np.ndarray
    mae_by_step: np.ndarray
    mse_by_channel: np.ndarray
    mae_by_channel: np.ndarray
    count: int

    def record(self, columns):
        """As JSON types; `columns` are the names of the channels."""
        return {
            "mse": self.mse,
            "mae": self.mae,
            "windows": self.count,
            "mse_by_step": self.mse_by_step.tolist(),
            "mae_by_step": self.mae_by_step.tolist(),
            "by_channel": {
                name: {"mse": float(mse), "mae": float(mae)}
                for name, mse, mae in zip(columns, self.mse_by_channel, self.mae_by_channel)
            },
        }


def errors(forecast, truth):
    """Mean squared and absolute errors of forecasts, (N, horizon, C) both, as `ForecastErrors`.

    Raises:
        ValueError: arrays of different shapes, or a value that is not finite.

    Example:

    >>> import numpy as np
    >>> errors(np.zeros((1, 2, 1)), np.array([[[1.0], [3.0]]])).mse
    5.0
    """
    forecast, truth = np.asarray(forecast, "float64"), np.asarray(truth, "float64")
    if forecast.shape != truth.shape or forecast.ndim != 3:
        raise ValueError(
            f"Forecasts and truth must have one shape, (N, horizon, C). Received: {forecast.shape} and {truth.shape}."
        )
    if not (np.isfinite(forecast).all() and np.isfinite(truth).all()):
        raise ValueError("Forecasts and truth must be finite. Received: NaN or infinity.")
    difference = forecast - truth
    squared, absolute = difference**2, np.abs(difference)
    return ForecastErrors(
        mse=float(squared.mean()),
        mae=float(absolute.mean()),
        mse_by_step=squared.mean(axis=(0, 2)),
        mae_by_step=absolute.mean(axis=(0, 2)),
        mse_by_channel=squared.mean(axis=(0, 1)),
        mae_by_channel=absolute.mean(axis=(0, 1)),
        count=len(forecast),
    )


@dataclass(frozen=True)
class QuantileScores:
    """How good forecast quantiles are, over all windows, steps and channels.

    Attributes:
        quantiles: ascending.
        pinball: mean pinball loss of each quantile.
        crps: twice the mean over the quantiles: the continuous ranked probability score, as far as they show it.
        below: share of the truth below each quantile; a calibrated one has as much as its name says.
        coverage: {nominal share: share of the truth} between quantiles that lie symmetrically.
    """

    quantiles: list
    pinball: list
    crps: float
    below: list
    coverage: dict

    def record(self):
        """As JSON types."""
        return vars(self) | {"coverage": {f"{nominal:g}": share for nominal, share in self.coverage.items()}}


def quantile_scores(forecast, truth, quantiles):
    """`QuantileScores` of forecasts (..., quantiles) against the truth (...).

    Raises:
        ValueError: shapes that do not fit.

    Example:

    >>> import numpy as np
    >>> scores = quantile_scores(np.array([[0.0, 2.0], [0.0, 2.0]]), np.array([1.0, 3.0]), [0.1, 0.9])
    >>> scores.below, scores.coverage
    ([0.0, 0.5], {0.8: 0.5})
    """
    forecast, truth = np.asarray(forecast, "float64"), np.asarray(truth, "float64")
    if forecast.shape != (*truth.shape, len(quantiles)):
        raise ValueError(
            f"Forecasts must be (..., quantiles), here {(*truth.shape, len(quantiles))}. Received: {forecast.shape}."
        )
    difference = truth[..., None] - forecast
    levels = np.asarray(quantiles)
    everything = tuple(range(truth.ndim))
    pinball = np.maximum(levels * difference, (levels - 1) * difference).mean(axis=everything)
    coverage = {
        round(float(high - low), 6): float(((difference[..., i] >= 0) & (difference[..., -1 - i] <= 0)).mean())
        for i, (low, high) in enumerate(zip(levels, levels[::-1]))
        if low < high and abs(low + high - 1) < 1e-9
    }
    return QuantileScores(
        quantiles=list(quantiles),
        pinball=pinball.tolist(),
        crps=float(2 * pinball.mean()),
        below=(difference < 0).mean(axis=everything).tolist(),
        coverage=coverage,
    )


def with_error_quantiles(forecast, values, origins, quantiles, *, lookback, horizon):
    """A point forecaster -> quantiles: its forecast and the quantiles of its errors at earlier origins.

    Args:
        forecast: function from (B, lookback, C) to (B, horizon, C).
        values: (T, C).
        origins: rows whose forecasts are judged; all before any row that will be forecast.
        quantiles: ascending.
        lookback: rows of the past.
        horizon: rows to forecast.

    Returns:
        Function from (B, lookback, C) to (B, horizon, C, quantiles); each step and channel has its own errors.
    """
    answers, truth = backtest(forecast, values, origins, lookback=lookback, horizon=horizon)
    offsets = np.moveaxis(np.quantile(truth - answers, quantiles, axis=0), 0, -1)
    return lambda past: forecast(past)[..., None] + offsets


def inputs_at(origins, values, *, lookback, horizon, known=None, observed=None):
    """What a forecaster is told at some origins: copies of the rows before each, and of what is known after it.

    Args:
        origins: (N,), rows of the first step to forecast.
        values: (T, C).
        lookback: rows of the past.
        horizon: rows to forecast.
        known: (T, K), what is known of every row in advance.
        observed: (T, O), what is told of the past rows alone.

    Returns:
        (N, lookback, C); with covariates a dict of it as "past", "known" (N, lookback + horizon, K) and "observed"
        (N, lookback, O), those there are.

    Example:

    >>> import numpy as np
    >>> inputs = inputs_at([3], np.arange(8.0)[:, None], lookback=2, horizon=1, known=np.arange(8.0)[:, None])
    >>> inputs["past"][0, :, 0].tolist(), inputs["known"][0, :, 0].tolist()
    ([1.0, 2.0], [1.0, 2.0, 3.0])
    """
    origins = np.asarray(origins, int)[:, None]
    before, around = np.arange(-lookback, 0), np.arange(-lookback, horizon)
    inputs = {"past": values[origins + before]}
    if known is not None:
        inputs["known"] = known[origins + around]
    if observed is not None:
        inputs["observed"] = observed[origins + before]
    return inputs if len(inputs) > 1 else inputs["past"]


def backtest(forecast, values, origins, *, lookback, horizon, known=None, observed=None, batch_size=256):
    """Rolling-origin forecasts: at each origin from the rows before it and nothing else.

    Args:
        forecast: function from past windows, (B, lookback, C), to forecasts, (B, horizon, C). It gets copies
            of the rows before each origin: it cannot reach the rows after it through its argument.
        values: (T, C).
        origins: rows of the first step to forecast; each has `lookback` rows before it.
        lookback: rows of the past.
        horizon: rows to forecast; the last origin has as many after it.
        known, observed: covariates, as in `inputs_at`; the forecaster gets what that gives.
        batch_size: origins in one call.

    Returns:
        `(forecasts, truth)`, (N, horizon, C) each; forecasts may have a further axis, of quantiles.

    Raises:
        ValueError: an origin without room before or after it, or forecasts of another shape.

    Example:

    >>> import numpy as np
    >>> values = np.arange(8.0)[:, None]
    >>> last = lambda past: np.repeat(past[:, -1:], 2, axis=1)
    >>> forecasts, truth = backtest(last, values, [3, 6], lookback=3, horizon=2)
    >>> forecasts[:, :, 0].tolist(), truth[:, :, 0].tolist()
    ([[2.0, 2.0], [5.0, 5.0]], [[3.0, 4.0], [6.0, 7.0]])
    """
    values, origins = np.asarray(values), np.asarray(origins, int)
    if not len(origins) or origins.min() < lookback or origins.max() + horizon > len(values):
        raise ValueError(
            f"Origins must lie from {lookback} to {len(values) - horizon}: {lookback} rows before, {horizon} from "
            f"them on. Received: {origins.min() if len(origins) else 'none'} to {origins.max(initial=0)}."
        )
    parts = []
    for first in range(0, len(origins), batch_size):
        chosen = origins[first : first + batch_size]
        inputs = inputs_at(chosen, values, lookback=lookback, horizon=horizon, known=known, observed=observed)
        answer = np.asarray(forecast(inputs))
        if answer.shape[:3] != (len(chosen), horizon, values.shape[1]):
            raise ValueError(
                f"A forecast must be (B, horizon, C), here {(len(chosen), horizon, values.shape[1])}. "
                f"Received: {answer.shape}."
            )
        parts.append(answer)
    truth = values[origins[:, None] + np.arange(horizon)]
    return np.concatenate(parts), truth


def check_no_look_ahead(pipeline, values, origin, *, seed=0):
    """Runs a whole pipeline twice, the second time with other rows from `origin` on; both must forecast the same.

    Args:
        pipeline: function from (values (T, C), origin) to a forecast: all that happens from the raw series on,
            scaling included.
        values: (T, C).
        origin: row of the first step to forecast.
        seed: of the rows put in place of the future.

    Raises:
        LookAhead: the forecasts differ.

    Example:

    >>> import numpy as np
    >>> values = np.arange(8.0)[:, None]
    >>> check_no_look_ahead(lambda values, origin: values[:origin].mean(), values, 5)
    >>> check_no_look_ahead(lambda values, origin: values.mean(), values, 5)
    Traceback (most recent call last):
    ...
    kerazoo.evaluate.forecasting.LookAhead: The forecast at row 5 changed by 4.3 when only rows from there on did.
    """
    values = np.asarray(values, "float64")
    known = np.asarray(pipeline(values.copy(), origin), "float64")
    changed = values.copy()
    noise = np.random.default_rng(seed).uniform(1, 2, changed[origin:].shape)
    changed[origin:] = changed[origin:].max(axis=0) + noise * (1 + np.ptp(values, axis=0))
    again = np.asarray(pipeline(changed, origin), "float64")
    difference = float(np.abs(again - known).max())
    if not difference <= 1e-6 * max(np.abs(known).max(), 1.0):
        raise LookAhead(f"The forecast at row {origin} changed by {difference:.2g} when only rows from there on did.")


def last_value(horizon):
    """The naive forecaster: the last value, held."""
    return lambda past: np.repeat(past[:, -1:], horizon, axis=1)


def seasonal_naive(horizon, season):
    """The seasonal naive forecaster: the last season, repeated."""

    def forecast(past):
        if past.shape[1] < season:
            raise ValueError(f"A season of {season} rows needs as many in the past. Received: {past.shape[1]}.")
        repeats = -(-horizon // season)
        return np.tile(past[:, -season:], (1, repeats, 1))[:, :horizon]

    return forecast


def exponential_smoothing(horizon, season):
    """Holt-Winters' method, additive season and damped trend, fitted anew to each window (statsmodels).

    Raises:
        ImportError: without statsmodels.
    """
    need("statsmodels")
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    def one(series):
        if np.ptp(series) == 0:
            return np.full(horizon, series[-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A fit that stops early still forecasts; its error is counted.
            fitted = ExponentialSmoothing(
                series, trend="add", damped_trend=True, seasonal="add", seasonal_periods=season
            ).fit()
        return fitted.forecast(horizon)

    def forecast(past):
        return np.stack([np.stack([one(channel) for channel in window.T], axis=1) for window in past])

    return forecast
