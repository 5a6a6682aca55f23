"""The report of a run that trains a language model: as a page, and as the lines that end it on a terminal."""

import numpy as np

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report


def summary(record):
    """What a newcomer wants to know: the score beside what it has to beat, a sample, the files."""
    lines = [f"Surprise by a character of the last tenth of {record['dataset']['name']}, in nats and bits:"]
    lines += text.columns(("", "nats", "bits", ""), [row[:4] for row in _scores(record)])
    lines += [
        _verdict(record),
        "",
        f"After {record['samples'][0]['prompt']!r}:",
        record["samples"][0]["text"][:300],
        "",
    ]
    lines += [f"Exported to {record['exports'][0]['folder']}, measured again on {_judged(record)}:"]
    lines += text.columns(*_files(record))
    speed = record["generation"]
    lines += ["", text.speed(record["training"], "tokens")]
    lines += [
        f"It writes {speed['tokens_per_second']:,.0f} tokens/s, {speed['batch_tokens_per_second']:,.0f} in "
        f"{speed['batch']} texts at once. The whole run took {record['minutes']:.1f} minutes."
    ]
    return "\n".join(lines)


def page(record, nats):
    """The report as a `Report`, ready to be written.

    Args:
        record: as in `run.json`.
        nats: (windows, T), surprises of the test part.
    """
    dataset, training, test = record["dataset"], record["training"], record["test"]
    steps = training["epochs_run"] * record["settings"]["steps"] // record["settings"]["epochs"]
    report = Report(
        f"{record['model']['name']} on {dataset['name']}",
        f"A language model over {record['tokenizer']['vocabulary']} characters. {steps:,} steps in "
        f"{training['minutes']:.1f} minutes, judged once on {test['count']:,} characters.",
    )
    report.cards(_cards(record))
    if dataset["limited"]:
        report.note(f"A first look: every part is limited to {dataset['limited']:,} characters. No score counts.")
    rows = _scores(record)
    lead = f"How surprised each is by a character of the test part; less is better. {_verdict(record)}"
    with report.section("The score beside what it has to beat", lead):
        own = {row[0] for row in rows if row[4]}
        report.figures(
            (charts.bars([(r[0], float(r[2])) for r in rows], unit="{:.2f} bits", highlight=own), "bits as bars")
        )
        strong = [place for place, row in enumerate(rows) if row[4]]
        report.table(("model", "nats", "bits", ""), [row[:4] for row in rows], strong=strong)
    lead = "Surprise in nats. The weights of the marked epoch were kept; the test part was not looked at."
    with report.section("Learning curves", lead):
        picture = charts.learning_curves(training["history"], best=training["best_epoch"] - 1)
        report.figures((picture, "loss by epoch"))
    lead = "The mean surprise at each place of a window: what more context is worth to the network."
    with report.section("What the context is worth", lead):
        curve = {record["model"]["name"]: nats.mean(axis=0).tolist()}
        report.figures((charts.lines(curve, x="characters seen", y="nats"), "surprise over the place in a window"))
    lead = "Drawn, not chosen: the first ones of the run's seed."
    with report.section("What it writes", lead):
        for sample in record["samples"]:
            report.code(f"[{sample['how']}]\n\n{sample['prompt']}{sample['text']}")
    lead = f"Each was loaded again and judged on {_judged(record)}. The difference is of logits. The SavedModel's "
    with report.section("Exported files", f"{lead}endpoint `raw` takes texts and writes on; every file takes ids."):
        report.table(*_files(record))
        folder = text.export_folder(record)
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            f'model.raw([{record["samples"][0]["prompt"]!r}])  # {{"texts": ...}}'
        )
    report_ends.speed(report, training, "tokens")
    about = [*report_ends.source(dataset), ("characters", report_ends.parts(dataset)), *report_ends.notes(dataset)]
    report_ends.provenance(report, record, about)
    return report


def _cards(record):
    test, best = record["test"], _best_baseline(record)
    low, high = test["nats_95"]
    cards = [
        (f"{test['nats']:.3f}", "nats by a character", f"95% interval {low:.3f} to {high:.3f}"),
        (f"{test['bits']:.2f}", "bits by a character", f"as unsure as among {test['perplexity']:.1f} characters"),
        (f"{best['nats']:.3f}", "best baseline", best["name"]),
    ]
    cards += [(f"{row['nats']:.2f}", "published", row["of"]) for row in record["dataset"]["published"][-1:]]
    return [*cards, (f"{record['generation']['tokens_per_second']:,.0f}", "characters a second", "written, one text")]


def _scores(record):
    """[(name, nats, bits, note, whether it is this run's)], best first."""
    test = record["test"]
    rows = [(record["model"]["name"], test["nats"], "this run", True)]
    rows += [(row["name"], row["nats"], "baseline", False) for row in record["baselines"]]
    rows += [(row["of"], row["nats"], "published", False) for row in record["dataset"]["published"]]
    rows = sorted(rows, key=lambda row: row[1])
    return [(name, f"{nats:.3f}", f"{nats / np.log(2):.2f}", note, own) for name, nats, note, own in rows]


def _best_baseline(record):
    return min(record["baselines"], key=lambda row: row["nats"])


def _verdict(record):
    baselines = {row["name"]: row["nats"] for row in record["baselines"]}
    return verdict(record["test"]["nats"], baselines, unit="nats", scale=1, digits=3, lower=True)


def _judged(record):
    return f"{record['exports'][0]['count']:,} characters spread over the test part"


def _files(record):
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row['nats']:.4f}",
            f"{row['difference']:.1e}",
            text.size(row["bytes"]),
            "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
        )
        for row in record["exports"]
    ]
    return ("file", "nats", "largest difference", "size", "one window"), rows
