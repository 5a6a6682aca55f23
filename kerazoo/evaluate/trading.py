"""What forecasts of returns are worth: their rank correlation, their hits, and what trading them would have earned."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DAYS = 252  # Trading days of a year.
NORMAL = NormalDist()
EULER = 0.5772156649015329


@dataclass(frozen=True)
class Performance:
    """A strategy's days, costs taken off.

    Attributes:
        annual_return: compounded, of a year.
        volatility: standard deviation of a year's return.
        sharpe: annual, without a riskless rate.
        interval: (low, high), 95% of the Sharpe ratio, by blocks drawn with replacement.
        drawdown: the largest fall from a peak, as a share of it.
        turnover: positions changed in a year, in units of the capital.
        exposure: mean size of the position.
        net: (N,) the daily returns.
        equity: (N,) what one unit became.
    """

    annual_return: float
    volatility: float
    sharpe: float
    interval: tuple
    drawdown: float
    turnover: float
    exposure: float
    net: np.ndarray
    equity: np.ndarray

    def record(self):
        """The figures, as JSON types."""
        return {key: value for key, value in vars(self).items() if key not in ("net", "equity", "interval")} | {
            "interval": list(self.interval)
        }


def backtest(positions, returns, *, cost=0.0, seed=0):
    """Holds a position each day and pays for every change of it; all days at once.

    The position of a day must be known before its return begins. Positions are shares of the capital, which is not
    borrowed against: 1 is all of it, -1 is as much sold short.

    Args:
        positions: (N,).
        returns: (N,), simple returns of the days.
        cost: of a change by one unit, fees and slippage together, as a share.
        seed: of the interval's draws.

    Raises:
        ValueError: lengths that differ, numbers that are not finite, or a loss of everything in a day.

    Example:

    >>> import numpy as np
    >>> from kerazoo.evaluate.trading import backtest
    >>> done = backtest(np.array([1.0, 1.0, 0.0]), np.array([0.10, -0.05, 0.50]), cost=0.01)
    >>> done.net.round(3).tolist(), round(done.drawdown, 4)
    ([0.09, -0.05, -0.01], 0.0595)
    """
    positions, returns = np.asarray(positions, "float64"), np.asarray(returns, "float64")
    if positions.shape != returns.shape or positions.ndim != 1 or not len(positions):
        raise ValueError(f"Positions and returns must be (N,) alike. Received: {positions.shape}, {returns.shape}.")
    if not (np.isfinite(positions).all() and np.isfinite(returns).all()):
        raise ValueError("Positions and returns must be finite. Received: some that are not.")
    changes = np.abs(np.diff(positions, prepend=0.0))
    net = positions * returns - changes * cost
    if (net <= -1).any():
        raise ValueError(f"A day must not lose all the capital. Received: {net.min():.1%} on day {int(net.argmin())}.")
    equity = np.cumprod(1 + net)
    years = len(net) / DAYS
    return Performance(
        annual_return=float(equity[-1] ** (1 / years) - 1),
        volatility=float(net.std() * DAYS**0.5),
        sharpe=sharpe(net) * DAYS**0.5,
        interval=sharpe_interval(net, seed=seed),
        drawdown=float((1 - equity / np.maximum.accumulate(np.maximum(equity, 1.0))).max()),
        turnover=float(changes.sum() / years),
        exposure=float(np.abs(positions).mean()),
        net=net,
        equity=equity,
    )


def sharpe(net):
    """Mean over standard deviation of a day's return; 0 where nothing moves. Shapes: (..., N) -> (...)."""
    net = np.asarray(net, "float64")
    spread = net.std(axis=-1)
    ratio = np.divide(net.mean(axis=-1), spread, out=np.zeros_like(spread), where=spread > 0)
    return float(ratio) if ratio.ndim == 0 else ratio


def sharpe_interval(net, *, draws=1000, block=20, level=0.95, seed=0):
    """(low, high) of the annual Sharpe ratio by the circular block bootstrap (Politis & Romano, 1992).

    Blocks of days keep what one day says about the next.
    """
    net = np.asarray(net, "float64")
    return _interval(sharpe(net[_block_bootstrap(len(net), draws, block, seed)]), level)


def sharpe_difference(net, other, *, draws=1000, block=20, level=0.95, seed=0):
    """By how much one strategy's annual Sharpe ratio is above another's, and the interval of that difference.

    The circular block bootstrap draws the same days for both: what moves both strategies alike cancels out, so that
    the interval of the difference says whether one beats the other. Their own intervals do not.

    Args:
        net, other: daily returns of both strategies on the same days, (N,).
        draws: resampled histories.
        block: days drawn together.
        level: share of the draws in the interval.
        seed: of the draws.

    Returns:
        `(difference, (low, high))`.

    Raises:
        ValueError: returns of different numbers of days.

    Example:

    >>> import numpy as np
    >>> from kerazoo.evaluate.trading import sharpe_difference
    >>> market = np.random.default_rng(0).normal(0.0005, 0.01, 1000)
    >>> difference, (low, high) = sharpe_difference(market - 0.0002, market)
    >>> bool(low <= difference <= high < 0)
    True
    """
    net, other = np.asarray(net, "float64"), np.asarray(other, "float64")
    if net.shape != other.shape or net.ndim != 1 or not len(net):
        raise ValueError(f"Both strategies' returns must be (N,) alike. Received: {net.shape}, {other.shape}.")
    rows = _block_bootstrap(len(net), draws, block, seed)
    difference = (sharpe(net) - sharpe(other)) * DAYS**0.5
    return difference, _interval(sharpe(net[rows]) - sharpe(other[rows]), level)


