"""What the reports of runs on tables have alike: who wins, the tables of figures, the files, the settings."""

import numpy as np

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.report import Report

# Of two classes, by their names in a row of scores.
FIGURES = (("auroc", "AUROC"), ("auprc", "AUPRC"), ("brier", "Brier score"), ("accuracy", "accuracy"))


def begin(record, cards, note):
    """A `Report` with its heading, its cards and the sentence that no reader must miss."""
    table, training = record["dataset"], record["training"]
    tests = ", ".join(f"{count:,} rows of {part}" for part, count in table["tests"].items())
    report = Report(
        f"{record['model']['name']} on {table['name']}",
        f"{table['development']:,} rows to develop on. {training['epochs_run']} epochs in {training['minutes']:.1f} "
        f"minutes, judged once on {tests}.",
    )
    report.cards(cards)
    report.note(note)
    return report


def lines(record, figures, tests, *, said=()):
    """The lines that end a run on a terminal.

    Args:
        record: as in `run.json`.
        figures: ((key in a row of scores, name), ...), the one that leads first.
        tests: {part: rows of scores}.
        said: sentences after the test rows' table.
    """
    shown = []
    if record["folds"]:
        shown += ["The same folds for all:", *text.columns(*folds(record, figures)), verdict(record, figures[0]), ""]
    for part, rows in tests.items():
        count = record["dataset"]["tests"][part]
        shown += [f"The {count:,} rows of {part}, looked at once:", *text.columns(*scores(rows, figures)), ""]
    shown[-1:] = [*said, ""]
    shown += [f"Exported to {record['exports'][0]['folder']}; it takes the raw columns:"]
    shown += text.columns(*files(record, figures[0]))
    return "\n".join([*shown, "", f"The whole run took {record['minutes']:.1f} minutes."])


def add_folds(report, record, figures):
    """The section of the comparison on the same folds, where there was one."""
    if record["folds"]:
        with report.section("On the same folds", f"Mean and deviation over the folds. {verdict(record, figures[0])}"):
            report.table(*folds(record, figures), strong=[0])


def who_leads(record, lead):
    """[who comes first on the test rows], where no folds have decided it, else []."""
    return [] if record["folds"] else [verdict(record, lead)]


def add_costs(report, record):
    """The section of what decisions cost."""
    with report.section(
        "What a decision costs",
        f"Mean cost of a row at each threshold; a false alarm costs 1, a miss {record['threshold']['miss_costs']:g}.",
    ):
        thresholds = record["costs"]["thresholds"]
        points = {name: (thresholds, curve) for name, curve in record["costs"]["curves"].items()}
        own = (record["model"]["name"],)
        report.figures((charts.curves(points, x="threshold", y="mean cost", highlight=own), "cost by threshold"))


def add_rest(report, record, lead):
    """The sections that end every report: learning curves, files, data and settings."""
    table, training = record["dataset"], record["training"]
    with report.section("Learning curves", "The weights of the marked epoch were kept."):
        metric = ("accuracy", "Accuracy") if table["classes"] else ("mae", "Mean absolute error / deviation")
        options = {"metric": metric[0], "title": metric[1]}
        curves = charts.learning_curves(training["history"], best=training["best_epoch"] - 1, **options)
        report.figures((curves, f"loss and {metric[1].lower()} by epoch"))
    with report.section("Exported files", "Each takes the raw columns by their names; loaded again, tested."):
        report.table(*files(record, lead))
    tests = ", ".join(f"{count:,} of {part}" for part, count in table["tests"].items())
    split = f"{table['development']:,} rows to develop on, {tests}: {table['split']}"
    about = [*report_ends.source(table | {"split": split}), *report_ends.notes(table)]
    settings = {key: value for key, value in record["settings"].items() if value not in (None, [], {})}
    report_ends.provenance(report, record | {"settings": settings}, about)


def scores(rows, figures):
    """(head, rows) of scores; a model that does not have a figure has a dash."""
    cells = [(row["name"], *(f"{row[key]:.4f}" if key in row else "–" for key, _ in figures)) for row in rows]
    return ("model", *(label for _, label in figures)), cells


def folds(record, figures):
    """(head, rows) of the means and deviations over the folds."""
    cells = []
    for name, rows in _by_name(record).items():
        values = {key: np.array([row[key] for row in rows]) for key, _ in figures if key in rows[0]}
        shown = [f"{values[k].mean():.4f} ± {values[k].std(ddof=1):.4f}" if k in values else "–" for k, _ in figures]
        cells.append((name, *shown))
    return ("model", *(label for _, label in figures)), cells


def verdict(record, lead):
    """Who wins on the folds, by how much, and whether that is more than the folds differ.

    Args:
        lead: (key in a row of scores, name) of the figure that decides.
    """
    key, label = lead
    if not record["folds"]:
        rows = next(iter(record["scores"].values()))
        best = max((row for row in rows if key in row), key=lambda row: row[key])
        second = max((row for row in rows if key in row and row is not best), key=lambda row: row[key])
        gap = f"{best[key] - second[key]:.4f}"
        if float(gap) == 0:
            return f"{best['name']} and {second['name']} are level on the test rows by {label}."
        return (
            f"{best['name']} comes first on the test rows, {gap} {label} before {second['name']}; without folds there "
            "is no telling whether by chance."
        )
    names = _by_name(record)
    means = {name: np.mean([fold[key] for fold in folds]) for name, folds in names.items()}
    own = record["model"]["name"]
    rival = max((name for name in means if name != own), key=means.get)
    differences = np.array([a[key] - b[key] for a, b in zip(names[own], names[rival])])
    error = differences.std(ddof=1) / len(differences) ** 0.5
    gap = f"{abs(differences.mean()):.4f} {label} (standard error {error:.4f})"
    if abs(differences.mean()) <= 2 * error:
        return f"{own} and {rival} cannot be told apart: {gap}."
    return f"{own} beats {rival} by {gap}." if differences.mean() > 0 else f"{rival} beats {own} by {gap}."


def decision(record):
    """What the chosen threshold finds and what it costs in false alarms."""
    (right, alarms), (misses, found) = record["threshold"]["confusion"]
    return (
        f"At the threshold {record['threshold']['value']:.3f}, chosen on validation rows, {found} of {found + misses} "
        f"are found and {alarms} of {alarms + right} others raise a false alarm."
    )


def confusion(record):
    """(counts, names) for a picture: the class looked for last."""
    table = record["dataset"]
    other = next(name for name in table["classes"] if name != table["positive"])
    return np.array(record["threshold"]["confusion"]), [other, table["positive"]]


def files(record, lead):
    """(head, rows) of the exported files."""
    key, label = lead
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row[key]:.4f}",
            f"{row['difference']:.1e}",
            text.size(row["bytes"]),
        )
        for row in record["exports"]
    ]
    return ("file", label, "largest difference", "size"), rows


def best_other(rows, key):
    """The row of scores of the best model but the network, which comes first."""
    return max((row for row in rows[1:] if key in row), key=lambda row: row[key])


def _by_name(record):
    """{name: [its rows of the folds]}, in the order in which they came."""
    names = {}
    for row in record["folds"]:
        names.setdefault(row["name"], []).append(row)
    return names
