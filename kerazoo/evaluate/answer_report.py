"""The report of a run that trains a reader: as a page, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, an answer, the files."""
    lines = [f"Exact match and F1 of {record['test']['count']:,} test questions:"]
    lines += text.columns(("", "exact", "F1", ""), [row[:4] for row in _scores(record)])
    sample = max(record["samples"], key=lambda row: row["f1"])
    lines += [_verdict(record), "", f"{sample['question']}\n  {sample['found']['text'] or '(no answer)'}"]
    lines += ["", f"Exported to {record['exports'][0]['folder']}, measured again on {_judged(record)}:"]
    lines += text.columns(*_files(record))
    lines += ["", text.speed(record["training"], "questions")]
    lines += [f"The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record):
    """The report as a `Report`, ready to be written."""
    dataset, training, test = record["dataset"], record["training"], record["test"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"Trained on {dataset['train'] - dataset['cut']:,} questions, {training['epochs_run']} epochs in "
        f"{training['minutes']:.1f} minutes, judged once on {dataset['test']:,}.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every part is limited to {dataset['limited']:,} questions. No score counts.")
    rows = _scores(record)
    lead = "Without regard to capitals, punctuation and articles. F1 is of the words that answer and truth share. "
    with report.section("The score beside what it has to beat", lead + _verdict(record)):
        own = {row[0] for row in rows if row[4]}
        report.figures((charts.bars([(r[0], r[5]) for r in rows], highlight=own), "F1 as bars"))
        strong = [place for place, row in enumerate(rows) if row[4]]
        report.table(("reader", "exact match", "F1", ""), [row[:4] for row in rows], strong=strong)
    with report.section("Learning curves", "The weights of the marked epoch were kept; the test was not looked at."):
        picture = charts.learning_curves(training["history"], best=training["best_epoch"] - 1, metric="f1", title="F1")
        report.figures((picture, "loss and F1 by epoch"))
    with report.section("By the question's word", "Of the test part."):
        kinds = list(test["by_word"].items())
        kinds += [(name, test[name]) for name in ("answerable", "unanswerable") if name in test]
        head = ("question", "F1", "exact match", "questions")
        report.table(
            head, [(name, f"{row['f1']:.1%}", f"{row['exact']:.1%}", f"{row['count']:,}") for name, row in kinds]
        )
    lead = (
        "Blue is what was found, the stronger the higher its F1; red shares no word with a true answer; pale red was "
    )
    lead += "missed. Drawn by the run's seed."
    with report.section("Answers", lead):
        report.marked([_marked(sample) for sample in record["samples"]])
    if record["worst"]:
        with report.section("Wrong and sure", "Answers that share no word with a true one, the likeliest first."):
            report.marked([_marked(sample) for sample in record["worst"]])
    lead = f"Each was loaded again and judged on {_judged(record)}. The SavedModel's `raw` takes questions and passages"
    lead += f" ({record['exports'][0]['raw_same_answers']:.0%} of what it was asked came as Keras has it); "
    lead += f"every file takes ids, TFLite {record['settings']['length']:,} words of a passage, of which it cuts more."
    with report.section("Exported files", lead):
        report.table(*_files(record))
        folder, sample = text.export_folder(record), record["samples"][0]
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            f'model.raw({{"questions": [{sample["question"]!r}], "passages": [passage]}})  # answers, places, ...'
        )
    report_ends.speed(report, training, "questions")
    passages = ", ".join(f"{count:,} {part}" for part, count in dataset["passages"].items())
    about = [*report_ends.source(dataset), ("questions", report_ends.parts(dataset)), ("passages", passages)]
    if record["threshold"] is not None:
        about.append(("no answer above", f"{record['threshold']:.2f}, chosen on the validation part"))
    if dataset["cut"]:
        about.append(("left out of training", f"{dataset['cut']:,} questions whose answer lies beyond `length`"))
    report_ends.provenance(report, record, [*about, *report_ends.notes(dataset)])
    return report


ASKED = ("answer", "document", "cosine", "probability")


