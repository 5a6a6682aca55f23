"""The report of a run that tells two classes apart by a table: a page with pictures, and the lines that end it."""

import numpy as np

from kerazoo.evaluate import charts, text
from kerazoo.evaluate.report import Report

FIGURES = (("auroc", "AUROC"), ("auprc", "AUPRC"), ("brier", "Brier score"), ("accuracy", "accuracy"))


def summary(record):
    """What a newcomer wants to know: who wins on the folds and on the test rows, the files, their parity."""
    lines = []
    if record["folds"]:
        lines += ["The same folds for all:", *text.columns(*_folds(record)), ""]
    lines += [f"The {record['dataset']['test']:,} test rows, looked at once:", *text.columns(*_tests(record))]
    lines += [_verdict(record), _decision(record)]
    head, rows = _files(record)
    lines += ["", f"Exported to {record['exports'][0]['folder']}; it takes the raw columns:", *text.columns(head, rows)]
    return "\n".join([*lines, "", f"The whole run took {record['minutes']:.1f} minutes."])


def page(record):
    """The report as a `Report`, ready to be written."""
    table, training = record["dataset"], record["training"]
    report = Report(
        f"{record['model']['name']} on {table['name']}",
        f"{table['rows']:,} rows, looked for: {table['positive']}. {training['epochs_run']} epochs in "
        f"{training['minutes']:.1f} minutes, judged once on {table['test']:,} test rows.",
    )
    own = record["scores"][0]
    best = max(record["scores"][1:], key=lambda row: row["auroc"])
    report.cards(
        [
            (f"{own['auroc']:.3f}", "test AUROC", own["name"]),
            (f"{best['auroc']:.3f}", "best classical model", best["name"]),
            (f"{own['auprc']:.3f}", "test AUPRC", "area under precision and recall"),
            (f"{own['accuracy']:.1%}", "accuracy at 0.5", f"Brier score {own['brier']:.3f}"),
        ]
    )
    report.note("It shows how well a table tells two classes apart. It is no medical device.")
    if record["folds"]:
        with report.section("On the same folds", f"Mean and deviation over the folds. {_verdict(record)}"):
            report.table(*_folds(record), strong=[0])
    with report.section("The test rows", f"Looked at once, after everything was decided. {_decision(record)}"):
        report.table(*_tests(record), strong=[0])
        report.figures((charts.confusion_matrix(*_confusion(record)), "confusion matrix at the chosen threshold"))
    with report.section(
        "What a decision costs",
        f"Mean cost of a row at each threshold in hundredths; a false alarm costs 1, a miss "
        f"{record['threshold']['miss_costs']:g}.",
    ):
        curves = record["costs"]["curves"]
        picture = charts.lines(curves, x="threshold, hundredths", y="mean cost", highlight=(own["name"],))
        report.figures((picture, "cost by threshold"))
    with report.section("Learning curves", "The weights of the marked epoch were kept."):
        curves = charts.learning_curves(training["history"], best=training["best_epoch"] - 1)
        report.figures((curves, "loss and accuracy by epoch"))
    with report.section(
        "Exported files", "Each takes the raw columns and gives the probability; loaded again, tested."
    ):
        report.table(*_files(record))
    with report.section("Data, settings, versions"):
        rows = [("command", record["command"]), ("data", table["source"]), ("terms", table["terms"])]
        rows += [
            ("split", f"{table['development']:,} rows to develop on, {table['test']:,} to test, by class at random")
        ]
        rows += [("note", note) for note in table["notes"]]
        rows += [(key.replace("_", " "), text.setting(value)) for key, value in record["settings"].items()]
        rows.append(("versions", ", ".join(f"{key} {value}" for key, value in record["environment"].items())))
        report.table(("", ""), rows)
    return report


def _by_name(record):
    """{name: [its rows of the folds]}, in the order in which they came."""
    names = {}
    for row in record["folds"]:
        names.setdefault(row["name"], []).append(row)
    return names


def _folds(record):
    rows = []
    for name, folds in _by_name(record).items():
        values = {key: np.array([fold[key] for fold in folds]) for key, _ in FIGURES}
        rows.append((name, *(f"{values[key].mean():.4f} ± {values[key].std(ddof=1):.4f}" for key, _ in FIGURES)))
    return ("model", *(label for _, label in FIGURES)), rows


def _tests(record):
    rows = [(row["name"], *(f"{row[key]:.4f}" for key, _ in FIGURES)) for row in record["scores"]]
    return ("model", *(label for _, label in FIGURES)), rows


def _verdict(record):
    """Who wins on the folds, by how much, and whether that is more than the folds differ."""
    if not record["folds"]:
        return "Without folds there is no telling who wins."
    names = _by_name(record)
    means = {name: np.mean([fold["auroc"] for fold in folds]) for name, folds in names.items()}
    own = record["model"]["name"]
    rival = max((name for name in means if name != own), key=means.get)
    differences = np.array([a["auroc"] - b["auroc"] for a, b in zip(names[own], names[rival])])
    error = differences.std(ddof=1) / len(differences) ** 0.5
    gap = f"{abs(differences.mean()):.4f} AUROC (standard error {error:.4f})"
    if abs(differences.mean()) <= 2 * error:
        return f"{own} and {rival} cannot be told apart: {gap}."
    return f"{own} beats {rival} by {gap}." if differences.mean() > 0 else f"{rival} beats {own} by {gap}."


def _decision(record):
    (right, alarms), (misses, found) = record["threshold"]["confusion"]
    return (
        f"At the threshold {record['threshold']['value']:.3f}, chosen on validation rows, {found} of {found + misses} "
        f"are found and {alarms} of {alarms + right} others raise a false alarm."
    )


def _confusion(record):
    table = record["dataset"]
    other = next(name for name in table["classes"] if name != table["positive"])
    return np.array(record["threshold"]["confusion"]), [other, table["positive"]]


def _files(record):
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row['auroc']:.4f}",
            f"{row['difference']:.1e}",
            text.size(row["bytes"]),
        )
        for row in record["exports"]
    ]
    return ("file", "AUROC", "largest difference", "size"), rows
