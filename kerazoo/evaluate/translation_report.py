"""The report of a run that trains a model to translate or reply: as a page, and as the lines that end it."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report

# What an answer is called, and what it is to give one.
WORDS = {"translation": ("translation", "translates"), "chatbot": ("reply", "replies to")}


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, some translations, the files."""
    lines = [f"BLEU (sacreBLEU) and chrF on {record['test']['count']:,} test texts:"]
    lines += text.columns(("", "BLEU", "chrF", ""), [row[:4] for row in _scores(record)])
    lines += [_verdict(record), ""]
    for sample in (*record["own"], *record["samples"][:3]):
        lines += [f"  {sample['source']}", f"    {sample['translation']}"]
    lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on {_judged(record)}:"]
    lines += text.columns(*_files(record))
    speed = record["answering"]
    lines += ["", text.speed(record["training"], "tokens")]
    lines += [
        f"It {WORDS[record['task']][1]} {speed['texts_per_second']:,.1f} texts/s, {record['settings']['beams']} beams "
        f"each. The whole run took {record['minutes']:.1f} minutes."
    ]
    return "\n".join(lines)


def page(record, shares):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        shares: [((T, S) shares of attention, words of the target, words of the source)].
    """
    dataset, training, word = record["dataset"], record["training"], WORDS[record["task"]][0]
    report = Report(
        f"{record['model']['name']} from {dataset['from']} to {dataset['to']}",
        f"Trained on {dataset['train']:,} pairs of {dataset['name']}, {training['epochs_run']} epochs in "
        f"{training['minutes']:.1f} minutes, judged once on {record['test']['count']:,}.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every part is limited to {dataset['limited']:,} pairs. No score counts.")
    rows = _scores(record)
    lead = f"Words and their order, as the one reference has them; more is better. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        own = {row[0] for row in rows if row[4]}
        report.figures((charts.bars([(r[0], float(r[1])) for r in rows], unit="{:.1f}", highlight=own), "BLEU as bars"))
        strong = [place for place, row in enumerate(rows) if row[4]]
        report.table(("", "BLEU", "chrF", ""), [row[:4] for row in rows], strong=strong)
        report.code(record["test"]["signature"])
    lead = "Cross-entropy of the next piece. The weights of the marked epoch were kept; the test was not looked at."
    with report.section("Learning curves", lead):
        picture = charts.learning_curves(training["history"], best=training["best_epoch"] - 1)
        report.figures((picture, "loss by epoch"))
    if record["own"]:
        with report.section("Your texts"):
            report.table(("text", word), [(row["source"], row["translation"]) for row in record["own"]])
    lead = "Drawn by the run's seed, not chosen."
    head, columns = ("source", word, "reference"), ("source", "translation", "reference")
    with report.section("Samples", lead):
        report.table(head, [[row[name] for name in columns] for row in record["samples"]])
    if shares:
        lead = (
            f"Each row is a piece of the {word}; the darker a piece of the source, the more the last layer looked "
            "at it when it wrote the row (mean of its heads)."
        )
        with report.section("What it looked at", lead):
            report.figures(*((charts.attention(*each), f"attention of a {word}") for each in shares))
    if record["worst"]:
        with report.section("The worst ones", "Those that have least in common with their reference."):
            report.table(head, [[row[name] for name in columns] for row in record["worst"]])
    with report.section("Short and long texts", "BLEU of texts by how many words their source has."):
        bars = [(f"up to {longest} words ({count:,} texts)", bleu) for longest, bleu, count in record["by_length"]]
        report.figures((charts.bars(bars, unit="{:.1f}"), "BLEU by length"))
    lead = f"Each was loaded again and judged on {_judged(record)}, given what of the reference is there already. The "
    with report.section("Exported files", f"{lead}SavedModel's `raw` takes texts; its BLEU is of the whole test part."):
        report.table(*_files(record))
        folder = text.export_folder(record)
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            f'model.raw([{record["samples"][0]["source"]!r}])  # {{"texts": ...}}'
        )
    report_ends.speed(report, training, "tokens")
    about = [*report_ends.source(dataset), ("pairs", report_ends.parts(dataset)), *report_ends.notes(dataset)]
    report_ends.provenance(report, record, about)
    return report


def _cards(record):
    test, best = record["test"], _best_baseline(record)
    low, high = test["bleu_95"]
    cards = [
        (f"{test['bleu']:.1f}", "BLEU", f"95% interval {low:.1f} to {high:.1f}"),
        (f"{test['chrf']:.1f}", "chrF", f"{test['brevity']:.0%} of the reference's words"),
        (f"{best['bleu']:.1f}", "best baseline", best["name"]),
    ]
    cards += [(f"{row['score']:.1f}", "published", row["of"]) for row in record["dataset"]["published"][:1]]
    return [*cards, (f"{record['answering']['texts_per_second']:,.1f}", "texts a second", "answered")]


def _scores(record):
    """[(name, BLEU, chrF, note, whether it is this run's)], best first."""
    rows = [(record["model"]["name"], record["test"]["bleu"], record["test"]["chrf"], "this run", True)]
    rows += [(row["name"], row["bleu"], row["chrf"], "baseline", False) for row in record["baselines"]]
    rows += [(row["of"], row["score"], None, "published", False) for row in record["dataset"]["published"]]
    rows = sorted(rows, key=lambda row: -row[1])
    return [
        (name, f"{bleu:.1f}", "n/a" if chrf is None else f"{chrf:.1f}", note, own)
        for name, bleu, chrf, note, own in rows
    ]


def _best_baseline(record):
    return max(record["baselines"], key=lambda row: row["bleu"])


def _verdict(record):
    baselines = {row["name"]: row["bleu"] for row in record["baselines"]}
    return verdict(record["test"]["bleu"], baselines, unit="BLEU", scale=1)


def _judged(record):
    return f"{record['exports'][0]['count']:,} tokens of the test part"


def _files(record):
    return text.exported(record["exports"], "bleu", "BLEU", "token")
