"""Strategies beside each other, in words and pictures: for the reports of forecasts and of strategies."""

from kerazoo.evaluate import charts, report_ends

HEAD = ("strategy", "return a year", "volatility", "Sharpe", "95% interval", "worst fall", "turnover a year")


def strategy_rows(strategies):
    """Rows for `HEAD`."""
    return [
        (
            row["name"],
            f"{row['annual_return']:+.1%}",
            f"{row['volatility']:.1%}",
            f"{row['sharpe']:+.2f}",
            f"{row['interval'][0]:+.2f} to {row['interval'][1]:+.2f}",
            f"{row['drawdown']:.1%}",
            f"{row['turnover']:.0f}",
        )
        for row in strategies
    ]


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
