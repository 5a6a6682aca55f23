"""The report of a run that looks for anomalies in series: a page with pictures, and the lines that end it."""

from kerazoo.evaluate import anomaly_charts, charts, report_ends, text
from kerazoo.evaluate.report import Report

FIGURES = (
    ("nab", "NAB score", "{:.1f}"),
    ("window_f1", "window F1", "{:.3f}"),
    ("point_f1", "point F1", "{:.3f}"),
    ("adjusted_f1", "adjusted F1", "{:.3f}"),
)
PICTURES = 8  # Series that are drawn, at most.


def summary(record):
    """What a newcomer wants to know: what was found, who wins, the files and their parity."""
    lines = []
    if record["figures"]:
        lines += ["With thresholds from the learning rows:", *text.columns(*_results(record))]
        lines += [_verdict(record), "", "With the threshold that the labels say is best (an upper bound, no result):"]
        lines += text.columns(*_bounds(record))
    else:
        count = sum(len(series["detections"]) for series in record["series"])
        lines.append(f"No labels. Runs of rows above the threshold: {count}, listed in the report.")
    if record["exports"]:
        lines += ["", f"Exported to {record['exports'][0]['folder']}; it takes raw windows:"]
        lines += text.columns(*_files(record))
    return "\n".join([*lines, "", f"The whole run took {record['minutes']:.1f} minutes."])


def page(record, *, drawn):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        drawn: [(name, values, scores, threshold, windows, learning)], for `anomaly_charts.detections`.
    """
    model, series = record["model"], record["series"]
    several = f"{len(series)} series" if len(series) > 1 else series[0]["name"]
    report = Report(
        f"{model['name']} on {record['dataset']['name']}",
        f"Anomalies in {several}: learnt from first rows, judged on the {record['dataset']['judged']:,} others.",
    )
    if record["figures"]:
        _figures(report, record)
    else:
        report.note("The series has no labels: nothing here says whether a detection is right.")
    shown = drawn[:PICTURES]
    lead = (
        "Above the series, below the network's scores. Grey: the rows that were learnt from. Orange: the labelled "
        "windows. Red triangles: runs of rows above the threshold."
    )
    if len(drawn) > len(shown):
        lead += f" The first {len(shown)} of {len(drawn)} series."
    with report.section("Series, scores, detections", lead):
        for name, values, scores, threshold, windows, learning in shown:
            sizes = {"threshold": threshold, "windows": windows, "learning": learning}
            report.figures((anomaly_charts.detections(name, values, scores, **sizes), f"scores of {name}"))
    if len(series) > 1 and record["figures"]:
        _by_series(report, record)
    elif len(series) == 1:
        _detected(report, series[0])
    with report.section("Learning curve", f"Of {series[0]['name']}. The weights of the marked epoch were kept."):
        history = series[0]["training"]["history"]
        curves = charts.learning_curves(history, best=series[0]["training"]["best_epoch"] - 1)
        report.figures((curves, "loss by epoch"))
    if record["exports"]:
        with report.section(
            "Exported files", "Each takes a raw window and gives the score of its last row; loaded again, tested."
        ):
            report.table(*_files(record))
            size = f"(N, {model['lookback']}, {len(record['dataset']['columns'])})"
            report.code(
                f'import kerazoo\n\nmodel = kerazoo.load("{text.export_folder(record)}")\n'
                f"strange = model(windows) > {series[0]['thresholds'][model['name']]:.6g}  # {size}, raw values"
            )
    dataset = record["dataset"]
    report_ends.provenance(report, record, [*report_ends.source(dataset), *report_ends.notes(dataset)])
    return report


def _figures(report, record):
    own, rival = record["figures"][0], _rival(record)
    cards = [(_cell(own, "nab", "{:.1f}"), "NAB score", "100 is perfect, 0 is silence")]
    cards.append((_cell(rival, "nab", "{:.1f}"), "best baseline", rival["name"]))
    cards.append((f"{own['windows_found']} of {own['windows']}", "windows found", f"{own['false_runs']} false alarms"))
    if own["auroc"] is not None:
        cards.append((f"{own['auroc']:.3f}", "AUROC of rows", "the mean over series"))
    report.cards(cards)
    lead = (
        "Thresholds come from the learning rows of each series, by the same rule for all. Window F1 counts windows and "
        f"runs of detections, point F1 rows; adjusted F1 takes a window found at one row as found whole. "
        f"{_verdict(record)}"
    )
    with report.section("Beside what it has to beat", lead):
        bars = [(row["name"], row["window_f1"]) for row in record["figures"]]
        report.figures((charts.bars(bars, unit="{:.3f}", highlight=(own["name"],)), "window F1 as bars"))
        report.table(*_results(record), strong=[0])
    lead = (
        "Each figure by the threshold, one for all series, that the labels say is best. It is an upper bound: nobody "
        "knows it beforehand. Many published figures are of this kind, and adjusted."
    )
    with report.section("What the best threshold would have reached", lead):
        report.table(*_bounds(record), strong=[0])


def _cell(row, key, form):
    return "n/a" if row[key] is None else form.format(row[key])


def _results(record):
    head = ("detector", *(label for _, label, _ in FIGURES), "windows found", "false alarms", "AUROC", "AUPRC")
    rows = [
        (
            row["name"],
            *(_cell(row, key, form) for key, _, form in FIGURES),
            f"{row['windows_found']} of {row['windows']}",
            str(row["false_runs"]),
            _cell(row, "auroc", "{:.3f}"),
            _cell(row, "auprc", "{:.3f}"),
        )
        for row in record["figures"]
    ]
    return head, rows


def _bounds(record):
    head = ("detector", *(label for _, label, _ in FIGURES))
    rows = [
        (
            row["name"],
            *(form.format(row["best"][key]["value"]) if key in row["best"] else "n/a" for key, _, form in FIGURES),
        )
        for row in record["figures"]
    ]
    return head, rows


def _rank(row):
    """What wins: NAB's score, then window F1."""
    return (-float("inf") if row["nab"] is None else row["nab"], row["window_f1"])


