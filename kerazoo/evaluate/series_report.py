"""The report of a run that classifies series: as a page with pictures, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, class_tables, report_ends, series_charts, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, the files, their parity."""
    test = record["test"]
    scores = [(name, f"{score:.2%}", note) for name, score, note, _ in _scores(record)]
    lines = [f"Accuracy on the {test['count']:,} test series of {record['dataset']['name']}:"]
    lines += text.columns(("", "accuracy", ""), scores)
    lines += [_verdict(record)]
    lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on the same series:"]
    lines += text.columns(*class_tables.files(record["exports"], "one series"))
    lines += ["", text.speed(record["training"], "series"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, evaluation, data):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        evaluation: the `Evaluation` of the test series.
        data: the `SeriesData`.
    """
    dataset, test, training = record["dataset"], record["test"], record["training"]
    networks = record["model"]["ensemble"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"{len(dataset['classes'])} classes of series, {dataset['length']} steps of {dataset['channels']} channels. "
        f"{training['epochs_run']} epochs{f' of each of {networks} networks' if networks > 1 else ''} in "
        f"{training['minutes']:.1f} minutes, judged once on {test['count']:,} test series.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every split is limited to {dataset['limited']} series. No score counts.")
    scores = _scores(record)
    with report.section(
        "The score beside what it has to beat", f"On the same test series, published ones too. {_verdict(record)}"
    ):
        own = {name for name, _, _, strong in scores if strong}
        bars = [(name, score) for name, score, _, _ in scores]
        report.figures((charts.bars(bars, highlight=own, limit=1.14), "accuracies as bars"))
        report.table(
            ("classifier", "accuracy", ""),
            [(name, f"{score:.2%}", note) for name, score, note, _ in scores],
            strong=[i for i, row in enumerate(scores) if row[3]],
        )
    lead = "Training series, evenly spaced, not chosen"
    lead += "; their class's mean in grey." if dataset["channels"] == 1 else "; a colour for each channel."
    with report.section("What the classes look like", lead):
        report.figures((series_charts.examples(data), "training series of every class"))
    with report.section("Learning curves", f"{_kept(record)} The test series played no part."):
        picture = charts.learning_curves(training["history"], best=training["best_epoch"] - 1)
        report.figures((picture, "loss and accuracy by epoch"))
    with report.section(
        "Where it errs", "Rows are the true classes. A well calibrated network is right as often as it is confident."
    ):
        report.figures(
            (charts.confusion_matrix(evaluation.confusion, dataset["classes"]), "confusion matrix"),
            (
                charts.reliability_diagram(evaluation.reliability, evaluation.calibration_error),
                "accuracy by confidence",
            ),
        )
        report.table(("class", "precision", "recall", "F1", "test series"), class_tables.classes(test))
    lead = f"{len(evaluation.mistakes):,} of {evaluation.count:,} answers are wrong."
    if len(evaluation.mistakes) and dataset["channels"] == 1:
        lead += " In green the mean training series of the true class, in red that of the answer."
    with report.section("The most confident mistakes", lead):
        if len(evaluation.mistakes):
            report.figures((series_charts.mistakes(data, evaluation), "test series with wrong answers"))
    lead = "Each takes raw values; it was loaded again and answered all test series. The difference is of logits."
    with report.section("Exported files", lead):
        report.table(*class_tables.files(record["exports"], "one series"))
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{text.export_folder(record)}")\n'
            f"logits = model(series)  # (N, {dataset['length']}, {dataset['channels']}), raw values"
        )
    dataset = record["dataset"]
    about = [*report_ends.source(dataset), ("series", report_ends.parts(dataset)), *report_ends.notes(dataset)]
    report_ends.provenance(report, record, about)
    return report


def _cards(record):
    test = record["test"]
    low, high = test["accuracy_95"]
    best = max(record["baselines"], key=lambda row: row["accuracy"])
    cards = [
        (f"{test['accuracy']:.1%}", "test accuracy", f"95% interval {low:.1%} to {high:.1%}"),
        (f"{best['accuracy']:.1%}", "best baseline", best["name"]),
    ]
    if record["published"]:
        cards.append((f"{record['published'][0]['score']:.1%}", "published", record["published"][0]["of"]))
    cards.append((f"{test['calibration_error']:.1%}", "calibration error", "confidence against accuracy"))
    return cards


def _scores(record):
    """[(name, accuracy, note, whether it is this run's)], best first."""
    test = record["test"]
    low, high = test["accuracy_95"]
    note = f"this run; 95% interval {low:.1%} to {high:.1%}"
    networks = record["model"]["ensemble"]
    own = f"{record['model']['name']}, {networks} networks" if networks > 1 else record["model"]["name"]
    rows = [(own, test["accuracy"], note, True)]
    rows += [
        (row["name"], row["accuracy"], f"baseline, {row['fitted_on']:,} training series", False)
        for row in record["baselines"]
    ]
    rows += [(row["of"], row["score"], "published", False) for row in record["published"]]
    return sorted(rows, key=lambda row: -row[1])


def _verdict(record):
    """Whether the network beats the baselines, in a sentence."""
    return verdict(record["test"]["accuracy"], {row["name"]: row["accuracy"] for row in record["baselines"]})


def _kept(record):
    training = record["training"]
    by = "validation" if training["validated"] else "training"
    kept = f"The weights of the epoch with the lowest {by} loss were kept."
    if record["model"]["ensemble"] > 1:
        alone = ", ".join(f"{score:.2%}" for score in record["test"]["of_each_network"])
        kept += f" The first network is shown; by themselves the networks reach {alone} on the test series."
    return kept
