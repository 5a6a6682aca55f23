"""The report of a face recognition run: as a page with pictures, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, face_charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report
from kerazoo.evaluate.verification import roc

SHOWN = 12  # Pairs on a contact sheet.


def summary(record):
    """The rates beside those to beat, the files, their parity."""
    test = record["test"]
    head = ("", "EER", "TAR at FAR 1%", "rank-1")
    lines = [
        f"{test['people']} people of {record['dataset']['name']} that no network has seen: "
        f"{test['pairs']['same']:,} pairs of one person, {test['pairs']['different']:,} of two."
    ]
    lines += [*text.columns(head, [_row(row) for row in record["results"]]), _verdict(record)]
    if test["folds"]:
        folds = test["folds"]
        lines.append(f"  accuracy by folds {folds['accuracy']:.2%} +- {folds['standard_error']:.2%}")
    lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on the same pairs:"]
    files = [
        (text.FORMS.get(e["form"], e["form"]), f"{e['eer']:.2%}", text.size(e["bytes"]), f"{e['difference']:.1e}")
        for e in record["exports"]
    ]
    lines += text.columns(("file", "EER", "size", "largest difference"), files)
    lines += ["", text.speed(record["training"], "images"), f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record, *, faces, pairs, scores, embeddings):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        faces: `kerazoo.data.faces.Faces` of the test people.
        pairs: `(first, second, same)` of those faces.
        scores: {name: (P,) cosines of the pairs}, the network's first.
        embeddings: (N, D), the network's.
    """
    dataset, test, training = record["dataset"], record["test"], record["training"]
    name, same = next(iter(scores)), pairs[2]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"Face verification and identification. Trained on {dataset['train']['people']} people for "
        f"{training['minutes']:.1f} minutes, judged once on {test['people']} others.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: at most {dataset['limited']} pictures of each person. No score of this run counts.")
    lead = f"The same pairs of people whom nobody was trained on. {_verdict(record)}"
    with report.section("Beside what it has to beat", lead):
        rows = [(row["name"], row["eer"]) for row in record["results"]]
        report.figures((charts.bars(rows, highlight=[rows[0][0]], unit="{:.1%}"), "equal error rates as bars"))
        report.table(("", "EER", "TAR at FAR 1%", "rank-1"), [_row(row) for row in record["results"]], strong=[0])
    with report.section(
        "Verification and identification",
        "First, what share of true pairs is accepted if so many strangers are. Then, how often the right person is "
        "among the first few, where one picture of each is enrolled; each picture in turn.",
    ):
        curves = {other: roc(values, same)[:2] for other, values in scores.items()}
        match = {row["name"]: row["cmc"] for row in record["results"]}
        report.figures(
            (face_charts.trade_off(curves, highlight=[name]), "share of true pairs accepted by share of strangers"),
            (charts.lines(match, x="rank", y="share found", highlight=[name]), "cumulative match characteristic"),
        )
    last = list(scores)[-1]
    with report.section("Scores of both kinds of pairs", "The threshold is the validation people's."):
        shown = {other: (scores[other], same) for other in (name, last)}
        thresholds = {name: record["threshold"]["score"]}
        report.figures((face_charts.score_histograms(shown, threshold=thresholds), "histograms of scores"))
        report.table(("at the threshold", "share"), _decisions(record))
    with report.section("People it has never seen", "Each dot is a picture, put near those it is like (t-SNE)."):
        report.figures((face_charts.embedding_map(embeddings, faces.labels, faces.people), "map of embeddings"))
    _hardest(report, faces, pairs, scores[name], record["threshold"]["score"])
    with report.section("Training", "On the validation people, after each epoch; the best one's weights were kept."):
        history = training["history"]
        report.figures(
            (charts.lines({"loss": [epoch["loss"] for epoch in history]}, x="epoch", y="loss"), "loss by epoch"),
            (
                charts.lines(
                    {"how far apart": [epoch["val_decidability"] for epoch in history]}, x="epoch", y="decidability"
                ),
                "decidability by epoch",
            ),
        )
    _files(report, record)
    report_ends.provenance(report, record, _about(record))
    report_ends.unreadable(report, record["dataset"])
    return report


