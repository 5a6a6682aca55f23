"""The report of trading rules: as a page with pictures, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, text, trading_report
from kerazoo.evaluate.report import Report


def summary(record):
    """The rules where one was chosen, the chosen one on later days, and what luck would explain, plainly."""
    lines = [f"{record['trials']} strategies on {record['dataset']['name']}, {record['dataset']['split']}. To choose:"]
    lines += text.columns(trading_report.HEAD, trading_report.strategy_rows(_sorted(record["choosing"])))
    lines += ["", "Judged:"]
    lines += text.columns(trading_report.HEAD, trading_report.strategy_rows(record["judging"]))
    return "\n".join([*lines, "", verdict(record)])


def verdict(record):
    """Whether the chosen rule holds, in sentences."""
    own, hold = record["judging"]
    likely = record["deflated_sharpe"]
    sentences = [
        f"{record['chosen']} was the best of {record['trials']} where it was chosen; that its true Sharpe ratio beats "
        f"the best of as many worthless ones is {likely:.0%} likely (without counting the others: "
        f"{record['probabilistic_sharpe']:.0%} that it is above zero)."
    ]
    sentences.append(f"On the days after: {trading_report.against(own, hold)}")
    return " ".join(sentences)


def page(record, *, equity):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        equity: {"choosing" | "judging": {strategy: (stamps, (N,) equity)}}.
    """
    own, hold = record["judging"]
    settings = record["settings"]
    report = Report(
        f"{record['chosen']} on {record['dataset']['name']}",
        f"The best of {record['trials']} strategies, {record['dataset']['split']}.",
    )
    report.cards(
        [
            (f"{own['sharpe']:.2f}", "Sharpe ratio, judged", "95%: {:.2f} to {:.2f}".format(*own["interval"])),
            (f"{hold['sharpe']:.2f}", "buy and hold", f"{hold['annual_return']:+.1%} a year"),
            (f"{record['deflated_sharpe']:.0%}", "deflated Sharpe ratio", f"{record['trials']} strategies tried"),
            (f"{own['drawdown']:.0%}", "worst fall", f"{hold['drawdown']:.0%} of buying and holding"),
        ]
    )
    report.note(verdict(record))
    lead = (
        f"Each position is known at the close and taken at the next open; {settings['cost']:g} basis points of fees "
        f"and {settings['slippage']:g} of slippage are paid for a change by all capital."
    )
    trading_report.strategies(report, record["judging"], equity["judging"], lead=lead, own={record["chosen"]})
    lead = "All that were tried, best first: the best of many looks good by luck alone."
    with report.section("Where it was chosen", lead):
        rows = _sorted(record["choosing"])
        strong = [i for i, row in enumerate(rows) if row["name"] == record["chosen"]]
        report.figures((charts.equity(equity["choosing"], highlight={record["chosen"]}), "equity while choosing"))
        report.table(trading_report.HEAD, trading_report.strategy_rows(rows), strong=strong)
    trading_report.provenance(report, record)
    return report


def _sorted(rows):
    return sorted(rows, key=lambda row: -row["sharpe"])
