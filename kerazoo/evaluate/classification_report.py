"""The report of a classification run: as a page with pictures, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report

SHOWN = 24  # Pictures on a contact sheet.


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, the files, their parity."""
    test = record["test"]
    scores = [(name, f"{score:.2%}", note) for name, score, note, _ in _scores(record)]
    files = [
        (text.FORMS.get(e["form"], e["form"]), f"{e['accuracy']:.2%}", text.size(e["bytes"]), _difference(e), _same(e))
        for e in record["exports"]
    ]
    lines = [f"Accuracy on the {test['count']:,} test images of {record['dataset']['name']}:"]
    lines += [*text.columns(("", "accuracy", ""), scores), _verdict(record)]
    if files:
        lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on the same images:"]
        lines += text.columns(("file", "accuracy", "size", "largest difference", "same answer"), files)
    training = record["training"]
    lines += ["", text.speed(training, "images"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, evaluation, *, pictures, more=None):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        evaluation: the `Evaluation` of the test split.
        pictures: function from positions in the test split to uint8 images, (n, H, W, 3).
        more: function that is given the report when the scores are in it, to add sections of its own.
    """
    dataset, test, training = record["dataset"], record["test"], record["training"]
    classes = dataset["classes"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"Image classification, {len(classes)} classes. {training['epochs_run']} epochs in "
        f"{training['minutes']:.1f} minutes, judged once on {test['count']:,} test images.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(
            f"A first look: every split is limited to {dataset['limited']} images. No score of this run counts."
        )
    scores = _scores(record)
    lead = f"On the same test images, but for published ones. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        own = {name for name, _, _, strong in scores if strong}
        report.figures(
            (charts.bars([(n, s) for n, s, _, _ in scores], highlight=own, limit=1.14), "accuracies as bars")
        )
        report.table(
            ("classifier", "accuracy", ""),
            [(name, f"{score:.2%}", note) for name, score, note, _ in scores],
            strong=[i for i, row in enumerate(scores) if row[3]],
        )
    if more:
        more(report)
    with report.section("Learning curves", "The weights of the marked epoch were kept; the test split played no part."):
        best = training["best_epoch"] - 1
        report.figures((charts.learning_curves(training["history"], best=best), "loss and accuracy by epoch"))
    with report.section(
        "Where it errs", "Rows are the true classes. A well calibrated network is right as often as it is confident."
    ):
        report.figures(
            (charts.confusion_matrix(evaluation.confusion, classes), "confusion matrix"),
            (
                charts.reliability_diagram(evaluation.reliability, evaluation.calibration_error),
                "accuracy by confidence",
            ),
        )
    with report.section("Class by class"):
        report.table(
            ("class", "precision", "recall", "F1", "test images"),
            [
                (name, *(_percent(row[key]) for key in ("precision", "recall", "f1")), f"{row['support']:,}")
                for name, row in test["per_class"].items()
            ],
        )
    _sheets(report, evaluation, classes, pictures)
    _files(report, record)
    report_ends.speed(report, training, "images")
    dataset = record["dataset"]
    report_ends.provenance(report, record, [*report_ends.source(dataset), ("images", report_ends.parts(dataset))])
    report_ends.unreadable(report, dataset)
    return report


def _cards(record):
    test = record["test"]
    low, high = test["accuracy_95"]
    cards = [(f"{test['accuracy']:.1%}", "test accuracy", f"95% interval {low:.1%} to {high:.1%}")]
    if record["baselines"]:
        best = max(record["baselines"], key=lambda row: row["accuracy"])
        cards.append((f"{best['accuracy']:.1%}", "best baseline", best["name"]))
    if test["top5"] is not None and len(record["dataset"]["classes"]) > 10:
        cards.append((f"{test['top5']:.1%}", "among the first five", "top-5 accuracy"))
    cards.append((f"{test['calibration_error']:.1%}", "calibration error", "confidence against accuracy"))
    small = next((row for row in record["exports"] if row["form"] == "tflite_int8"), None)
    if small:
        cards.append(
            (f"{small['accuracy']:.1%}", f"as int8, {text.size(small['bytes'])}", "accuracy of the smallest file")
        )
    return cards


def _scores(record):
    """[(name, accuracy, note, whether it is this run's)], best first."""
    test = record["test"]
    low, high = test["accuracy_95"]
    rows = [(record["model"]["name"], test["accuracy"], f"this run; 95% interval {low:.1%} to {high:.1%}", True)]
    for row in record["baselines"]:
        rows.append((row["name"], row["accuracy"], f"baseline, fitted on {row['fitted_on']:,} images", False))
    if record["published"]:
        rows.append((record["published"]["of"], record["published"]["score"], "published", False))
    return sorted(rows, key=lambda row: -row[1])


def _verdict(record):
    baselines = {row["name"]: row["accuracy"] for row in record["baselines"]}
    return verdict(record["test"]["accuracy"], baselines)


def _sheets(report, evaluation, classes, pictures):
    def entries(positions, show):
        return [
            (
                charts.picture(image),
                f"{classes[evaluation.predicted[position]]} ({evaluation.confidence[position]:.0%})",
                *show(position),
            )
            for position, image in zip(positions, pictures(positions))
        ]

    truth = _truth(evaluation)
    spread = np.unique(np.linspace(0, evaluation.count - 1, SHOWN).astype(int))
    with report.section(
        "Sample answers", "Evenly spaced in the test split, not chosen. The answer and its confidence."
    ):
        report.sheet(
            entries(
                spread,
                lambda i: ("right", True) if i not in truth else (f"wrong: {classes[truth[i]]}", False),
            )
        )
    worst = evaluation.mistakes[:SHOWN]
    lead = f"{len(evaluation.mistakes):,} of {evaluation.count:,} answers are wrong."
    with report.section("The most confident mistakes", lead + (" These it was surest of." if len(worst) else "")):
        if len(worst):
            report.sheet(entries(worst, lambda i: (f"it is {classes[truth[i]]}", False)))


def _truth(evaluation):
    """{position: true class} of the mistakes."""
    return dict(zip(evaluation.mistakes.tolist(), evaluation.labels[evaluation.mistakes].tolist()))


def _files(report, record):
    if not record["exports"]:
        return
    lead = (
        "Each file was loaded again and answered the whole test split. The difference is from the Keras model's logits."
    )
    with report.section("Exported files", lead):
        report.table(
            ("file", "accuracy", "largest difference", "same answer", "size", "one image"),
            [
                (
                    text.FORMS.get(row["form"], row["form"]),
                    f"{row['accuracy']:.2%}",
                    _difference(row),
                    _same(row),
                    text.size(row["bytes"]),
                    "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
                )
                for row in record["exports"]
            ],
        )
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{text.export_folder(record)}")\n'
            "logits = model(images)  # RGB pixels in [0, 255], (N, "
            + ", ".join(map(str, record["model"]["input_size"]))
            + ", 3)"
        )


def _percent(value):
    return "n/a" if value is None else f"{value:.1%}"


def _difference(row):
    return f"{row['max_relative_difference']:.1e}"


def _same(row):
    return f"{row['same_answers']:.2%}"