def _rival(record):
    return max(record["figures"][1:], key=_rank)


def _verdict(record):
    """Who wins, plainly."""
    own, rival = record["figures"][0], _rival(record)
    if own["windows"] == 0:
        return "There is no labelled window: only false alarms can be counted."
    said = f"NAB score {own['nab']:.1f} against {rival['nab']:.1f}, window F1 {own['window_f1']:.3f} against "
    said += f"{rival['window_f1']:.3f}"
    if _rank(own) > _rank(rival):
        return f"{own['name']} beats the best baseline, {rival['name']}: {said}."
    if _rank(own) == _rank(rival):
        return f"{own['name']} and {rival['name']} are level: {said}."
    return f"{own['name']} does not beat the baseline {rival['name']}: {said}."


def _by_series(report, record):
    name, rival = record["model"]["name"], _rival(record)["name"]
    head = ("series", "windows", *(f"{who}: {what}" for who in (name, rival) for what in ("found", "false alarms")))
    rows = []
    for series in record["series"]:
        both = [series["figures"][who] for who in (name, rival)]
        cells = [str(figures[key]) for figures in both for key in ("windows_found", "false_runs")]
        rows.append((series["name"], str(both[0]["windows"]), *cells))
    with report.section("Series by series", f"The network beside {rival}, with thresholds from the learning rows."):
        report.table(head, rows)


def _detected(report, series):
    rows = series["detections"]
    lead = f"Runs of rows above the threshold, in order of time: {len(rows)}" + (
        ", the first 50." if rows[50:] else "."
    )
    with report.section("Detections", lead):
        label = {True: "yes", False: "no", None: "n/a"}
        report.table(
            ("when", "rows", "highest score", "labelled"),
            [
                (f"{row['from']} to {row['to']}", str(row["rows"]), f"{row['score']:.3g}", label[row["labelled"]])
                for row in rows[:50]
            ],
        )


def _files(record):
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row['difference']:.1e}",
            f"{row['same_detections']:.2%}",
            text.size(row["bytes"]),
        )
        for row in record["exports"]
    ]
    return ("file", "largest difference", "same detections", "size"), rows
