"""The report of a run that searches by meaning: as a page, and as the lines that end it on a terminal."""

from kerazoo.evaluate import charts, report_ends, text
from kerazoo.evaluate.comparison import verdict
from kerazoo.evaluate.report import Report
from kerazoo.evaluate.retrieval import DEPTHS

HEAD = ("search", *(f"recall at {depth}" for depth in DEPTHS), "mean reciprocal rank")
HITS = ("", "cosine", "")


def summary(record):
    """What a newcomer wants to know: what was found for the queries, and how often the right one is found."""
    lines = []
    for query in record["queries"]:
        lines += [f"{query['query']}:"]
        lines += [*text.columns(HITS, hits(query)), ""]
    lines += [f"Finding a document by its title, {record['test']['count']:,} titles:"]
    lines += [*text.columns(HEAD, _rows(record)), _verdict(record)]
    lines += ["", f"Exported to {record['exports'][0]['folder']}:", *text.columns(*_files(record)), "", _speed(record)]
    lines += [f"The index is {record['index']}. The whole run took {record['minutes']:.1f} minutes."]
    return "\n".join(lines)


def page(record):
    """The report as a `Report`, ready to be written; `record` as in `run.json`."""
    dataset, test = record["dataset"], record["test"]
    report = Report(
        f"{record['model']['name']} searches {dataset['name']}",
        f"{dataset['documents']:,} documents as vectors of {record['model']['width']} numbers. Nothing was trained: "
        f"the weights are {record['settings']['weights']}.",
    )
    low, high = test["mrr_95"]
    words = record["baselines"][0]
    report.cards(
        [
            (f"{test['mrr']:.3f}", "mean reciprocal rank", f"95% interval {low:.3f} to {high:.3f}"),
            (f"{test['recall_10']:.1%}", "among the first ten", f"{words['recall_10']:.1%} by {words['name']}"),
            (f"{record['embedding']['texts_per_second']:,.0f}", "documents a second", "embedded"),
        ]
    )
    if dataset["limited"]:
        report.note(f"Of {dataset['limited']:,} documents at most, drawn by the run's seed.")
    lead = (
        "Each title is a query; right is the one document whose title it is. The search looks at the texts alone. "
        f"{_verdict(record)}"
    )
    with report.section("Finding a document by its title", lead):
        rows = [(name, recall) for name, recall, own in _bars(record)]
        own = {name for name, _, own in _bars(record) if own}
        report.figures((charts.bars(rows, highlight=own), "recall among the first ten as bars"))
        report.table(HEAD, _rows(record), strong=[0])
    drawn = "Titles drawn by the run's seed, not chosen; a star is at the text whose title it is."
    for heading, part, lead in (("Your queries", "queries", ""), ("Sample queries", "samples", drawn)):
        if record[part]:
            with report.section(heading, lead):
                for query in record[part]:
                    report.table((query["query"], "cosine", ""), hits(query))
    lead = "Each was loaded again and embedded some of the texts. The SavedModel's `raw` takes texts; files take ids."
    with report.section("Exported files", lead):
        report.table(*_files(record))
        folder = text.export_folder(record)
        report.code(
            f'import kerazoo\n\nmodel = kerazoo.load("{folder}", engine="saved_model")\n'
            'model.raw(["edit photographs"])  # {"vectors": ...}, of length 1'
        )
    about = [*report_ends.source(dataset), ("documents", f"{dataset['documents']:,}"), *report_ends.notes(dataset)]
    report_ends.provenance(report, record, about)
    return report


def hits(query):
    """Rows of what was found for a query, under `HITS`; a star is at the text whose title the query is."""
    rows = []
    for hit in query["hits"]:
        star = "* " if hit["place"] == query.get("own") else ""
        rows.append((f"{star}{hit['label']}", f"{hit['score']:.3f}", f"{hit['title']}: {hit['text']}"))
    return rows


def _bars(record):
    rows = [(record["model"]["name"], record["test"]["recall_10"], True)]
    return rows + [(row["name"], row["recall_10"], False) for row in record["baselines"]]


def _rows(record):
    rows = [{"name": record["model"]["name"], **record["test"]}, *record["baselines"]]
    return [(row["name"], *(f"{row[f'recall_{depth}']:.1%}" for depth in DEPTHS), f"{row['mrr']:.3f}") for row in rows]


def _verdict(record):
    baselines = {row["name"]: row["mrr"] for row in record["baselines"]}
    how = {"unit": "of mean reciprocal rank", "scale": 1, "digits": 3}
    return verdict(record["test"]["mrr"], baselines, name="Searching by meaning", **how)


def _speed(record):
    speed = record["embedding"]
    return (
        f"It embedded {speed['texts_per_second']:,.0f} documents/s; a query takes {speed['query_ms']:.1f} ms, "
        f"{speed['search_ms']:.1f} ms of them for the search itself."
    )


def _files(record):
    rows = [
        (
            text.FORMS.get(row["form"], row["form"]),
            f"{row['difference']:.1e}",
            f"{row['cosine']:.5f}",
            text.size(row["bytes"]),
            "n/a" if row["latency_ms"] is None else f"{row['latency_ms']:.2f} ms",
        )
        for row in record["exports"]
    ]
    return ("file", "largest difference", "least cosine with Keras", "size", "one text"), rows
