"""The report of a forecasting run: as a page with pictures, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.report import Report

# Of the forecast after the last row, as the page shows it; the file has all.
MOST_COLUMNS = 4
MOST_ROWS = 24


def summary(record):
    """What a newcomer wants to know: the errors beside what they have to beat, the files, their parity."""
    test, series = record["test"], record["dataset"]
    scores = [(name, f"{mse:.4f}", f"{mae:.4f}", note) for name, mse, mae, note, _ in _scores(record)]
    files = [
        (text.FORMS.get(e["form"], e["form"]), f"{e['mse']:.4f}", text.size(e["bytes"]), f"{e['difference']:.1e}")
        for e in record["exports"]
    ]
    lines = [
        f"Errors over {test['windows']:,} test windows of {series['name']}, {record['model']['horizon']} steps ahead, "
        "in standard deviations of the training part:"
    ]
    lines += text.columns(("", "MSE", "MAE", ""), scores)
    lines += [_verdict(record)]
    if record["quantiles"]:
        head, rows = _quantile_table(record)
        lines += ["", "Quantiles over the same windows:", *text.columns(head, rows)]
    lines += ["", *_ahead(record)]
    if files:
        lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on the same windows:"]
        lines += text.columns(("file", "MSE", "size", "largest difference"), files)
    lines += ["", text.speed(record["training"], "windows"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, *, examples, ahead):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        examples: rows for `charts.forecasts`, of test windows.
        ahead: the same, of the rows after the last one.
    """
    series, test, training, model = record["dataset"], record["test"], record["training"], record["model"]
    channels = "one channel" if len(series["columns"]) == 1 else f"{len(series['columns'])} channels"
    report = Report(
        f"{model['name']} on {series['name']}",
        f"Forecasting {model['horizon']} steps from {model['lookback']}, {channels}. "
        f"{training['epochs_run']} epochs in {training['minutes']:.1f} minutes, judged once on {test['windows']:,} "
        "test windows.",
    )
    report.cards(_cards(record))
    if series["limited"]:
        report.note(f"A first look: every part is limited to its first {series['limited']} windows. No score counts.")
    scores = _scores(record)
    with report.section(
        "The error beside what it has to beat",
        "Mean squared and absolute error of all channels and steps, each channel divided by its standard deviation "
        f"over the training part. {_verdict(record)}",
    ):
        own = {name for name, _, _, _, strong in scores if strong}
        bars = [(name, mse) for name, mse, _, _, _ in scores]
        report.figures((charts.bars(bars, unit="{:.4f}", highlight=own), "mean squared errors as bars"))
        report.table(
            ("forecaster", "MSE", "MAE", ""),
            [(name, f"{mse:.4f}", f"{mae:.4f}", note) for name, mse, mae, note, _ in scores],
            strong=[i for i, row in enumerate(scores) if row[4]],
        )
    if record["few_origins"]:
        rows = record["few_origins"]
        lead = (
            f"{rows['method']} is fitted anew to every window and channel, too slow for all of them: here are all "
            f"forecasters on the same {rows['windows']} windows."
        )
        with report.section("Beside a classical method", lead):
            table = [(row["name"], f"{row['mse']:.4f}", f"{row['mae']:.4f}") for row in rows["scores"]]
            report.table(("forecaster", "MSE", "MAE"), table)
    if record["quantiles"]:
        lead = (
            "Pinball loss in standard deviations; the CRPS is twice its mean. Coverage is the share of what came that "
            "lies between two quantiles: the nearer to its name, the better."
        )
        with report.section("Quantiles", lead):
            report.table(*_quantile_table(record))
    with report.section("Forecasts", "Test windows evenly spaced in time, not chosen; every channel in its own unit."):
        report.figures((charts.forecasts(examples), "forecasts beside what came"))
    with report.section("Beyond the last row", " ".join(_ahead(record))):
        if ahead:
            report.figures((charts.forecasts(ahead), "the forecast of the rows ahead with its intervals"))
            report.table(*_ahead_table(record["ahead"]))
    with report.section("How the error grows", "Mean squared error of each step ahead."):
        curves = {model["name"]: test["mse_by_step"]}
        curves |= {row["name"]: row["mse_by_step"] for row in record["baselines"]}
        report.figures(
            (charts.lines(curves, x="steps ahead", y="mean squared error", highlight=(model["name"],)), "by step")
        )
    with report.section("Learning curves", "The weights of the marked epoch were kept; the test part played no role."):
        picture = charts.learning_curves(
            training["history"], best=training["best_epoch"] - 1, metric="mae", title="Mean absolute error"
        )
        report.figures((picture, "loss and mean absolute error by epoch"))
    with report.section("Channel by channel"):
        report.table(
            ("channel", "MSE", "MAE"),
            [(name, f"{row['mse']:.4f}", f"{row['mae']:.4f}") for name, row in test["by_channel"].items()],
        )
    _files(report, record)
    report_ends.speed(report, training, "windows")
    report_ends.provenance(report, record, _about(record["dataset"]))
    return report


def ahead_page(record, *, ahead):
    """The page of `--predict`: the forecast of an exported model after a file's last row.

    Args:
        record: as in `run.json`.
        ahead: rows for `charts.forecasts`.
    """
    found = record["ahead"]
    report = Report(f"{record['model']} after {found['after']}", f"{len(found['stamps']):,} steps, {found['spacing']}")
    with report.section("Forecast", intervals_of_export(found)):
        report.figures((charts.forecasts(ahead), "the forecast of the rows ahead with its intervals"))
        report.table(*_ahead_table(found))
    return report


