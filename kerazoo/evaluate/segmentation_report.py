"""The report of a segmentation run: as a page with pictures, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, report_ends, segmentation_charts, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report

SHOWN = 6  # Strips of a section.


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, the files, their parity."""
    test = record["test"]
    lines = [f"Mean IoU on the {test['count']:,} test images of {record['dataset']['name']}:"]
    lines += text.columns(("", "mean IoU", ""), [(n, f"{s:.2%}", note) for n, s, note, _ in _scores(record)])
    lines += [_verdict(record, record["test"]["mean_iou"], "mean_iou", unit="points of mean IoU")]
    if record["rand"]:
        lines += ["", _rand_said(record)]
    if record["exports"]:
        files = [
            (text.FORMS.get(e["form"], e["form"]), f"{e['mean_iou']:.2%}", text.size(e["bytes"]), *_parity(e))
            for e in record["exports"]
        ]
        lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on the same images:"]
        lines += text.columns(("file", "mean IoU", "size", "largest difference", "same pixels"), files)
    training = record["training"]
    lines += ["", text.speed(training, "images"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, evaluation, images, answers):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        evaluation: the `Evaluation` of the test split.
        images: the test split, a `kerazoo.data.masks.Masked`.
        answers: (N, H, W), the model's classes.
    """
    dataset, training = record["dataset"], record["training"]
    classes = dataset["classes"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"Semantic segmentation, {len(classes)} classes. {training['epochs_run']} epochs in "
        f"{training['minutes']:.1f} minutes, judged once on {record['test']['count']:,} test images.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(
            f"A first look: every split is limited to {dataset['limited']} images. No score of this run counts."
        )
    _compared(report, record)
    if record["rand"]:
        _objects(report, record)
    lead = "Of whole validation images; the marked epoch's weights were kept; the test split played no part."
    with report.section("Learning curves", lead):
        curves = charts.learning_curves(
            training["history"], best=training["best_epoch"] - 1, metric="mean_iou", title="Mean IoU"
        )
        report.figures((curves, "loss and mean IoU by epoch"))
    _by_class(report, record, evaluation)
    _strips(report, evaluation, images, answers, classes)
    _files(report, record)
    report_ends.speed(report, training, "images")
    dataset = record["dataset"]
    report_ends.provenance(report, record, [*report_ends.source(dataset), ("images", report_ends.parts(dataset))])
    report_ends.unreadable(report, dataset)
    return report


def _cards(record):
    test = record["test"]
    best = max(record["baselines"], key=lambda row: row["mean_iou"])
    cards = [
        (f"{test['mean_iou']:.1%}", "test mean IoU", f"{len(record['dataset']['classes'])} classes, void left out"),
        (f"{best['mean_iou']:.1%}", "best baseline", best["name"]),
        (f"{test['pixel_accuracy']:.1%}", "pixel accuracy", "share of right pixels"),
        (f"{test['mean_dice']:.1%}", "mean Dice", "overlap over the mean size"),
    ]
    if record["rand"]:
        cards.append((f"{record['rand']['score']:.4f}", "Rand score", "foreground-restricted, after thinning"))
    return cards


def _scores(record):
    """[(name, mean IoU, note, whether it is this run's)], best first."""
    test = record["test"]
    rows = [
        (record["model"]["name"], test["mean_iou"], f"this run; {test['pixel_accuracy']:.1%} of pixels right", True)
    ]
    for row in record["baselines"]:
        note = f"baseline, fitted on {row['fitted_on']:,} pixels; {row['pixel_accuracy']:.1%} of pixels right"
        rows.append((row["name"], row["mean_iou"], note, False))
    rows += [(row["of"], row["score"], "published", False) for row in _published(record, "mean_iou")]
    return sorted(rows, key=lambda row: -row[1])


def _published(record, metric):
    return [row for row in record["published"] if row["metric"] == metric]


def _compared(report, record):
    scores = _scores(record)
    lead = (
        "Mean intersection over union of the classes, of all test pixels that are not void. "
        f"{_verdict(record, record['test']['mean_iou'], 'mean_iou', unit='points of mean IoU')}"
    )
    with report.section("The score beside what it has to beat", lead):
        own = {name for name, _, _, strong in scores if strong}
        report.figures((charts.bars([(n, s) for n, s, _, _ in scores], highlight=own, limit=1.14), "mean IoU as bars"))
        report.table(
            ("segmenter", "mean IoU", ""),
            [(name, f"{score:.2%}", note) for name, score, note, _ in scores],
            strong=[i for i, row in enumerate(scores) if row[3]],
        )


def _verdict(record, own, key, **how):
    return verdict(own, {row["name"]: row[key] for row in record["baselines"]}, **how)


def _rand_said(record):
    rand = record["rand"]
    return (
        f"Rand score, foreground-restricted, after thinning: {rand['score']:.4f} at the threshold {rand['threshold']} "
        f"that is best on validation; at most {rand['largest']:.4f} over thresholds, as the challenge takes it. "
        f"{_verdict(record, rand['score'], 'rand_score', unit='of Rand score', scale=1, digits=4)}"
    )


def _objects(report, record):
    rand = record["rand"]
    with report.section(f"The objects that “{record['dataset']['border']}” divides", _rand_said(record)):
        rows = [(record["model"]["name"], f"{rand['score']:.4f}", "this run")]
        rows += [(row["name"], f"{row['rand_score']:.4f}", "baseline") for row in record["baselines"]]
        rows += [(row["of"], f"{row['score']:.4f}", "published") for row in _published(record, "rand_score")]
        report.table(("segmenter", "Rand score", ""), rows, strong=[0])


def _by_class(report, record, evaluation):
    classes, test = record["dataset"]["classes"], record["test"]
    keys = ("iou", "dice", "recall", "precision")
    outlines = evaluation.hausdorff95 is not None
    head = (
        "class",
        "IoU",
        "Dice",
        "recall",
        "precision",
        *(["outlines apart, 95%"] if outlines else []),
        "test pixels",
    )
    rows = [
        (
            name,
            *("n/a" if row[key] is None else f"{row[key]:.1%}" for key in keys),
            *([f"{row['hausdorff95']:.1f} px" if row["hausdorff95"] is not None else "n/a"] if outlines else []),
            f"{row['pixels']:,}",
        )
        for name, row in test["per_class"].items()
    ]
    mean = ("mean", f"{test['mean_iou']:.1%}", f"{test['mean_dice']:.1%}", f"{test['mean_accuracy']:.1%}", "")
    with report.section("Class by class"):
        report.table(head, [*rows, (*mean, *([""] if outlines else []), "")], strong=[len(rows)])
    share = evaluation.confusion / np.maximum(evaluation.confusion.sum(axis=1, keepdims=True), 1)
    with report.section(
        "Where it errs", "Rows are the true classes; of their pixels, so many in a hundred are answered so."
    ):
        percent = np.round(100 * share).astype(int)
        report.figures((charts.confusion_matrix(percent, classes), "confusion matrix in percent"))


def _strips(report, evaluation, images, answers, classes):
    colours = segmentation_charts.palette(len(classes))

    def strips(positions):
        return [
            (
                segmentation_charts.strip(images.pixels[i], images.masks[i], answers[i], colours),
                f"{images.names[i]}: mean IoU of this image {evaluation.image_iou[i]:.1%}",
            )
            for i in positions
        ]

    lead = "The photograph, the truth, the answer, and wrong pixels in red; void is uncoloured, or dark."
    spread = np.unique(np.linspace(0, evaluation.count - 1, SHOWN).astype(int))
    with report.section("Sample answers", f"Evenly spaced in the test split, not chosen. {lead}"):
        report.figures((segmentation_charts.legend(classes, colours), "colours of the classes"))
        report.strips(strips(spread))
    if evaluation.count > SHOWN:
        with report.section("The worst answers", f"The images of the lowest overlap. {lead}"):
            report.strips(strips(evaluation.worst[:SHOWN]))


def _files(report, record):
    lead = (
        "Each file was loaded again and answered the whole test split. The difference is from the Keras model's logits."
    )
    with report.section("Exported files", lead):
        report.table(
            ("file", "mean IoU", "largest difference", "same pixels", "size", "one image"),
            [
                (
                    text.FORMS.get(row["form"], row["form"]),
                    f"{row['mean_iou']:.2%}",
                    *_parity(row),
                    text.size(row["bytes"]),
                    "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.1f} ms",
                )
                for row in record["exports"]
            ],
        )
        height, width = record["dataset"]["size"]
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{text.export_folder(record)}")\n'
            f"logits = model(images)  # RGB pixels in [0, 255], (N, {height}, {width}, 3)\n"
            "classes = logits.argmax(axis=-1)"
        )


def _parity(row):
    return f"{row['max_relative_difference']:.1e}", f"{row['same_answers']:.3%}"
