"""The report of a run that tells two classes apart by a table: a page with pictures, and the lines that end it."""

from kerazoo.evaluate import charts, table_report
from kerazoo.evaluate.table_report import FIGURES


def summary(record):
    """What a newcomer wants to know: who wins on the folds and on the test rows, the files, their parity."""
    said = [*table_report.who_leads(record, FIGURES[0]), table_report.decision(record)]
    return table_report.lines(record, FIGURES, record["scores"], said=said)


def page(record):
    """The report as a `Report`, ready to be written."""
    rows = record["scores"]["test"]
    own, best = rows[0], table_report.best_other(rows, "auroc")
    report = table_report.begin(
        record,
        [
            (f"{own['auroc']:.3f}", "test AUROC", own["name"]),
            (f"{best['auroc']:.3f}", "best classical model", best["name"]),
            (f"{own['auprc']:.3f}", "test AUPRC", "area under precision and recall"),
            (f"{own['accuracy']:.1%}", "accuracy at 0.5", f"Brier score {own['brier']:.3f}"),
        ],
        "It shows how well a table tells two classes apart. It is no medical device.",
    )
    table_report.add_folds(report, record, FIGURES)
    said = [*table_report.who_leads(record, FIGURES[0]), table_report.decision(record)]
    with report.section("The test rows", " ".join(["Looked at once, after everything was decided.", *said])):
        report.table(*table_report.scores(rows, FIGURES), strong=[0])
        matrix = charts.confusion_matrix(*table_report.confusion(record))
        report.figures((matrix, "confusion matrix at the chosen threshold"))
    table_report.add_costs(report, record)
    table_report.add_rest(report, record, FIGURES[0])
    return report
