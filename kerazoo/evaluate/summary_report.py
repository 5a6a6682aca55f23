"""The report of a run that trains a model to summarise: as a page, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report

CUT = 600  # Signs of a source in the report.


def summary(record):
    """What a newcomer wants to know: the scores beside what they have to beat, some summaries, the files."""
    lines = [f"ROUGE (F1, stemmed) on {record['test']['count']:,} test texts:"]
    lines += text.columns(*_scores(record)[:2])
    lines += [_verdict(record), ""]
    for sample in (*record["own"], *record["samples"][:3]):
        lines += [f"  {charts.shorten(sample['source'], 110)}", f"    {sample['summary']}"]
    lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on {_judged(record)}:"]
    lines += text.columns(*_files(record))
    lines += ["", text.speed(record["training"], "tokens")]
    lines += [
        f"It summarises {record['answering']['texts_per_second']:,.1f} texts/s, {record['settings']['beams']} beams "
        f"each. The whole run took {record['minutes']:.1f} minutes."
    ]
    return "\n".join(lines)


def page(record, looks):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        looks: [(words of the summary, shares of them that are copied (T,), (T, S) shares of attention, words of the
            source)].
    """
    dataset, training = record["dataset"], record["training"]
    report = Report(
        f"{record['model']['name']} from {dataset['from']} to {dataset['to']}",
        f"Trained on {dataset['train']:,} pairs of {dataset['name']}, {training['epochs_run']} epochs in "
        f"{training['minutes']:.1f} minutes, judged once on {record['test']['count']:,}.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every part is limited to {dataset['limited']:,} pairs. No score counts.")
    head, rows, strong = _scores(record)
    lead = f"Words, pairs of words and longest common order of words; more is better. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        bars = [(row[0], float(row[3])) for row in rows]
        report.figures((charts.bars(bars, unit="{:.1f}", highlight={rows[strong][0]}), "ROUGE-L as bars"))
        report.table(head, rows, strong=[strong])
        report.note(
            f"Of the references' words {record['reference']['novel']:.0%} are not in their text: what only copies "
            "cannot say them."
        )
    lead = "Cross-entropy and the loss of coverage. The weights of the marked epoch were kept; the test was not seen."
    with report.section("Learning curves", lead):
        picture = charts.learning_curves(training["history"], best=training["best_epoch"] - 1)
        report.figures((picture, "loss by epoch"))
    columns = ("source", "summary", "reference")
    if record["own"]:
        with report.section("Your texts"):
            report.table(columns[:2], [_cells(row, columns[:2]) for row in record["own"]])
    with report.section("Summaries", "Drawn by the run's seed, not chosen."):
        report.table(columns, [_cells(row, columns) for row in record["samples"]])
    if looks:
        lead = "Words of the summary: the bluer, the more of a word was copied from the text, and not written freely."
        with report.section("What is copied", lead):
            report.marked(
                [
                    (list(zip(map(_shown, words), map(float, copied))), "", f"{copied.mean():.0%} copied", True)
                    for words, copied, _, _ in looks
                ]
            )
            for words, _, shares, source in looks:
                used = shares.max(axis=0) > 0.05  # Long texts: only words that something looks at.
                sides = [list(map(_shown, words)), [_shown(word) for word, use in zip(source, used) if use]]
                report.figures((charts.attention(shares[:, used], *sides), "attention of a summary"))
    with report.section("The worst ones", "Those that have least in common with their reference."):
        report.table(columns, [_cells(row, columns) for row in record["worst"]])
    lead = f"Each was loaded again and judged on {_judged(record)}, given what of the reference is there already. The "
    with report.section(
        "Exported files", f"{lead}SavedModel's `raw` takes texts; its score is of the whole test part."
    ):
        report.table(*_files(record))
        folder = text.export_folder(record)
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            f'model.raw([{charts.shorten(record["samples"][0]["source"], 60)!r}])  # {{"texts": ...}}'
        )
    report_ends.speed(report, training, "tokens")
    about = [*report_ends.source(dataset), ("pairs", report_ends.parts(dataset)), *report_ends.notes(dataset)]
    report_ends.provenance(report, record, about)
    return report


def _shown(word):
    return word.replace("\u2581", "")


def _cells(row, columns):
    return [charts.shorten(row[name], CUT) for name in columns]


def _cards(record):
    test, best = record["test"], _best_baseline(record)
    low, high = test["rouge_l_95"]
    return [
        (f"{test['rouge_l']:.1f}", "ROUGE-L", f"95% interval {low:.1f} to {high:.1f}"),
        (f"{test['rouge_1']:.1f}", "ROUGE-1", f"ROUGE-2 {test['rouge_2']:.1f}"),
        (f"{best['rouge_l']:.1f}", "best baseline", best["name"]),
        (f"{test['novel']:.0%}", "new words", f"not in the text; {record['reference']['novel']:.0%} in the references"),
        (f"{record['answering']['texts_per_second']:,.1f}", "texts a second", "summarised"),
    ]


def _scores(record):
    """`(head, rows, which of them is this run's)`, best first."""
    named = [(record["model"]["name"], record["test"], "this run")]
    named += [(row["name"], row, "baseline") for row in record["baselines"]]
    named.sort(key=lambda row: -row[1]["rouge_l"])
    rows = [
        (name, *(f"{row[kind]:.1f}" for kind in ("rouge_1", "rouge_2", "rouge_l")), f"{row['words']:.1f}", note)
        for name, row, note in named
    ]
    own = [note for *_, note in named].index("this run")
    return ("", "ROUGE-1", "ROUGE-2", "ROUGE-L", "words", ""), rows, own


def _best_baseline(record):
    return max(record["baselines"], key=lambda row: row["rouge_l"])


def _verdict(record):
    baselines = {row["name"]: row["rouge_l"] for row in record["baselines"]}
    return verdict(record["test"]["rouge_l"], baselines, unit="ROUGE-L", scale=1)


def _judged(record):
    return f"{record['exports'][0]['count']:,} words of the test part"


def _files(record):
    return text.exported(record["exports"], "rouge_l", "ROUGE-L", "word")
