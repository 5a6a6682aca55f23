"""Trading rules on daily prices: signals -> positions -> a backtest with costs, judged with the luck of choosing.

    kerazoo run algorithmic_trading                                     # classical rules on Microsoft
    kerazoo run algorithmic_trading --forecasts runs/stock_prediction/msft-lstm_seq2seq-1/forecasts.csv
    kerazoo run algorithmic_trading --data prices.csv --cost 10 --slippage 5

Every rule is traded over the first part of the days; the one with the best Sharpe ratio there is traded once over
the days after. Its deflated Sharpe ratio says how likely it is better than the best of as many worthless rules. A
position is known at the close of a day, taken at the next open and held to the open after. A run leaves `run.json`
and `report.html`. It is a study of rules, no advice to trade.

Data: MSFT as pmdarima carries it, adjusted for splits and dividends.
"""

from pathlib import Path

import numpy as np

from kerazoo.applications import reading, running

TASK = "algorithmic_trading"
NEEDS = ("matplotlib",)
REACH = 2  # Days that a position's return looks ahead: the open after the next.
SLOWEST = 250  # Days before the first at which every rule has a signal.
SETTINGS = f"{reading.SETTINGS} stock data time forecasts share cost slippage target_volatility seed"


def parse_args(argv):
    """The options."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--stock", help="msft (default)")
    source.add_argument("--data", type=Path, metavar="FILE", help="a .csv or .parquet of daily prices and volumes")
    data.add_argument("--time", help="the column of dates; by default the first that holds some")
    reading.add_options(data, stamps=True)
    data.add_argument("--forecasts", type=Path, metavar="FILE", help="a .csv of date and forecast return, traded too")
    trading = parser.add_argument_group("trading")
    trading.add_argument("--share", type=float, default=0.6, help="of the days, on which the rule is chosen")
    trading.add_argument("--cost", type=float, default=5.0, help="fees of a trade with all capital, in basis points")
    trading.add_argument("--slippage", type=float, default=2.0, help="worse price of the same, in basis points")
    trading.add_argument("--target-volatility", type=float, default=0.15, help="a year's, of positions sized by it")
    trading.add_argument("--seed", type=int, default=0, help="of the intervals")
    running.add_output(parser, TASK, export=False, resume=False)
    return parser.parse_args(argv)


def settle(arguments):
    """Checks what can be wrong before time is spent."""
    reading.check(arguments)
    arguments.stock = None if arguments.data else arguments.stock or "msft"
    if not 0.1 <= arguments.share <= 0.9:
        raise ValueError(f"`--share` must lie between 0.1 and 0.9. Received: {arguments.share}.")
    for name in ("cost", "slippage"):
        if not 0 <= getattr(arguments, name) < 1000:
            raise ValueError(
                f"`--{name}` must be at least 0 and below 1000 basis points. Received: {getattr(arguments, name)}."
            )
    if not 0 < arguments.target_volatility < 1:
        raise ValueError(f"`--target-volatility` must lie between 0 and 1. Received: {arguments.target_volatility}.")
    return arguments


def load(arguments):
    """(prices as a `Series`, forecasts of its days or None)."""
    from kerazoo.data.prices import load_prices, read_prices
    from kerazoo.data.series import read_series

    if arguments.data:
        series = read_prices(arguments.data, **reading.of_series(arguments))
    else:
        series = load_prices(arguments.stock)
    print(f"{series.name}: {len(series):,} days, {str(series.stamps[0])[:10]} to {str(series.stamps[-1])[:10]}.")
    print("".join(f"  {note}\n" for note in series.notes), end="")
    if not arguments.forecasts:
        return series, None
    table = read_series(arguments.forecasts, columns=["forecast"], grid="rows")
    place = {stamp: row for row, stamp in enumerate(table.stamps)}
    rows = [place.get(stamp) for stamp in series.stamps]
    known = np.array([row is not None for row in rows])
    if not known.any():
        raise ValueError(f"{arguments.forecasts} must forecast days of {series.name}. Received: none of them.")
    forecasts = np.full(len(series), np.nan)
    forecasts[known] = table.values[[row for row in rows if row is not None], 0]
    return series, forecasts


def signals(series, forecasts):
    """{rule: (T,) its signal}: above zero it would buy, below it would sell; row t is made of the days up to t."""
    from kerazoo.data.prices import change_over, mean_of_last

    close = np.log(series.values[:, 3].astype("float64"))
    found = {f"momentum of {days} days": change_over(close, days) for days in (20, 60, 120, 250)}
    found["reversal of 5 days"] = -change_over(close, 5)
    found["mean of 50 days above that of 200"] = mean_of_last(close, 50) - mean_of_last(close, 200)
    if forecasts is not None:
        found["the network's forecast"] = forecasts
    return found


def positions(series, forecasts, target):
    """{strategy: (T,) positions}, NaN where a rule has no signal yet.

    Each rule goes long or flat, and long or short; the last of each are sized so that the past 20 days' volatility
    would be `target` a year, never beyond the capital.
    """
    from kerazoo.data.prices import change_over, mean_of_last
    from kerazoo.evaluate.trading import DAYS

    daily = change_over(np.log(series.values[:, 3].astype("float64")), 1)
    spread = np.sqrt(np.maximum(mean_of_last(daily**2, 20), 1e-12) * DAYS)
    size = np.minimum(target / spread, 1.0)
    found = {"hold, sized by volatility": size}
    for rule, signal in signals(series, forecasts).items():
        found[f"{rule}, long or flat"] = np.where(np.isnan(signal), np.nan, signal > 0)
        found[f"{rule}, long or short"] = np.sign(signal)
        found[f"{rule}, long or flat, sized"] = found[f"{rule}, long or flat"] * size
    return found


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    return running.main(parse_args(argv), _run, NEEDS)


def _run(arguments, start):
    from kerazoo.data import prices
    from kerazoo.evaluate import strategy_report, trading

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    series, forecasts = load(arguments)
    held, earned = positions(series, forecasts, arguments.target_volatility), prices.returns(series)
    whole = np.isfinite(earned) & np.all([np.isfinite(p) for p in held.values()], axis=0)
    days = np.flatnonzero(whole)
    if len(days) < SLOWEST:
        raise ValueError(
            f"There must be {SLOWEST} days on which every rule has a signal, or more. Received: {len(days)} of "
            f"{len(series)}."
        )
    choosing = days[: int(arguments.share * len(days))]
    judging = days[len(choosing) + REACH :]
    cost = (arguments.cost + arguments.slippage) / 1e4

    def trade(name, rows):
        chosen = np.ones(len(rows)) if name == "buy and hold" else held[name][rows]
        return trading.backtest(chosen, earned[rows], cost=cost, seed=arguments.seed)

    tried = {name: trade(name, choosing) for name in held}
    best = max(tried, key=lambda name: tried[name].sharpe)
    ratios = [trading.sharpe(done.net) for done in tried.values()]
    judged = {name: trade(name, judging) for name in (best, "buy and hold")}
    before = tried | {"buy and hold": trade("buy and hold", choosing)}
    name = arguments.stock or arguments.data.stem
    folder = running.new_folder(TASK, name, arguments)

    def span(rows):
        return f"{str(series.stamps[rows[0]])[:10]} to {str(series.stamps[rows[-1]])[:10]}"

    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=series.record() | {"split": f"chosen on {span(choosing)}, judged once on {span(judging)}"},
        chosen=best,
        trials=len(tried),
        choosing=trading.compared(before, "buy and hold", seed=arguments.seed),
        judging=trading.compared(judged, "buy and hold", seed=arguments.seed),
        probabilistic_sharpe=trading.probabilistic_sharpe(tried[best].net),
        deflated_sharpe=trading.deflated_sharpe(tried[best].net, ratios),
    )
    pictures = {
        "choosing": {n: (series.stamps[choosing], before[n].equity) for n in (best, "buy and hold")},
        "judging": {n: (series.stamps[judging], done.equity) for n, done in judged.items()},
    }
    return running.finish(
        arguments, record, strategy_report.page(record, equity=pictures), strategy_report.summary(record), folder
    )


if __name__ == "__main__":
    main()