def lines(row):
    """A question and what was found for it, for a terminal."""
    rows = [
        (text_of(found["answer"]), found["document"], f"{found['cosine']:.2f}", f"{found['probability']:.1%}")
        for found in row["answers"]
    ]
    return [row["question"], *(text.columns(ASKED, rows) if rows else ["  No passage has an answer."]), ""]


def asked_page(rows, title):
    """A page of questions and their answers, for `--documents`."""
    report = Report(f"Questions about {title}", f"{len(rows):,} asked")
    for row in rows:
        with report.section(row["question"], "" if row["answers"] else "No passage has an answer."):
            report.marked(
                [
                    (
                        _pieces(found["passage"], [(*found["place"], 1.0)]),
                        f"{found['document']}, cosine {found['cosine']:.2f}, probability {found['probability']:.1%}:",
                        found["answer"],
                        True,
                    )
                    for found in row["answers"]
                ]
            )
    return report


def text_of(answer, longest=60):
    """An answer in one line of a table."""
    return charts.shorten(" ".join(answer.split()), longest)


def _cards(record):
    test, best = record["test"], _best_baseline(record)
    low, high = test["f1_95"]
    return [
        (f"{test['f1']:.1%}", "F1", f"{low:.1%} to {high:.1%} (95%)"),
        (f"{test['exact']:.1%}", "exact match", f"{test['count']:,} test questions"),
        (f"{best['f1']:.1%}", "F1 of the best baseline", f"{best['name']}, {best['exact']:.1%} exact"),
    ]


def _scores(record):
    """[(name, exact, F1, note, whether it is this run's, F1 as a number)], best first."""
    rows = [(record["model"]["name"], record["test"], "this run", True)]
    rows += [(row["name"], row, "baseline", False) for row in record["baselines"]]
    rows += [(row["of"], row, f"published, {row['on']}", False) for row in record["dataset"]["published"]]
    rows = sorted(rows, key=lambda row: -row[1]["f1"])
    return [(name, f"{row['exact']:.1%}", f"{row['f1']:.1%}", note, own, row["f1"]) for name, row, note, own in rows]


def _best_baseline(record):
    return max(record["baselines"], key=lambda row: row["f1"])


def _verdict(record):
    baselines = {row["name"]: row["f1"] for row in record["baselines"]}
    return verdict(record["test"]["f1"], baselines, unit="points of F1")


def _judged(record):
    return f"{record['exports'][0]['count']:,} test questions"


def _files(record):
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row['exact']:.1%}",
            f"{row['f1']:.1%}",
            f"{row['same_answers']:.2%}",
            text.size(row["bytes"]),
            "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
        )
        for row in record["exports"]
    ]
    return ("file", "exact", "F1", "answers as Keras", "size", "one question"), rows


def _marked(sample):
    """A passage for `Report.marked`."""
    found, right = sample["found"], sample["f1"] > 0.5
    weight = max(sample["f1"], 0.25) if sample["f1"] else -1.0
    spans = [(found["start"], found["end"], weight)] if found["end"] else []
    spans += [(start, start + len(words), -0.4) for start, words in sample["answers"]]
    truth = " | ".join(dict.fromkeys(words for _, words in sample["answers"])) or "(no answer)"
    caption = f"{sample['question']} Right: {truth}. Found:"
    return _pieces(sample["passage"], spans), caption, found["text"] or "(no answer)", right


def _pieces(passage, spans):
    """[(text, weight)] of a passage in which the first of some (start, end, weight) that has a sign colours it."""
    edges = sorted({0, len(passage), *(edge for start, end, _ in spans for edge in (start, end))})
    pieces = []
    for start, end in zip(edges, edges[1:]):
        weight = next((weight for first, last, weight in spans if first <= start < last), 0.0)
        if pieces and pieces[-1][1] == weight:
            pieces[-1] = (pieces[-1][0] + passage[start:end], weight)
        else:
            pieces.append((passage[start:end], weight))
    return [(piece.strip(), weight) for piece, weight in pieces if piece.strip()]
