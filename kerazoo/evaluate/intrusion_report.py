"""The report of a run that tells kinds of network connections apart: by class, by attacks known and new."""

import numpy as np

from kerazoo.evaluate import charts, table_report, text

FIGURES = (("accuracy", "accuracy"), ("macro_f1", "macro-F1"))


def summary(record):
    """What a newcomer wants to know: who wins, on which attacks, the files."""
    said = [_winner(record, part) for part in record["parts"]]
    for part in record["parts"]:
        head, rows = _attacks(record, part)
        if rows:
            said += ["", f"Attacks of {part}, by whether training rows show their kind:", *text.columns(head, rows)]
    return table_report.lines(record, FIGURES, record["scores"], said=said)


def page(record):
    """The report as a `Report`, ready to be written."""
    first = next(iter(record["parts"]))
    rows = record["scores"][first]
    own, best = rows[0], table_report.best_other(rows, "accuracy")
    report = table_report.begin(
        record,
        [
            (f"{own['accuracy']:.1%}", f"accuracy on {first}", own["name"]),
            (f"{best['accuracy']:.1%}", "best classical model", best["name"]),
            (f"{own['macro_f1']:.3f}", "macro-F1", "mean of the classes' F1"),
            (f"{best['macro_f1']:.3f}", "macro-F1", best["name"]),
        ],
        "One seed. The standard errors are those of the rows: another seed moves the network's figures too.",
    )
    for part, figures in record["parts"].items():
        with report.section(part, f"Looked at once, after everything was decided. {_winner(record, part)}"):
            report.table(*table_report.scores(record["scores"][part], FIGURES), strong=[0])
            report.table(*_classes(record, part))
            confusion = np.array(figures["confusion"])
            report.figures(
                (charts.confusion_matrix(confusion, record["dataset"]["classes"]), f"confusion matrix on {part}")
            )
        head, attacks = _attacks(record, part)
        if attacks:
            with report.section(
                f"Attacks of {part}, known and new",
                "Right: with the right class. Noticed: not taken for normal. New kinds are in no training row.",
            ):
                report.table(head, attacks)
    unknown = {part: figures["unknown_words"] for part, figures in record["parts"].items() if figures["unknown_words"]}
    if unknown:
        with report.section("Words that training never saw", "They are one value, unknown, to every model."):
            report.table(
                ("test", "column", "rows"),
                [(part, column, f"{n:,}") for part, columns in unknown.items() for column, n in columns.items()],
            )
    table_report.add_folds(report, record, FIGURES)
    table_report.add_rest(report, record, FIGURES[0])
    return report


def _winner(record, part):
    """Who is right more often, and whether that is more than chance over these rows."""
    rows, count = record["scores"][part], record["dataset"]["tests"][part]
    own, best = rows[0], table_report.best_other(rows, "accuracy")
    gap = own["accuracy"] - best["accuracy"]
    error = (sum(r["accuracy"] * (1 - r["accuracy"]) for r in (own, best)) / count) ** 0.5
    said = f"{abs(gap):.2%} of the rows (standard error {error:.2%})"
    if abs(gap) <= 2 * error:
        return f"{part}, this seed: {own['name']} and {best['name']} cannot be told apart by accuracy: {said}."
    winner, loser = (own, best) if gap > 0 else (best, own)
    return f"{part}, this seed: {winner['name']} beats {loser['name']} in accuracy by {said}."


def _classes(record, part):
    models = record["parts"][part]["classes"]
    own = models[record["model"]["name"]]
    head = ("class", "rows", "precision", "recall", "F1", *(f"F1, {name}" for name in list(models)[1:]))
    rows = []
    for name, figures in own.items():
        others = [model[name]["f1"] for model in list(models.values())[1:]]
        values = [figures["precision"], figures["recall"], figures["f1"], *others]
        rows.append((name, f"{figures['support']:,}", *("–" if v is None else f"{v:.3f}" for v in values)))
    return head, rows


def _attacks(record, part):
    head, rows = ("model", "kind", "kinds", "rows", "right", "noticed"), []
    for name, kinds in record["parts"][part]["attacks"].items():
        for kind, row in (kinds or {}).items():
            shares = (f"{row['right']:.1%}", f"{row['noticed']:.1%}")
            rows.append((name, kind, f"{row['kinds']}", f"{row['rows']:,}", *shares))
    return head, rows
