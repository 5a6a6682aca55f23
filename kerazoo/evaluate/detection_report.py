"""The report of a detection run: as a page with pictures, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.detection import assign, confusion
from kerazoo.evaluate.detection_charts import drawn_answer, drawn_verdict, precision_recall
from kerazoo.evaluate.report import Report

SHOWN = 9  # Images in a gallery.


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, the files, their parity."""
    test = record["test"]
    rows = [(name, _share(map50), _share(map_), note) for name, map50, map_, note, _ in _scores(record)]
    lines = [f"Mean average precision on the {test['count']:,} test images of {record['dataset']['name']}:"]
    lines += [*text.columns(("", "at overlap .5", ".5 to .95", ""), rows), _verdict(record)]
    classes = [
        (name, _share(row["ap50"]), _share(row["ap"]), f"{row['objects']:,}") for name, row in test["per_class"].items()
    ]
    lines += ["", *text.columns(("class", "at overlap .5", ".5 to .95", "objects"), classes)]
    if record["exports"]:
        files = [
            (text.FORMS.get(e["form"], e["form"]), _share(e["map50"]), text.size(e["bytes"]), _same(e))
            for e in record["exports"]
        ]
        lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on the same images:"]
        lines += text.columns(("file", "at overlap .5", "size", "same boxes"), files)
    training = record["training"]
    lines += ["", text.speed(training, "images"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, evaluation, predictions, test):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        evaluation: the `DetectionEvaluation` of the test split.
        predictions: for each of its images.
        test: its `Annotations`.
    """
    dataset, training = record["dataset"], record["training"]
    classes, scores = dataset["classes"], record["score_threshold"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"Object detection, {len(classes)} classes. {training['epochs_run']} epochs in {training['minutes']:.1f} "
        f"minutes, judged once on {record['test']['count']:,} test images.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(
            f"A first look: every split is limited to {dataset['limited']} images. No score of this run counts."
        )
    _score_sections(report, record)
    with report.section("Learning curves", "The weights of the marked epoch were kept; the test split played no part."):
        best = training["best_epoch"] - 1
        curves = charts.learning_curves(training["history"], best=best, metric="map50", title="mAP at overlap .5")
        report.figures((curves, "loss and mean average precision by epoch"))
    table = confusion(predictions, test, len(classes), scores=scores)
    lead = (
        f"Left: all answers, by falling score. Right: answers of at least {scores:.0%}, the score with the best F1 on "
        "the validation images. Its last column counts objects that were missed, its last row boxes around nothing."
    )
    with report.section("Where it errs", lead):
        report.figures(
            (precision_recall(evaluation.matches, classes), "precision over recall of each class"),
            (charts.confusion_matrix(table, [*classes, "nothing"]), "confusion matrix at an overlap of .5"),
        )
    _galleries(report, predictions, test, classes, scores)
    _files(report, record)
    report_ends.speed(report, training, "images")
    dataset = record["dataset"]
    objects = [(f"objects: {name}", _objects(dataset, i)) for i, name in enumerate(dataset["classes"][:20])]
    about = [*report_ends.source(dataset), ("images", report_ends.parts(dataset)), *objects]
    report_ends.provenance(report, record, about)
    _flaws(report, dataset)
    return report


def _cards(record):
    test = record["test"]
    cards = [
        (_share(test["map50"]), "mAP at an overlap of .5", f"{test['count']:,} test images"),
        (_share(test["map"]), "mAP, overlaps .5 to .95", "as COCO counts it"),
    ]
    for row in record["baselines"]:
        cards.append((_share(row["map50"]), "baseline, overlap .5", row["name"]))
    small = next((row for row in record["exports"] if row["form"] == "tflite"), None)
    if small:
        cards.append((_share(small["map50"]), f"as TFLite, {text.size(small['bytes'])}", "overlap .5, boxes and all"))
    return cards


def _scores(record):
    """[(name, mAP at .5, mAP, note, whether it is this run's)], best first."""
    test = record["test"]
    rows = [(record["model"]["name"], test["map50"], test["map"], "this run", True)]
    for row in record["baselines"]:
        rows.append((row["name"], row["map50"], row["map"], f"baseline, fitted on {row['fitted_on']:,} images", False))
    return sorted(rows, key=lambda row: -row[1])


def _verdict(record):
    baselines = {row["name"]: row["map50"] for row in record["baselines"]}
    return verdict(record["test"]["map50"], baselines, unit="points at overlap .5")


def _score_sections(report, record):
    scores, test = _scores(record), record["test"]
    lead = f"Mean average precision on the same test images. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        own = {name for name, *_, strong in scores if strong}
        bars = charts.bars([(name, map50) for name, map50, *_ in scores], highlight=own, limit=1.14)
        report.figures((bars, "mean average precisions as bars"))
        report.table(
            ("detector", "overlap .5", ".5 to .95", ""),
            [(name, _share(map50), _share(map_), note) for name, map50, map_, note, _ in scores],
            strong=[i for i, row in enumerate(scores) if row[4]],
        )
    lead = (
        "Average precision by COCO's rule (101 recalls), and by Pascal VOC's since 2010 (the area). Precision and "
        f"recall at the score {record['score_threshold']:.0%}, overlap .5."
    )
    with report.section("Class by class", lead):
        rows = []
        for name, row in test["per_class"].items():
            figures = [_share(row[key]) for key in ("ap50", "ap75", "ap", "voc_ap", "precision", "recall")]
            rows.append((name, *figures, f"{row['objects']:,}"))
        head = ("class", "AP .5", "AP .75", "AP .5 to .95", "VOC AP", "precision", "recall", "objects")
        report.table(head, rows)
    if test["coco"]:
        with report.section("COCO's twelve figures", "By pycocotools. Small is below 32x32 pixels, large from 96x96."):
            report.table(
                ("figure", "value"),
                [(name.replace("_", " "), _share(value)) for name, value in test["coco"].items()],
            )


def _galleries(report, predictions, test, classes, scores):
    spread = np.unique(np.linspace(0, len(test) - 1, SHOWN).astype(int)).tolist()
    with report.section(
        "Sample answers", f"Evenly spaced in the test split, not chosen. Boxes of at least {scores:.0%}."
    ):
        report.gallery(
            [
                (charts.photograph(drawn_answer(test.pixels(i), predictions[i], classes, scores=scores)), test.names[i])
                for i in spread
            ]
        )
    verdicts = [assign(found, test, i, scores=scores) for i, found in enumerate(predictions)]
    errors = []
    for i, (pairs, missed, false) in enumerate(verdicts):
        # A found object of another class is both: missed as itself, false as the other.
        other = [(box, o) for box, o in pairs if predictions[i]["classes"][box] != test.classes[i][o]]
        right = [box for box, o in pairs if predictions[i]["classes"][box] == test.classes[i][o]]
        errors.append((right, missed + [o for _, o in other], false + [box for box, _ in other]))
    count = [len(missed) + len(false) for _, missed, false in errors]
    worst = [i for i in np.argsort(-np.array(count), kind="stable")[:SHOWN].tolist() if count[i]]
    lead = (
        f"{sum(len(m) for _, m, _ in errors):,} objects are missed and {sum(len(f) for *_, f in errors):,} boxes are "
        "wrong in the whole split; the images with most of both. Green: right. Red: missed. Orange: around nothing, or "
        "of another class."
    )
    with report.section("The worst misses", lead):
        pictures = []
        for i in worst:
            true = (test.boxes[i], test.classes[i])
            image = drawn_verdict(test.pixels(i), predictions[i], true, classes, errors[i])
            words = f"{test.names[i]}: {len(errors[i][1])} missed, {len(errors[i][2])} wrong"
            pictures.append((charts.photograph(image), words))
        report.gallery(pictures)


def _files(report, record):
    if not record["exports"]:
        return
    lead = (
        "Boxes are decoded and suppressed inside each file. Each was loaded again and answered the whole test split; "
        "the same boxes are those that the Keras model gives too, of one class, with an overlap of at least .99."
    )
    with report.section("Exported files", lead):
        report.table(
            ("file", "mAP at .5", "mAP", "same boxes", "size", "one image"),
            [
                (
                    text.FORMS.get(row["form"], row["form"]),
                    _share(row["map50"]),
                    _share(row["map"]),
                    _same(row),
                    text.size(row["bytes"]),
                    "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.1f} ms",
                )
                for row in record["exports"]
            ],
        )
        report.code(
            f"kerazoo run object_detection --predict photos --from {record['exports'][0]['folder']}\n\n"
            f'import kerazoo\n\ndetector = kerazoo.load("{text.export_folder(record)}")\n'
            f"found = detector(images)  # RGB pixels in [0, 255], (N, {record['model']['input_size'][0]}, "
            f"{record['model']['input_size'][1]}, 3) -> boxes, scores, classes"
        )


def _flaws(report, dataset):
    flaws = [(name, f"left out: {reason}") for name, reason in dataset["unreadable"]]
    flaws += [(name, "an image without a label file, taken to have no objects") for name in dataset["unlabelled"]]
    flaws += [(place, "a box that leaves its image, cut at its edge") for place in dataset["clipped"]]
    flaws += [(place, "a box of no area, left out") for place in dataset["dropped"]]
    if flaws:
        with report.section("What was wrong in the files", f"{len(flaws):,} places."):
            report.table(("place", "what"), flaws[: report_ends.SHOWN])


def _objects(dataset, number):
    return ", ".join(f"{dataset['objects'][part][number]:,} {part}" for part in ("train", "validation", "test"))


def _share(value):
    return "n/a" if value is None else f"{value:.1%}"


def _same(row):
    return f"{row['same_boxes']:.2%}"