def _verdict(record):
    own, *others = record["results"]
    return verdict(own["eer"], {row["name"]: row["eer"] for row in others}, unit="points of EER", lower=True)


def _cards(record):
    own, rest = record["results"][0], record["results"][1:]
    best = min(rest, key=lambda row: row["eer"])
    cards = [
        (f"{own['eer']:.1%}", "equal error rate", f"{record['test']['pairs']['same']:,} pairs of one person"),
        (f"{best['eer']:.1%}", "best baseline", best["name"]),
        (f"{own['cmc'][0]:.1%}", "rank-1", f"among {record['test']['people']} people, one picture of each"),
    ]
    if record["test"]["folds"]:
        folds = record["test"]["folds"]
        cards.append((f"{folds['accuracy']:.1%}", "accuracy by folds", f"+- {folds['standard_error']:.1%}"))
    small = next((row for row in record["exports"] if row["form"] == "tflite_int8"), None)
    if small:
        cards.append((f"{small['eer']:.1%}", f"as int8, {text.size(small['bytes'])}", "equal error rate"))
    return cards


def _row(result):
    tar = result["tar_at_far"].get("0.01")
    return (result["name"], f"{result['eer']:.2%}", "n/a" if tar is None else f"{tar:.1%}", f"{result['cmc'][0]:.1%}")


def _decisions(record):
    taken, found = record["threshold"]["test"], record["gallery"]
    rows = [
        ("pairs of one person accepted", f"{taken['tar']:.2%}"),
        ("pairs of two people accepted", f"{taken['far']:.2%}"),
    ]
    if found:
        rows += [
            (f"gallery of {found['enrolled']}: their other pictures named rightly", f"{found['named_rightly']:.1%}"),
            ("their other pictures named wrongly", f"{found['named_wrongly']:.1%}"),
            (f"pictures of {found['strangers']} strangers given a name", f"{found['strangers_named']:.1%}"),
        ]
    return rows


def _hardest(report, faces, pairs, scores, threshold):
    first, second, same = pairs

    def entries(order):
        return [
            (
                face_charts.pair_picture(faces.pixels[first[i]], faces.pixels[second[i]]),
                f"{faces.files[first[i]]}, {faces.files[second[i]]}",
                f"{scores[i]:.2f}, {'taken for one' if scores[i] >= threshold else 'told apart'}",
                (scores[i] >= threshold) == same[i],
            )
            for i in order[:SHOWN]
        ]

    for heading, kind, order in (
        ("One person, least alike", same, np.argsort(scores)),
        ("Two people, most alike", ~same, np.argsort(-scores)),
    ):
        with report.section(heading, "Their cosine, and what the threshold makes of it."):
            report.sheet(entries(order[kind[order]]))


def _files(report, record):
    lead = "Each file was loaded again and embedded all test faces. The difference is from the Keras model's answers."
    with report.section("Exported files", lead):
        report.table(
            ("file", "EER", "largest difference", "size", "one image"),
            [
                (
                    text.FORMS.get(row["form"], row["form"]),
                    f"{row['eer']:.2%}",
                    f"{row['difference']:.1e}",
                    text.size(row["bytes"]),
                    "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
                )
                for row in record["exports"]
            ],
        )
        report.code(
            f"import kerazoo\nfrom kerazoo.faces.gallery import Gallery\n\n"
            f'embed = kerazoo.load("{text.export_folder(record)}")\n'
            f"gallery = Gallery(threshold={record['threshold']['unknown']:.3f})\n"
            'gallery.enroll("anna", embed(images))  # RGB pixels in [0, 255], (N, '
            + ", ".join(map(str, record["model"]["input_size"]))
            + ", 3)\ngallery.identify(embed(others))"
        )


def _about(record):
    """The rows of the data: who is in which part."""
    dataset = record["dataset"]
    people = [
        (f"{part} people", f"{facts['people']}, {facts['images']:,} pictures: {facts['names']}")
        for part, facts in ((part, dataset[part]) for part in ("train", "validation", "test"))
    ]
    seconds = ("seconds of training", f"{60 * record['training']['minutes']:.0f}")
    return [*report_ends.source(dataset), *people, seconds]
