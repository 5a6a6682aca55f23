"""Semantic search: documents as vectors, found by what a query means -> judged, indexed, exported.

    kerazoo run semantic_search --query "edit photographs"             # the system's own package descriptions
    kerazoo run semantic_search --data notes --query "who pays?"       # a folder of .txt and .md files
    kerazoo run semantic_search --data faq.csv --title-column question --text-column answer
    kerazoo run semantic_search --index runs/semantic_search/packages-minilm_l6-1 --query "play chess"
    kerazoo run semantic_search --index runs/semantic_search/packages-minilm_l6-1      # asks for queries

Nothing is trained: the weights are those of a sentence encoder. How well it finds is measured by looking for each
document by its title, in the texts alone, beside searching for its words. The index is two files in the run's folder,
vectors.npy and documents.jsonl; it is searched again without embedding anything but the query. A run leaves
`run.json` and `report.html` in its folder.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import kerazoo
from kerazoo.applications import reading, running
from kerazoo.json_files import dumps
from kerazoo.quiet import import_tensorflow

TASK, KIND = "semantic_search", "sentence_embedding"
NEEDS = ("matplotlib", "sklearn")
SETTINGS = f"{reading.SETTINGS} dataset data title_column text_column limit model weights vocabulary length judged seed"
WEIGHTS = "all_v2"
LIMIT = 20_000  # Documents of a named set, unless --limit says otherwise.
COLUMNS = ("label", "title", "text")
SHOWN = 160  # Signs of a document.
FILES = 64  # Texts that each exported file embeds.


def parse_args(argv):
    """The options."""
    parser = running.parser(TASK, __doc__)
    data = parser.add_argument_group("documents")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--dataset", choices=("packages",), help="packages (default): what apt's lists say of them")
    source.add_argument("--data", type=Path, metavar="PATH", help="a CSV, TSV or JSONL file, or a folder of texts")
    source.add_argument("--index", type=Path, metavar="RUN", help="search in what an earlier run has indexed")
    data.add_argument("--title-column", help="the column or key of titles; default title")
    data.add_argument("--text-column", help="the column or key of texts; default text")
    reading.add_options(data, numbers=False)
    data.add_argument("--limit", type=int, help=f"documents at most, drawn by the seed; of packages {LIMIT:,}")
    model = parser.add_argument_group("model")
    model.add_argument("--model", default="minilm_l6", help=f"one of `kerazoo list --task {KIND}`")
    model.add_argument(
        "--weights", default=WEIGHTS, help="a tag of the model, or a folder of keras-hub or transformers"
    )
    model.add_argument("--vocabulary", type=Path, metavar="FILE", help="vocab.txt of other weights, a piece a line")
    model.add_argument("--length", type=int, default=128, help="pieces of a text at most; the rest is not read")
    model.add_argument("--seed", type=int, default=0)
    search = parser.add_argument_group("searching")
    search.add_argument("--query", action="append", metavar="TEXT", help="what to look for; repeatable")
    search.add_argument("--hits", type=int, default=5, help="documents that are shown for each query")
    search.add_argument("--judged", type=int, default=2000, help="titles that are looked for, drawn by the seed")
    running.add_output(parser, TASK, resume=False)
    return parser.parse_args(argv)


def settle(arguments):
    """Checks what can be wrong before time is spent."""
    if not (arguments.data or arguments.index):
        arguments.dataset, arguments.limit = "packages", arguments.limit or LIMIT
    reading.check(arguments)
    facts = kerazoo.info(arguments.model)
    if facts["task"] != KIND:
        raise ValueError(f"`--model` must be one for {KIND}. Received: {arguments.model!r}, for {facts['task']}.")
    running.check_positive(arguments, "limit", "hits", "judged", "length")
    if not 3 <= arguments.length <= facts["arguments"]["context"]:
        raise ValueError(f"`--length` must be 3 to {facts['arguments']['context']}. Received: {arguments.length}.")
    return arguments


def load(arguments):
    """The `Documents`."""
    from kerazoo.data.document_files import from_files
    from kerazoo.data.package_descriptions import load_packages

    if arguments.data:
        columns = {"title": arguments.title_column, "text": arguments.text_column}
        documents = from_files(arguments.data, dialect=reading.dialect(arguments), **columns)
    else:
        documents = load_packages()
    if arguments.limit and len(documents) > arguments.limit:
        order = np.random.default_rng(arguments.seed).permutation(len(documents))[: arguments.limit]
        documents = documents.take(np.sort(order))
    print(f"{documents.name}: {len(documents):,} documents.")
    print("".join(f"  {note}\n" for note in documents.notes), end="")
    return documents


def encoder(arguments, **options):
    """`(model, tokenizer)`: the encoder with its weights, and what splits texts for it."""
    from kerazoo import catalog
    from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
    from kerazoo.weights.word_pieces import word_pieces

    known = catalog.entry(arguments.model).weights
    vocabulary, lowercase = word_pieces(known, arguments.weights, file=arguments.vocabulary)
    tokenizer = WordPieceTokenizer(vocabulary, length=arguments.length, lowercase=lowercase)
    options |= {"precision": "float32", "jit_compile": False}
    return kerazoo.build(arguments.model, weights=arguments.weights, **options), tokenizer


def save_index(folder, documents, vectors):
    """Writes vectors.npy and documents.jsonl."""
    np.save(folder / "vectors.npy", vectors)
    with open(folder / "documents.jsonl", "w", encoding="utf-8") as file:
        for row in zip(documents.labels, documents.titles, documents.texts):
            file.write(dumps(dict(zip(COLUMNS, row)), ensure_ascii=False) + "\n")


def load_index(folder):
    """`(documents, vectors, settings)` of an earlier run.

    Raises:
        FileNotFoundError: no index there.
        ValueError: files that do not belong together.
    """
    from kerazoo.data.documents import Documents
    from kerazoo.data.text_files import read_json, read_lines

    for name in ("run.json", "vectors.npy", "documents.jsonl"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"`--index` must be the folder of a finished run. Received: {folder}, no {name}.")
    record, listed = read_json(folder / "run.json"), folder / "documents.jsonl"
    try:
        rows = [json.loads(line) for line in read_lines(listed) if line]
        documents = Documents(folder.name, *(tuple(row[column] for row in rows) for column in COLUMNS))
    except (json.JSONDecodeError, RecursionError, KeyError, TypeError) as error:
        raise ValueError(f"{listed} must have an object with {COLUMNS} in each line. Received: {error!r}.") from error
    try:
        vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{folder / 'vectors.npy'} must be an array of numbers: {error}") from error
    if record.get("task") != TASK or vectors.ndim != 2 or len(vectors) != len(documents):
        raise ValueError(f"{folder} must hold a vector for each of {len(documents):,} documents: {vectors.shape}.")
    return documents, vectors, record["settings"]


def hits(query, scores, documents, count):
    """{"query", "hits": [{"place", "score", "label", "title", "text"}]}, the best first."""
    from kerazoo.evaluate.retrieval import best

    found = []
    for place in best(scores[None], count)[0].tolist():
        text = " ".join(documents.texts[place].split())
        text = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
        names = {"label": documents.labels[place], "title": documents.titles[place], "text": text}
        found.append({"place": place, "score": float(scores[place])} | names)
    return {"query": query, "hits": found}


def judge(arguments, documents, vectors, embedder):
    """`(test, baselines, samples)`: how well titles find their texts, by meaning and by words."""
    from kerazoo.evaluate.retrieval import Words, ranks, scores

    chosen = np.random.default_rng(arguments.seed).permutation(len(documents))[: arguments.judged]
    rest = np.setdiff1d(np.arange(len(documents)), chosen)
    order = np.concatenate([chosen, rest])  # The document of each query has the query's position.
    titles = [documents.titles[place] for place in chosen]
    asked, ordered = embedder(titles), vectors[order]
    words = Words([documents.texts[place] for place in order])
    ways = (
        (arguments.model, lambda first, last: asked[first:last] @ ordered.T),
        ("its words (TF-IDF)", lambda first, last: words(titles[first:last])),
    )
    rows = [{"name": name, **scores(ranks(score, len(titles)))} for name, score in ways]
    samples = []
    for place, title, vector in list(zip(chosen.tolist(), titles, asked))[:6]:
        samples.append(hits(title, vectors @ vector, documents, 3) | {"own": place})
    test = {key: value for key, value in rows[0].items() if key != "name"}
    return test, rows[1:], samples


def export(arguments, documents):
    """A row for each exported file, on some texts."""
    from kerazoo.evaluate.predict import difference

    model, tokenizer = encoder(arguments, length=arguments.length)
    ids = tokenizer(list(documents.texts[:FILES])).numpy()
    print("Exporting ...")
    report = running.export(
        arguments,
        model,
        formats=("saved_model", "tflite"),
        quantize="dynamic",
        representative_data=ids,
        signature="raw",
        tokenizer=tokenizer,
        metadata={"output": "vectors", "dataset": documents.name},
    )
    wanted, rows = np.asarray(model(ids)), []
    for file in report.files:
        received = np.asarray(kerazoo.load(report.path, engine=file.engine)(ids))
        rows.append(
            {
                "form": file.engine,
                "folder": report.path,
                "file": file.path,
                "bytes": file.bytes,
                "difference": difference(wanted, received),
                "cosine": float((wanted * received).sum(axis=1).min()),
                "latency_ms": file.latency_ms,
            }
        )
    return rows


def ask(arguments, documents, vectors, embedder):
    """Answers --query, or what is typed until an empty line; returns what was found."""
    from kerazoo.evaluate import search_report, text

    def answers():
        yield from arguments.query or ()
        while not arguments.query and (typed := input("What are you looking for? ").strip()):
            yield typed

    found = []
    try:
        for query in answers():
            found.append(hits(query, vectors @ embedder([query])[0], documents, arguments.hits))
            print("\n".join([f"{query}:", *text.columns(search_report.HITS, search_report.hits(found[-1])), ""]))
    except (EOFError, KeyboardInterrupt):
        print()
    return found


def main(argv=None):
    """Runs the application; returns the record that `run.json` in the run's folder holds."""
    arguments = parse_args(argv)
    if arguments.index:
        return running.main(arguments, _search)
    return running.main(arguments, _run, NEEDS)