def compared(performances, reference, *, seed=0):
    """Records of strategies on the same days, each with its paired difference from one of them.

    Args:
        performances: {name: `Performance`}.
        reference: the name of the strategy that the others are compared with.
        seed: of the intervals' draws.

    Returns:
        [{"name", the figures of `Performance.record`, "difference": {"from", "sharpe", "interval"}}]; the reference's
        own "difference" is None.
    """
    rows, other = [], performances[reference].net
    for name, done in performances.items():
        difference = None
        if name != reference:
            gap, interval = sharpe_difference(done.net, other, seed=seed)
            difference = {"from": reference, "sharpe": gap, "interval": list(interval)}
        rows.append({"name": name} | done.record() | {"difference": difference})
    return rows


def _block_bootstrap(days, draws, block, seed):
    """(draws, days): rows of the days that each draw is made of."""
    rng, block = np.random.default_rng(seed), min(block, days)
    starts = rng.integers(0, days, (draws, -(-days // block)))
    return (starts[..., None] + np.arange(block)).reshape(draws, -1)[:, :days] % days


def _interval(ratios, level):
    """(low, high) of a day's ratios, annual."""
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2]) * DAYS**0.5
    return float(low), float(high)


def probabilistic_sharpe(net, benchmark=0.0):
    """How likely the true Sharpe ratio is above a benchmark (Bailey & Lopez de Prado, 2012).

    Args:
        net: daily returns, (N,).
        benchmark: of a day, not of a year.
    """
    net = np.asarray(net, "float64")
    ratio, spread = sharpe(net), net.std()
    if not spread:
        return 0.0
    scores = (net - net.mean()) / spread
    skewness, kurtosis = (scores**3).mean(), (scores**4).mean()
    error = max(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2, 1e-12)
    return NORMAL.cdf((ratio - benchmark) * ((len(net) - 1) / error) ** 0.5)


def deflated_sharpe(net, trials):
    """How likely the true Sharpe ratio is above what the best of so many worthless trials would show.

    Bailey & Lopez de Prado, 2014, https://doi.org/10.3905/jpm.2014.40.5.094.

    Args:
        net: daily returns of the strategy that was chosen, (N,).
        trials: Sharpe ratios of a day of all strategies tried, the chosen one among them.

    Example:

    >>> import numpy as np
    >>> from kerazoo.evaluate.trading import deflated_sharpe
    >>> net = np.random.default_rng(0).normal(0.0006, 0.01, 1000)
    >>> few, many = deflated_sharpe(net, [0.05, 0.02]), deflated_sharpe(net, np.linspace(-0.05, 0.05, 50))
    >>> few > many
    True
    """
    trials = np.asarray(trials, "float64")
    count = len(trials)
    if count < 2:
        return probabilistic_sharpe(net)
    best = (1 - EULER) * NORMAL.inv_cdf(1 - 1 / count) + EULER * NORMAL.inv_cdf(1 - 1 / (count * np.e))
    return probabilistic_sharpe(net, float(trials.std(ddof=1)) * best)


def information_coefficient(forecasts, returns):
    """(Spearman's rank correlation, its t statistic); (0, 0) where one of both never changes.

    Shapes: (N,), (N,).

    Example:

    >>> from kerazoo.evaluate.trading import information_coefficient
    >>> round(information_coefficient([0.1, 0.2, 0.3, 0.4], [1.0, 3.0, 2.0, 4.0])[0], 2)
    0.8
    """
    a, b = _ranks(forecasts), _ranks(returns)
    if not (a.std() and b.std()):
        return 0.0, 0.0
    correlation = float(np.corrcoef(a, b)[0, 1])
    return correlation, correlation * ((len(a) - 2) / max(1 - correlation**2, 1e-12)) ** 0.5


def hits(forecasts, returns):
    """(share of days whose direction is right, its standard error); days without a move do not count."""
    forecasts, returns = np.asarray(forecasts), np.asarray(returns)
    moved = returns != 0
    right = np.sign(forecasts[moved]) == np.sign(returns[moved])
    if not len(right):
        return 0.0, 0.0
    share = float(right.mean())
    return share, (share * (1 - share) / len(right)) ** 0.5


def _ranks(values):
    """Ranks from 0, equal values sharing theirs."""
    values = np.asarray(values, "float64")
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
