"""Prices without look-ahead, walks forward without overlap, and what strategies earn."""

import importlib.util
import io

import numpy as np
import pytest

pytest.importorskip("pandas")

from kerazoo.data.prices import COLUMNS, FEATURES, WARM_UP, features, load_prices, read_prices, returns
from kerazoo.data.series import Series
from kerazoo.data.splits import walk_forward
from kerazoo.evaluate import trading, trading_report


def prices(days=200, *, seed=0):
    """A random walk as a `Series` of prices."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, days)))
    opened = close * np.exp(rng.normal(0, 0.005, days))
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) * 0.99
    table = np.stack([opened, high, low, close, rng.integers(1000, 9000, days)], axis=1).astype("float32")
    stamps = np.datetime64("2020-01-01", "s") + np.arange(days) * np.timedelta64(86_400, "s")
    return Series(table, stamps, COLUMNS)


def as_csv(series, header="Date,Open,High,Low,Close,Volume"):
    rows = [",".join([str(stamp)[:10], *map(str, row)]) for stamp, row in zip(series.stamps, series.values.tolist())]
    return io.StringIO("\n".join([header, *rows]))


def test_prices_are_read_by_name_in_any_case():
    series = prices(10)
    read = read_prices(as_csv(series), name="x")
    np.testing.assert_array_equal(read.values, series.values)
    assert read.columns == COLUMNS


def test_adjusted_closes_adjust_every_price():
    series = prices(10)
    adjusted = np.concatenate([series.values, series.values[:, 3:4] / 2], axis=1)
    text = as_csv(Series(adjusted, series.stamps, (*COLUMNS, "adj")), "Date,Open,High,Low,Close,Volume,Adj Close")
    read = read_prices(text, name="x")
    np.testing.assert_allclose(read.values[:, :4], series.values[:, :4] / 2, rtol=1e-6)
    np.testing.assert_allclose(read.values[:, 4], series.values[:, 4])
    assert "adjusted by 'Adj Close'" in read.notes[-1]


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (4, 0, -1.0, "1 days have prices that are not positive, first 2020-01-05"),
        (5, 1, 1.0, "a high below the open or the close, first 2020-01-06"),
        (6, 2, 1e6, "a low above the open or the close, first 2020-01-07"),
    ],
)
def test_impossible_prices_are_refused(row, column, value, message):
    series = prices(10)
    series.values[row, column] = value
    with pytest.raises(ValueError, match=message):
        read_prices(as_csv(series), name="x")


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="Missing: volume"):
        read_prices(io.StringIO("Date,Open,High,Low,Close\n2020-01-01,1,1,1,1\n2020-01-02,1,1,1,1\n"), name="x")


def test_microsofts_prices():
    if not importlib.util.find_spec("pmdarima"):
        pytest.skip("pmdarima, which carries the file, is not installed")
    series = load_prices("msft")
    assert len(series) == 7_983 and series.columns == COLUMNS
    assert [str(series.stamps[row])[:10] for row in (0, -1)] == ["1986-03-13", "2017-11-10"]
    np.testing.assert_allclose(series.values[0, :4], [0.0672, 0.07533, 0.0672, 0.07533], rtol=1e-6)


def test_features_know_nothing_of_later_days():
    series = prices()
    before = features(series)
    assert before.shape == (200, len(FEATURES)) and np.isfinite(before[WARM_UP:]).all()
    changed = series.values.copy()
    changed[120:] *= 3
    after = features(series.with_values(changed))
    np.testing.assert_array_equal(after[:120], before[:120])
    assert np.abs(after[120] - before[120]).max() > 0.5
    np.testing.assert_allclose(features(series.with_values(series.values * [7, 7, 7, 7, 1])), before, atol=2e-5)


def test_returns_begin_after_the_decision():
    """What is earned must not change with the prices up to the close of the day of the decision."""
    series = prices(20)
    before = returns(series)
    assert np.isnan(before[-2:]).all() and np.isfinite(before[:-2]).all()
    changed = series.values.copy()
    changed[:11] *= 2
    np.testing.assert_array_equal(returns(series.with_values(changed))[10:-2], before[10:-2])
    assert before[10] == pytest.approx(series.values[12, 0] / series.values[11, 0] - 1, rel=1e-6)


def test_walks_forward_keep_apart():
    folds = walk_forward(1000, folds=5, first=300, reach=3)
    assert folds[0].test.start == 300 and folds[-1].test.stop == 1000
    for fold, after in zip(folds, folds[1:]):
        assert fold.test.stop == after.test.start
    for fold in folds:
        assert fold.train.start == 0
        assert fold.validation.start - (fold.train.stop - 1) > 3, "the last label of the training ends before"
        assert fold.test.start - (fold.validation.stop - 1) > 3
    with pytest.raises(ValueError, match="Too few rows"):
        walk_forward(20, folds=2, first=4, reach=3)


def test_every_change_of_position_costs():
    day = np.array([0.01, -0.02, 0.03, 0.0])
    done = trading.backtest([1.0, -1.0, -1.0, 0.0], day, cost=0.001)
    np.testing.assert_allclose(done.net, [0.009, 0.02 - 0.002, -0.03, -0.001])
    np.testing.assert_allclose(done.equity[-1], np.prod(1 + done.net))
    assert done.turnover == pytest.approx(4 * trading.DAYS / 4) and done.exposure == 0.75


def test_drawdown_counts_from_the_highest_point():
    assert trading.backtest(np.ones(4), [0.5, -0.5, 0.1, 0.2]).drawdown == pytest.approx(0.5)
    assert trading.backtest(np.ones(2), [-0.1, 0.3]).drawdown == pytest.approx(0.1), "from the first day on"


def test_a_sharpe_ratio_and_its_interval():
    net = np.random.default_rng(0).normal(0.0005, 0.01, 2520)
    done = trading.backtest(np.ones(2520), net)
    assert done.sharpe == pytest.approx(net.mean() / net.std() * 252**0.5)
    low, high = done.interval
    # Of independent normal days the standard error is about sqrt(252 / N), ten years: 0.316.
    assert low < done.sharpe < high and high - low == pytest.approx(2 * 1.96 * 0.316, rel=0.15)


def test_strategies_are_compared_by_their_paired_difference():
    """A rule that earns a little more on every day beats the market, though the market's ratio lies in its interval."""
    market = np.random.default_rng(0).normal(0.0005, 0.01, 1000)
    held, better = (trading.backtest(np.ones(1000), net) for net in (market, market + 0.0003))
    assert better.interval[0] < held.sharpe < better.interval[1]
    gap, (low, high) = trading.sharpe_difference(better.net, held.net)
    assert gap == pytest.approx(better.sharpe - held.sharpe)
    assert 0 < low < gap < high
    own, hold = trading.compared({"rule": better, "buy and hold": held}, "buy and hold")
    assert own["difference"] == {"from": "buy and hold", "sharpe": gap, "interval": [low, high]}
    assert hold["difference"] is None
    assert "it beats buying and holding" in trading_report.against(own, hold)
    assert trading.sharpe_difference(market, market) == (0.0, (0.0, 0.0))
    with pytest.raises(ValueError, match="alike. Received"):
        trading.sharpe_difference(market, market[1:])