def _search(arguments, start):
    """Searches in the index of an earlier run; returns what was found."""
    import_tensorflow()
    from kerazoo.evaluate.embedder import Embedder

    settle(arguments)
    documents, vectors, settings = load_index(arguments.index)
    same = argparse.Namespace(**{name: settings[name] for name in ("model", "weights", "vocabulary", "length")})
    same.vocabulary = same.vocabulary and Path(same.vocabulary)
    found = ask(arguments, documents, vectors, Embedder(*encoder(same)))
    return {"task": TASK, "index": str(arguments.index), "queries": found}


def _run(arguments, start):
    import_tensorflow()
    from kerazoo.evaluate import search_report
    from kerazoo.evaluate.embedder import Embedder

    given = running.given(arguments, parse_args([]))
    settle(arguments)
    documents = load(arguments)
    model, tokenizer = encoder(arguments)
    embedder = Embedder(model, tokenizer)
    folder = running.new_folder(TASK, f"{documents.name}-{arguments.model}", arguments, limited="limit" in given)
    began = time.perf_counter()
    print(f"Embedding {len(documents):,} documents ...")
    vectors = embedder(documents.texts, progress=sys.stdout.isatty())
    speed = {"texts_per_second": len(documents) / (time.perf_counter() - began)}
    save_index(folder, documents, vectors)
    queries = []
    for query in arguments.query or ():
        queries.append(hits(query, vectors @ embedder([query])[0], documents, arguments.hits))
    began = time.perf_counter()
    vector = embedder([documents.titles[0]])[0]
    embedded = time.perf_counter()
    hits("", vectors @ vector, documents, arguments.hits)
    speed |= {"query_ms": 1e3 * (time.perf_counter() - began), "search_ms": 1e3 * (time.perf_counter() - embedded)}
    test, baselines, samples = judge(arguments, documents, vectors, embedder)
    record = running.record(
        TASK,
        given,
        running.settings(arguments, SETTINGS),
        start,
        dataset=documents.record() | {"limited": arguments.limit},
        model={"name": arguments.model, "parameters": model.count_params(), "width": int(vectors.shape[1])},
        embedding=speed,
        index=str(folder / "vectors.npy"),
        test=test,
        baselines=baselines,
        queries=queries,
        samples=samples,
        exports=export(arguments, documents),
    )
    return running.finish(arguments, record, search_report.page(record), search_report.summary(record), folder)


if __name__ == "__main__":
    main()
