"""The report of a run that trains a tagger of entities: as a page, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.entities import entities
from kerazoo.evaluate.report import Report


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, a text with its entities, the files."""
    test = record["test"]
    lines = [f"F1 of whole entities, {test['entities']:,} of them in {record['dataset']['test']:,} test texts:"]
    lines += text.columns(("", "F1", "surface F1", ""), [row[:4] for row in _scores(record)])
    lines += [_verdict(record), "", _plain(record["samples"][0])]
    lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on {_judged(record)}:"]
    lines += text.columns(*_files(record))
    lines += ["", text.speed(record["training"], "words")]
    lines += [f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record):
    """The report as a `Report`, ready to be written."""
    dataset, training, test = record["dataset"], record["training"], record["test"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"Trained on {dataset['train']:,} texts, {training['epochs_run']} epochs in {training['minutes']:.1f} minutes, "
        f"judged once on {dataset['test']:,}.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every part is limited to {dataset['limited']:,} texts. No score counts.")
    rows = _scores(record)
    lead = f"An entity is found where its place and its kind are right. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        own = {row[0] for row in rows if row[4]}
        report.figures((charts.bars([(r[0], r[5]) for r in rows], highlight=own), "F1 as bars"))
        strong = [place for place, row in enumerate(rows) if row[4]]
        report.table(("tagger", "F1", "surface F1", ""), [row[:4] for row in rows], strong=strong)
    with report.section("Learning curves", "The weights of the marked epoch were kept; the test was not looked at."):
        picture = charts.learning_curves(
            training["history"], best=training["best_epoch"] - 1, metric="f1", title="F1 of entities"
        )
        report.figures((picture, "loss and F1 by epoch"))
    with report.section("Kind by kind", "Of the test part."):
        head = ("kind", "F1", "precision", "recall", "entities")
        report.table(
            head,
            [
                (kind, *(f"{row[name]:.1%}" for name in ("f1", "precision", "recall")), f"{row['entities']:,}")
                for kind, row in sorted(test["by_kind"].items(), key=lambda pair: -pair[1]["entities"])
            ],
        )
    lead = "Blue is right; red is found and wrong, or missed. Drawn by the run's seed among texts with entities."
    with report.section("Texts", lead):
        report.marked([_marked(sample) for sample in record["samples"]])
    with report.section("Most mistakes", "The texts with most entities wrong or missed."):
        report.marked([_marked(sample) for sample in record["worst"]])
    lead = f"Each was loaded again and judged on {_judged(record)}. The "
    with report.section("Exported files", f"{lead}SavedModel's `raw` takes texts; every file takes ids."):
        report.table(*_files(record))
        folder = text.export_folder(record)
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            f'model.raw(["{" ".join(record["samples"][0]["words"][:8])}"])  # {{"words": ..., "tags": ...}}'
        )
    report_ends.speed(report, training, "words")
    about = [*report_ends.source(dataset), ("texts", report_ends.parts(dataset)), *report_ends.notes(dataset)]
    report_ends.provenance(report, record, about)
    return report


def tagged_page(rows, title):
    """A page of texts with their entities, for `--predict`: rows of {"words", "tags"}."""
    report = Report(title, f"{len(rows):,} texts")
    with report.section("Entities"):
        report.marked(
            [(_words(row["words"], [(e, 1.0, "") for e in entities(row["tags"])]), "", "", True) for row in rows]
        )
    return report


def _cards(record):
    test, best = record["test"], _best_baseline(record)
    cards = [
        (f"{test['f1']:.1%}", "F1 of entities", f"{test['precision']:.1%} precision, {test['recall']:.1%} recall"),
        (f"{test['surface_f1']:.1%}", "surface F1", "every form of an entity once"),
        (f"{best['f1']:.1%}", "best baseline", best["name"]),
    ]
    return cards + [(f"{row['f1']:.1%}", "published", row["of"]) for row in record["dataset"]["published"][:1]]


def _scores(record):
    """[(name, F1, surface F1, note, whether it is this run's, F1 as a number)], best first."""
    rows = [(record["model"]["name"], record["test"], "this run", True)]
    rows += [(row["name"], row, "baseline", False) for row in record["baselines"]]
    rows += [(row["of"], row, "published", False) for row in record["dataset"]["published"]]
    rows = sorted(rows, key=lambda row: -row[1]["f1"])
    return [
        (name, f"{row['f1']:.1%}", f"{row['surface_f1']:.1%}" if "surface_f1" in row else "n/a", note, own, row["f1"])
        for name, row, note, own in rows
    ]


def _best_baseline(record):
    return max(record["baselines"], key=lambda row: row["f1"])


def _verdict(record):
    return verdict(record["test"]["f1"], {row["name"]: row["f1"] for row in record["baselines"]})


def _judged(record):
    return f"{record['exports'][0]['count']:,} test texts"


def _files(record):
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row['f1']:.1%}",
            f"{row['same_tags']:.2%}",
            text.size(row["bytes"]),
            "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
        )
        for row in record["exports"]
    ]
    return ("file", "F1", "tags as Keras", "size", "one text"), rows


def _marked(sample):
    """A passage for `Report.marked`."""
    found, there = set(entities(sample["answers"])), set(entities(sample["tags"]))
    colours = [(entity, 1.0, "") for entity in found & there]
    colours += [(entity, -1.0, "?") for entity in found - there]
    colours += [(entity, -0.4, " missed") for entity in there - found]
    right = len(found & there)
    verdict = f"{right} of {len(there)} found" + (f", {len(found - there)} wrong" if found - there else "")
    return _words(sample["words"], colours), "", verdict, found == there


def _words(words, colours):
    """[(word, weight)], with the kind after an entity's last word."""
    weights, kinds = [0.0] * len(words), [""] * len(words)
    for (first, last, kind), weight, more in colours:
        for place in range(first, last):
            weights[place] = weights[place] or weight
        kinds[last - 1] += f" [{kind}{more}]"
    return [(f"{word}{kind}", weight) for word, kind, weight in zip(words, kinds, weights)]


def _plain(sample):
    return " ".join(word for word, _ in _tagged(sample["words"], sample["answers"]))


def _tagged(words, tags):
    return _words(words, [(entity, 1.0, "") for entity in entities(tags)])