def test_a_difference_whose_interval_holds_zero_is_no_win():
    rng = np.random.default_rng(3)
    market = rng.normal(0.0003, 0.01, 500)
    noise = rng.normal(0, 0.01, 500)
    lucky = noise - noise.mean() + market.mean() + 0.0003
    own, hold = trading.compared(
        {"rule": trading.backtest(np.ones(500), lucky), "buy and hold": trading.backtest(np.ones(500), market)},
        "buy and hold",
    )
    low, high = own["difference"]["interval"]
    assert own["sharpe"] > hold["sharpe"] and low < 0 < high
    assert "the interval holds zero" in trading_report.against(own, hold)
    swapped = own | {"difference": own["difference"] | {"interval": [-2.0, -1.0]}}
    assert "worse than buying and holding" in trading_report.against(swapped, hold)


def test_probabilistic_sharpe_as_published():
    """Bailey & Lopez de Prado (2014): Sharpe 2.5 a year, 1,250 days, skewness -3, kurtosis 10, 100 trials of variance
    1/2 a year have a deflated Sharpe ratio of 0.9004.
    """
    rng = np.random.default_rng(0)
    ratio, days = 2.5 / 250**0.5, 1250
    trials = rng.normal(size=100)
    trials = (trials - trials.mean()) / trials.std(ddof=1) * (0.5 / 250) ** 0.5
    best = (1 - trading.EULER) * trading.NORMAL.inv_cdf(0.99) + trading.EULER * trading.NORMAL.inv_cdf(1 - 0.01 / np.e)
    error = 1 + 3 * ratio + (10 - 1) / 4 * ratio**2
    expected = trading.NORMAL.cdf((ratio - (0.5 / 250) ** 0.5 * best) * ((days - 1) / error) ** 0.5)
    assert expected == pytest.approx(0.9004, abs=2e-4)
    # The same through the code, on days that have these moments.
    net = _days_with(ratio, -3.0, 10.0, days)
    assert trading.deflated_sharpe(net, trials) == pytest.approx(0.9004, abs=2e-3)


def _days_with(ratio, skewness, kurtosis, count):
    """Returns of three sizes whose moments are these."""
    optimize = pytest.importorskip("scipy.optimize")

    def moments(p):
        low, high, share = p
        values = np.array([low, 0.0, high])
        weights = np.array([share, 0.5, 0.5 - share])
        mean = weights @ values
        spread = (weights @ (values - mean) ** 2) ** 0.5
        scores = (values - mean) / spread
        return [weights @ scores**3 - skewness, weights @ scores**4 - kurtosis]

    found = optimize.least_squares(
        lambda p: moments([p[0], 1.0, p[1]]), [-5.0, 0.1], bounds=([-50, 0.001], [-0.1, 0.4])
    )
    low, share = found.x
    sizes = np.round(np.array([share, 0.5, 0.5 - share]) * count).astype(int)
    values = np.repeat([low, 0.0, 1.0], sizes)
    values = (values - values.mean()) / values.std()
    return values + ratio


def test_more_trials_deflate_more():
    net = np.random.default_rng(1).normal(0.001, 0.01, 500)
    trials = np.random.default_rng(2).normal(0, 0.05, 200)
    assert trading.deflated_sharpe(net, trials[:5]) > trading.deflated_sharpe(net, trials)
    assert trading.deflated_sharpe(net, trials[:1]) == trading.probabilistic_sharpe(net)


def test_rank_correlation_equals_scipys():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=80).round(1), rng.normal(size=80).round(1)
    assert trading.information_coefficient(a, b)[0] == pytest.approx(stats.spearmanr(a, b).statistic)
    assert trading.information_coefficient(np.zeros(5), b[:5]) == (0.0, 0.0)


def test_hits():
    assert trading.hits([1, -1, 1, 1], [0.1, -0.1, -0.1, 0.0])[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("positions", "day", "message"),
    [([1.0], [0.1, 0.2], "alike"), ([np.nan], [0.1], "finite"), ([2.0], [-0.6], "lose all the capital")],
)
def test_clear_errors(positions, day, message):
    with pytest.raises(ValueError, match=message):
        trading.backtest(positions, day)
