"""Strategies beside each other, in words and pictures: for the reports of forecasts and of strategies."""

from kerazoo.evaluate import charts, report_ends

HEAD = (
    "strategy",
    "return a year",
    "volatility",
    "Sharpe",
    "95% interval",
    "Sharpe above buy and hold, 95%",
    "worst fall",
    "turnover a year",
)


def strategy_rows(strategies):
    """Rows for `HEAD`."""
    return [
        (
            row["name"],
            f"{row['annual_return']:+.1%}",
            f"{row['volatility']:.1%}",
            f"{row['sharpe']:+.2f}",
            _span(row["interval"]),
            "" if row["difference"] is None else _span(row["difference"]["interval"]),
            f"{row['drawdown']:.1%}",
            f"{row['turnover']:.0f}",
        )
        for row in strategies
    ]


def against(own, hold):
    """How a strategy compares with buying and holding, by the paired difference of their Sharpe ratios.

    Args:
        own, hold: rows of `kerazoo.evaluate.trading.compared`.
    """
    low, high = own["difference"]["interval"]
    if low > 0:
        verdict = "it beats buying and holding"
    elif high < 0:
        verdict = "it is worse than buying and holding"
    else:
        verdict = "the interval holds zero, so neither is shown to be better"
    return (
        f"Sharpe ratio {own['sharpe']:.2f} against {hold['sharpe']:.2f} of buying and holding, a difference of "
        f"{own['difference']['sharpe']:+.2f} (95% interval over the same resampled days {_span((low, high))}): "
        f"{verdict}."
    )


def _span(interval):
    low, high = interval
    return f"{low:+.2f} to {high:+.2f}"


def strategies(report, rows, equity, *, lead, own):
    """The section with the strategies' table and their equity.

    Args:
        report: the `Report`.
        rows: the record's strategies.
        equity: {name: (stamps, (N,) equity)}.
        lead: the section's sentence.
        own: names to emphasise.
    """
    with report.section("What trading it would have earned", lead):
        report.figures((charts.equity(equity, highlight=own), "equity and drawdown of each strategy"))
        strong = [i for i, row in enumerate(rows) if row["name"] in own]
        report.table(HEAD, strategy_rows(rows), strong=strong)


def provenance(report, record):
    """The section that says where everything comes from."""
    data = record["dataset"]
    rows = ("rows", f"{data['rows']:,}, {data['first'][:10]} to {data['last'][:10]}")
    report_ends.provenance(report, record, [*report_ends.source(data), rows, *report_ends.notes(data)])
