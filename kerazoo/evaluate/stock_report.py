"""The report of forecast returns: as a page with pictures, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, text, trading_report
from kerazoo.evaluate.report import Report

SIGNIFICANT = 2.0  # Standard errors.


def summary(record):
    """The forecasts beside what they have to beat, the strategies, and who wins, plainly."""
    head, rows = _forecasts(record)
    lines = [f"Forecasts of {record['dataset']['name']}'s next return, {record['dataset']['split']}:"]
    lines += text.columns(head, rows)
    lines += ["", f"Traded, {record['settings']['cost']:g} basis points for each change:"]
    lines += text.columns(trading_report.HEAD, trading_report.strategy_rows(record["strategies"]))
    lines += ["", verdict(record), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def verdict(record):
    """Whether the network beats the naive forecast and buying and holding, in sentences."""
    own, naive = record["forecasts"][0], min(record["forecasts"][1:], key=lambda row: row["rmse"])
    gain, sentences = 1 - own["rmse"] / naive["rmse"], []
    if f"{abs(gain):.2%}" == "0.00%":
        sentences.append(f"The network does not beat the naive forecast: {naive['name']} is level with it.")
    elif gain > 0:
        sentences.append(f"The network's error is {gain:.2%} below that of the best naive forecast ({naive['name']}).")
    else:
        sentences.append(
            f"The network does not beat the naive forecast: {naive['name']} has an error lower by {-gain:.2%}."
        )
    size, t = own["information_coefficient"], own["t"]
    if abs(t) < SIGNIFICANT:
        sentences.append(f"Its rank correlation with what came is {size:+.3f}, not to be told from none (t = {t:.1f}).")
    else:
        sentences.append(f"Its rank correlation with what came is {size:+.3f} (t = {t:.1f}).")
    hold = next(row for row in record["strategies"] if row["name"] == "buy and hold")
    best = max((row for row in record["strategies"] if row["name"].startswith(own["name"])), key=lambda r: r["sharpe"])
    sentences.append(f"Traded, its better strategy: {trading_report.against(best, hold)}")
    return " ".join(sentences)


def page(record, *, equity, forecasts, returns):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        equity: {strategy: (stamps, (N,) equity)}.
        forecasts, returns: (N,), of the test days.
    """
    model, data = record["model"], record["dataset"]
    own, hold = record["forecasts"][0], next(row for row in record["strategies"] if row["name"] == "buy and hold")
    best = max((row for row in record["strategies"] if row["name"].startswith(own["name"])), key=lambda r: r["sharpe"])
    report = Report(
        f"{model['name']} on {data['name']}",
        f"Forecasting the next return from {model['lookback']} days. {data['split']}. {record['minutes']:.1f} minutes.",
    )
    report.cards(
        [
            (f"{own['information_coefficient']:+.3f}", "rank correlation", f"t = {own['t']:.1f}"),
            (f"{own['hits']:.1%}", "directions right", f"± {own['hits_error']:.1%}"),
            (f"{best['sharpe']:.2f}", "Sharpe ratio traded", best["name"]),
            (f"{hold['sharpe']:.2f}", "buy and hold", f"{hold['annual_return']:+.1%} a year"),
        ]
    )
    report.note(verdict(record))
    with report.section(
        "Forecasts beside the naive ones",
        "Root mean squared error of daily returns; Spearman's rank correlation of forecast and return (the information "
        "coefficient) with its t statistic; how often the direction was right. Forecasts of no return have neither.",
    ):
        report.table(*_forecasts(record), strong=[0])
        groups = np.array_split(np.argsort(forecasts, kind="stable"), 10)
        tenths = {"what came": [1e4 * float(returns[group].mean()) for group in groups]}
        tenths["mean of all days"] = [1e4 * float(returns.mean())] * len(groups)
        picture = charts.lines(
            tenths, x="tenth of the forecasts, lowest first", y="basis points a day", highlight=("what came",)
        )
        report.figures((picture, "mean return of the days with the lowest to the highest forecasts"))
    lead = (
        f"Each day's position is known at the close and taken at the next open; {record['settings']['cost']:g} basis "
        "points are paid for a change by all capital. The intervals are by blocks of 20 days drawn with replacement, "
        "the same days for both sides of a difference."
    )
    trading_report.strategies(report, record["strategies"], equity, lead=lead, own={best["name"]})
    with report.section("Folds", "Each is trained on all days before it; the weights of its best epoch were kept."):
        rows = [
            (
                fold["test"],
                str(len(fold["history"])),
                str(fold["best_epoch"]),
                f"{fold['history'][fold['best_epoch'] - 1]['val_loss']:.4f}",
            )
            for fold in record["folds"]
        ]
        report.table(("test days", "epochs", "best epoch", "validation loss"), rows)
        last = record["folds"][-1]
        report.figures((charts.learning_curves(last["history"], best=last["best_epoch"] - 1), "of the last fold"))
    with report.section("Exported files", "The last fold's network: features in, the forecast return out."):
        rows = [
            (text.FORMS.get(row["form"], row["form"]), text.size(row["bytes"]), f"{row['difference']:.1e}")
            for row in record["exports"]
        ]
        report.table(("file", "size", "largest difference"), rows)
    trading_report.provenance(report, record)
    return report


def _forecasts(record):
    rows = [
        (
            row["name"],
            f"{row['rmse']:.5f}",
            f"{row['information_coefficient']:+.3f}" if row["hits"] is not None else "n/a",
            f"{row['t']:+.1f}" if row["hits"] is not None else "n/a",
            f"{row['hits']:.1%}" if row["hits"] is not None else "n/a",
        )
        for row in record["forecasts"]
    ]
    return ("forecast", "RMSE", "rank correlation", "t", "directions right"), rows
