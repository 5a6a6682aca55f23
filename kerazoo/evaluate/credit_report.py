"""The report of a run that scores credit: who wins, calibration, whom it refuses, which groups, and why."""

from kerazoo.evaluate import charts, table_report, text
from kerazoo.evaluate.table_report import FIGURES

RATES = (("approval", "approved"), ("true_positive", "good approved"), ("false_positive", "bad approved"))


def summary(record):
    """What a newcomer wants to know: who wins, how decisions fall on groups, the files."""
    said = [*table_report.who_leads(record, FIGURES[0]), _decision(record)]
    for name, figures in record["fairness"].items():
        said += ["", f"Approved, by {name}:", *text.columns(*_rates(figures))]
    return table_report.lines(record, FIGURES, record["scores"], said=said)


def page(record):
    """The report as a `Report`, ready to be written."""
    (part, rows), *_ = record["scores"].items()
    own, best = rows[0], table_report.best_other(rows, "auroc")
    (right, alarms), (misses, found) = record["threshold"]["confusion"]
    report = table_report.begin(
        record,
        [
            (f"{own['auroc']:.3f}", "test AUROC", own["name"]),
            (f"{best['auroc']:.3f}", "best classical model", best["name"]),
            (f"{(right + misses) / (right + alarms + misses + found):.0%}", "approved", "at the chosen threshold"),
            (f"{misses / max(right + misses, 1):.1%}", "bad among the approved", f"Brier score {own['brier']:.3f}"),
        ],
        "Figures of one table and one threshold. They weigh no law and prove no fairness; a difference between groups "
        "is a question to answer before anyone decides by this model.",
    )
    table_report.add_folds(report, record, FIGURES)
    said = [*table_report.who_leads(record, FIGURES[0]), _decision(record)]
    with report.section(f"The rows of {part}", " ".join(["Looked at once, after everything was decided.", *said])):
        report.table(*table_report.scores(rows, FIGURES), strong=[0])
        matrix = charts.confusion_matrix(*table_report.confusion(record))
        report.figures((matrix, "confusion matrix at the chosen threshold"))
    _calibration(report, record, own)
    _rejects(report, record, own)
    table_report.add_costs(report, record)
    for name, figures in record["fairness"].items():
        with report.section(
            f"Fairness: {name}",
            "Shares approved of all, of the good risks and of the bad ones. Their differences: "
            + ", ".join(f"{label} {_share(figures['differences'][rate])}" for rate, label in RATES)
            + ".",
        ):
            report.table(*_rates(figures))
    _reasons(report, record)
    table_report.add_rest(report, record, FIGURES[0])
    return report


def _calibration(report, record, own):
    errors = ", ".join(f"{name} {row['error']:.3f}" for name, row in record["calibration"].items())
    with report.section("Calibration", f"Of those with a risk of 20%, 20% should be bad. Mean distance: {errors}."):
        points = {name: list(zip(*row["rows"]))[:2] for name, row in record["calibration"].items()}
        picture = charts.curves(
            points,
            x="mean risk of a tenth of the scale",
            y="share that is bad",
            highlight=(own["name"],),
            diagonal="perfectly calibrated",
            markers=True,
        )
        report.figures((picture, "calibration curves"))


def _rejects(report, record, own):
    with report.section("Reject curve", "The least risky are taken first: how many of those taken turn out bad."):
        shares = [100 * share for share in record["rejects"]["shares"]]
        points = {name: (shares, curve) for name, curve in record["rejects"]["curves"].items()}
        picture = charts.curves(points, x="% of applicants taken", y="share of bad ones", highlight=(own["name"],))
        report.figures((picture, "share of bad ones by the share taken"))


def _reasons(report, record):
    reasons = record["reasons"]
    with report.section(
        "Reasons",
        "How far each column's value moves the log-odds of the risk beside the typical value, over "
        f"{reasons['rows']:,} test rows; one column at a time, so it says nothing of several together, nor of causes. "
        f"The three strongest of each of the {reasons['refused']:,} refused among them are in reasons.csv.",
    ):
        strongest = sorted(reasons["mean_effects"].items(), key=lambda pair: -pair[1])[:12]
        report.figures((charts.bars(strongest, unit="{:.2f}"), "mean effect of each column"))
        rows = [
            (
                f"row {one['row']}",
                f"{one['risk']:.2f}",
                one["was"],
                "; ".join(f"{r['column']} = {r['value']} ({r['effect']:+.2f})" for r in one["reasons"]),
            )
            for one in reasons["examples"]
        ]
        report.table(("refused", "risk", "was", "what raises the risk most"), rows)


def _decision(record):
    (right, alarms), (misses, found) = record["threshold"]["confusion"]
    return (
        f"Those below a risk of {record['threshold']['value']:.3f}, chosen on validation rows, are approved: "
        f"{right} of {right + alarms} good risks and {misses} of {misses + found} bad ones."
    )


def _rates(figures):
    head = ("group", "rows", *(label for _, label in RATES))
    rows = [
        (name, f"{row['rows']:,}", *(_share(row[rate]) for rate, _ in RATES)) for name, row in figures["rates"].items()
    ]
    return head, [*rows, ("difference", "", *(_share(figures["differences"][rate]) for rate, _ in RATES))]


def _share(value):
    return "n/a" if value is None else f"{value:.1%}"
