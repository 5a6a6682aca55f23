"""The report of a run on any table: a number or classes, a page with pictures, and the lines that end it."""

import numpy as np

from kerazoo.evaluate import charts, class_tables, table_report

OF_NUMBERS = (("r2", "R²"), ("rmse", "RMSE"), ("mae", "MAE"))
OF_CLASSES = (("accuracy", "accuracy"), ("macro_f1", "macro-F1"), ("log_loss", "log loss"))


def summary(record):
    """What a newcomer wants to know: who wins on the folds and on the test rows, the files, their parity."""
    figures = _figures(record)
    return table_report.lines(record, figures, record["scores"], said=table_report.who_leads(record, figures[0]))


def page(record):
    """The report as a `Report`, ready to be written."""
    figures, rows = _figures(record), record["scores"]["test"]
    (lead, label), *others = figures
    own, best = rows[0], table_report.best_other(rows, lead)
    report = table_report.begin(
        record,
        [
            (f"{own[lead]:.3f}", f"test {label}", own["name"]),
            (f"{best[lead]:.3f}", "best classical model", best["name"]),
            *((f"{own[key]:.3g}", f"test {name}", own["name"]) for key, name in others),
        ],
        "One seed and, where the table comes without a test part, one random split.",
    )
    table_report.add_folds(report, record, figures)
    said = " ".join(["Evaluated once, after everything was decided.", *table_report.who_leads(record, figures[0])])
    with report.section("The test rows", said):
        report.table(*table_report.scores(rows, figures), strong=[0])
        if "predictions" in record:
            shown = record["predictions"]
            picture = charts.scatter(shown["true"], shown["predicted"], x="true value", y="predicted value")
            report.figures((picture, "predicted over true values"))
        else:
            report.table(("class", "precision", "recall", "F1", "rows"), class_tables.classes(record))
            confusion = charts.confusion_matrix(np.array(record["confusion"]), record["dataset"]["classes"])
            report.figures((confusion, "confusion matrix"))
    table_report.add_rest(report, record, figures[0])
    return report


def _figures(record):
    return OF_CLASSES if record["dataset"]["classes"] else OF_NUMBERS