def intervals_of_export(found):
    """A sentence on where the intervals of `--predict` come from."""
    if not found["bounded"]:
        return "The export holds no prediction intervals."
    return (
        f"Intervals of {found['coverage']:.0%} by split conformal prediction from the validation windows of the "
        "training run, whose report has the coverage that was measured."
    )


def _ahead(record):
    """Sentences on the forecast after the last row and what its intervals are worth."""
    ahead = record["ahead"]
    if ahead["left_out"]:
        return [f"No forecast after the last row. {ahead['left_out']}"]
    steps = len(ahead["stamps"])
    sentences = [
        f"The {'step' if steps == 1 else f'{steps:,} steps'} after {ahead['after']} ({ahead['spacing']}) are forecast "
        f"in {ahead['file']}."
    ]
    windows = f"the {ahead['calibration_windows']:,} validation windows"
    if ahead["bounded"]:
        sentences.append(
            f"Intervals of {ahead['coverage']:.0%} by split conformal prediction from {windows} held "
            f"{ahead['measured']:.1%} of what came in the {ahead['test_windows']:,} test windows."
        )
    else:
        sentences.append(f"It has no intervals: {windows} are too few for a coverage of {ahead['coverage']:.0%}.")
    return sentences


def _ahead_table(ahead):
    """(head, rows) of the first channels and steps ahead."""
    chosen = list(ahead["series"].items())[:MOST_COLUMNS]

    def cell(series, step):
        point = f"{series['forecast'][step]:.5g}"
        if not ahead["bounded"]:
            return point
        return f"{point} ({series['lower'][step]:.5g} to {series['upper'][step]:.5g})"

    rows = [(stamp, *(cell(series, i) for _, series in chosen)) for i, stamp in enumerate(ahead["stamps"][:MOST_ROWS])]
    return ("stamp", *(name for name, _ in chosen)), rows


def _quantile_table(record):
    """(head, rows) of the quantile scores."""
    rows = record["quantiles"]
    head = ["", "CRPS", *(f"pinball {quantile:g}" for quantile in rows[0]["quantiles"])]
    head += [f"in the {float(nominal):.0%} interval" for nominal in rows[0]["coverage"]]
    return head, [
        (
            row["name"],
            f"{row['crps']:.4f}",
            *(f"{loss:.4f}" for loss in row["pinball"]),
            *(f"{share:.1%}" for share in row["coverage"].values()),
        )
        for row in rows
    ]


def _cards(record):
    test, best = record["test"], min(record["baselines"], key=lambda row: row["mse"])
    cards = [
        (f"{test['mse']:.3f}", "test MSE", f"MAE {test['mae']:.3f}"),
        (f"{best['mse']:.3f}", "best naive forecast", best["name"]),
    ]
    published = [row for row in record["published"] if row["same_model"]]
    if published:
        cards.append((f"{published[0]['mse']:.3f}", "published MSE", published[0]["of"]))
    cards.append(
        (f"{record['training']['windows_per_second']:,.0f}", "training windows a second", record["model"]["name"])
    )
    return cards


def _scores(record):
    """[(name, MSE, MAE, note, whether it is this run's)], best first."""
    rows = [(record["model"]["name"], record["test"]["mse"], record["test"]["mae"], "this run", True)]
    rows += [(row["name"], row["mse"], row["mae"], "baseline", False) for row in record["baselines"]]
    rows += [(row["of"], row["mse"], row["mae"], "published", False) for row in record["published"]]
    return sorted(rows, key=lambda row: row[1])


def _verdict(record):
    """Who wins, in a sentence."""
    best = min(record["baselines"], key=lambda row: row["mse"])
    if best["mse"] == 0:
        return f"The network does not beat the naive forecast: {best['name']} makes no error."
    gain = 1 - record["test"]["mse"] / best["mse"]
    if f"{abs(gain):.1%}" == "0.0%":
        return f"The network does not beat the naive forecast: {best['name']} is level with it."
    if gain > 0:
        return f"The network's squared error is {gain:.1%} below that of the best naive forecast ({best['name']})."
    return f"The network does not beat the naive forecast: {best['name']} has a lower squared error by {-gain:.1%}."


def _files(report, record):
    if not record["exports"]:
        return
    lead = (
        "Each file takes raw values and gives raw forecasts; it was loaded again and answered the same test windows. "
        "The difference is from the Keras model's forecasts."
    )
    with report.section("Exported files", lead):
        report.table(
            ("file", "MSE", "largest difference", "size", "one window"),
            [
                (
                    text.FORMS.get(row["form"], row["form"]),
                    f"{row['mse']:.4f}",
                    f"{row['difference']:.1e}",
                    text.size(row["bytes"]),
                    "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
                )
                for row in record["exports"]
            ],
        )
        model, covariates = record["model"], record["dataset"]["covariates"]
        inputs = f"(N, {model['lookback']}, {len(record['dataset']['columns'])}), raw values"
        names = ", ".join(f'"{name}": {name}' for name in ("past", *covariates))
        if "known" in covariates:
            inputs += f"; known (N, {model['lookback'] + model['horizon']}, {len(covariates['known'])})"
        if "observed" in covariates:
            inputs += f"; observed (N, {model['lookback']}, {len(covariates['observed'])})"
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{text.export_folder(record)}")\n'
            f"forecast = model({'{' + names + '}' if covariates else 'past'})  # past {inputs}"
        )


def _about(series):
    """The rows of the data."""
    every = f", every {series['step_seconds']} s" if series["step_seconds"] else ""
    rows = f"{series['rows']:,}, {series['first']} to {series['last']}{every}"
    told = [(f"told of {name} columns", ", ".join(of)) for name, of in series["covariates"].items()]
    return [*report_ends.source(series), ("rows", rows), *told, *report_ends.notes(series)]
