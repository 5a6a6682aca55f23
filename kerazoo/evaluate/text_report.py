"""The report of a run that classifies texts: as a page, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, class_tables, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report

METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1"}
SHOWN = 12  # Texts of each kind.


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, the files, their parity."""
    label = METRICS[record["dataset"]["metric"]]
    lines = [f"{label.capitalize()} on the {record['test']['count']:,} test texts of {record['dataset']['name']}:"]
    lines += text.columns(("", label, ""), [(name, f"{score:.2%}", note) for name, score, note, _ in _scores(record)])
    lines += [_verdict(record), "", f"Exported to {record['exports'][0]['folder']}, measured again on the same texts:"]
    lines += text.columns(*_files(record))
    lines += ["", text.speed(record["training"], "texts"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, evaluation, explained):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        evaluation: the `Evaluation` of the test texts.
        explained: {"sample" | "mistakes": [(words, position)]}: [(word, effect)] of some test texts.
    """
    dataset, test, training = record["dataset"], record["test"], record["training"]
    names, label = dataset["classes"], METRICS[dataset["metric"]]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"{len(names)} classes of texts. {training['epochs_run']} epochs in {training['minutes']:.1f} minutes, judged "
        f"once on {test['count']:,} test texts.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every split is limited to {dataset['limited']} texts. No score counts.")
    scores = _scores(record)
    lead = f"On the same test texts, published ones too. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        own = {name for name, _, _, strong in scores if strong}
        bars = [(name, score) for name, score, _, _ in scores]
        report.figures((charts.bars(bars, highlight=own, limit=1.14), f"{label} as bars"))
        report.table(
            ("classifier", label, ""),
            [(name, f"{score:.2%}", note) for name, score, note, _ in scores],
            strong=[i for i, row in enumerate(scores) if row[3]],
        )
    with report.section("Learning curves", "The weights of the marked epoch were kept; the test texts played no part."):
        picture = charts.learning_curves(training["history"], best=training["best_epoch"] - 1)
        report.figures((picture, "loss and accuracy by epoch"))
    with report.section(
        "Where it errs", "Rows are the true classes. A well calibrated network is right as often as it is confident."
    ):
        report.figures(
            (charts.confusion_matrix(evaluation.confusion, names), "confusion matrix"),
            (
                charts.reliability_diagram(evaluation.reliability, evaluation.calibration_error),
                "accuracy by confidence",
            ),
        )
        report.table(("class", "precision", "recall", "F1", "test texts"), class_tables.classes(test))
    colours = "Blue words made it surer of its answer, red ones less sure: each was hidden by itself."
    with report.section("Sample answers", f"Evenly spaced in the test split, not chosen. {colours}"):
        report.marked([_passage(words, evaluation, place, names) for words, place in explained["sample"]])
    lead = f"{len(evaluation.mistakes):,} of {evaluation.count:,} answers are wrong. {colours}"
    with report.section("The most confident mistakes", lead):
        report.marked([_passage(words, evaluation, place, names) for words, place in explained["mistakes"]])
    lead = "Each was loaded again and answered all test texts. The difference is of logits. The SavedModel's endpoint "
    with report.section(
        "Exported files", f"{lead}`raw` takes texts; every file takes ids, as tokenizer.json gives them."
    ):
        report.table(*_files(record))
        folder = text.export_folder(record)
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            'model.raw(["What a film!"])  # {"labels": ..., "scores": ...}, best first'
        )
    report_ends.speed(report, training, "texts")
    words = record["tokenizer"]
    about = [
        *report_ends.source(dataset),
        ("texts", report_ends.parts(dataset)),
        ("words", f"{words['vocabulary']:,} known; {words['unknown_in_test']:.1%} of the test texts' words are not"),
        *report_ends.notes(dataset),
    ]
    report_ends.provenance(report, record, about)
    return report


def _passage(words, evaluation, place, names):
    """(words, caption, verdict, right): effects as shares of the text's strongest."""
    largest = max((abs(effect) for _, effect in words), default=0) or 1.0
    answer, truth = names[evaluation.predicted[place]], names[evaluation.labels[place]]
    right = answer == truth
    shown = [(word, effect / largest) for word, effect in words]
    return shown, f"{answer} ({evaluation.confidence[place]:.0%}):", "right" if right else f"it is {truth}", right


def places(evaluation):
    """{"sample": positions evenly spaced, "mistakes": the most confident wrong ones}."""
    spread = np.unique(np.linspace(0, evaluation.count - 1, SHOWN).astype(int))
    return {"sample": spread, "mistakes": evaluation.mistakes[:SHOWN]}


def _cards(record):
    test, metric = record["test"], record["dataset"]["metric"]
    low, high = test["accuracy_95"]
    best = _best_baseline(record)
    cards = [(f"{test['accuracy']:.1%}", "test accuracy", f"95% interval {low:.1%} to {high:.1%}")]
    if metric != "accuracy":
        cards.insert(0, (f"{test[metric]:.1%}", METRICS[metric], "mean of every class's F1"))
    cards.append((f"{best[metric]:.1%}", "best baseline", best["name"]))
    cards += [(f"{row['score']:.1%}", "published", row["of"]) for row in record["published"][:1]]
    cards.append((f"{test['calibration_error']:.1%}", "calibration error", "confidence against accuracy"))
    return cards


def _scores(record):
    """[(name, score, note, whether it is this run's)], best first."""
    test, metric = record["test"], record["dataset"]["metric"]
    low, high = test["accuracy_95"]
    note = f"this run; 95% interval {low:.1%} to {high:.1%}" if metric == "accuracy" else "this run"
    rows = [(record["model"]["name"], test[metric], note, True)]
    rows += [
        (row["name"], row[metric], f"baseline, {row['fitted_on']:,} training texts", False)
        for row in record["baselines"]
    ]
    rows += [(row["of"], row["score"], "published", False) for row in record["published"]]
    return sorted(rows, key=lambda row: -row[1])


def _best_baseline(record):
    return max(record["baselines"], key=lambda row: row[record["dataset"]["metric"]])


def _verdict(record):
    """Whether the network beats the baselines, in a sentence."""
    metric = record["dataset"]["metric"]
    return verdict(record["test"][metric], {row["name"]: row[metric] for row in record["baselines"]})


def _files(record):
    metric = record["dataset"]["metric"]
    return class_tables.files(record["exports"], "one text", score=metric, label=METRICS[metric])
