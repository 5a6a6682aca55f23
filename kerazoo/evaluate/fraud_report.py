"""The report of a run that looks for rare cases: what is found within alert budgets, who wins, what it costs."""

from kerazoo.evaluate import charts, table_report, text

FIGURES = (("auprc", "AUPRC"), ("auroc", "AUROC"), ("brier", "Brier score"))
STAND_IN = (
    "No payments: the table is a public stand-in with rare cases. The figures show how the method works and say "
    "nothing about fraud."
)


def summary(record):
    """What a newcomer wants to know: who wins, what is found within each budget, the files."""
    said = table_report.who_leads(record, FIGURES[0])
    said += ["Share of the cases found among the most suspicious rows:", *text.columns(*_budgets(record))]
    said += ["", table_report.decision(record)] + [STAND_IN] * record["stand_in"]
    return table_report.lines(record, FIGURES, record["scores"], said=said)


def page(record):
    """The report as a `Report`, ready to be written."""
    rows = record["scores"]["test"]
    own, best = rows[0], table_report.best_other(rows, "auprc")
    first = record["budgets"][own["name"]][0]
    note = STAND_IN if record["stand_in"] else "Past fraud shows past fraud: what is new may look like none of it."
    report = table_report.begin(
        record,
        [
            (f"{own['auprc']:.3f}", "test AUPRC", own["name"]),
            (f"{best['auprc']:.3f}", "best other model", best["name"]),
            (f"{first['recall']:.0%}", f"found in {first['share']:.1%} of the rows", f"{first['alerts']} alerts"),
            (f"{own['auroc']:.3f}", "test AUROC", f"{record['frauds']} cases in the test"),
        ],
        note,
    )
    table_report.add_folds(report, record, FIGURES)
    said = ["Looked at once, after everything was decided.", *table_report.who_leads(record, FIGURES[0])]
    with report.section("The test rows", " ".join(said)):
        report.table(*table_report.scores(rows, FIGURES), strong=[0])
    with report.section(
        "Within a budget of alerts",
        "Only the most suspicious rows can be looked into: the share of all cases that lies among them.",
    ):
        report.table(*_budgets(record), strong=[0])
        percent = [100 * share for share in record["found"]["shares"]]
        points = {name: (percent, curve) for name, curve in record["found"]["curves"].items()}
        curves = charts.curves(points, x="% of rows looked into", y="share of cases found", highlight=(own["name"],))
        matrix = charts.confusion_matrix(*table_report.confusion(record))
        report.figures((curves, "cases found by budget"), (matrix, "confusion matrix at the chosen threshold"))
    table_report.add_costs(report, record)
    with report.section("At the chosen threshold", table_report.decision(record)):
        report.code(f"alert if probability >= {record['threshold']['value']:.6f}")
    table_report.add_rest(report, record, FIGURES[0])
    return report


def _budgets(record):
    shares = next(iter(record["budgets"].values()))
    head = ("model", *(f"{row['share']:.1%} ({row['alerts']})" for row in shares))
    return head, [(name, *(f"{row['recall']:.3f}" for row in rows)) for name, rows in record["budgets"].items()]
