"""Answers from a user's own documents: a search by words picks the passages, an exported reader finds the span."""

import time
from pathlib import Path

import numpy as np

from kerazoo.applications import predicting, running
from kerazoo.quiet import import_tensorflow

TASK = "question_answering"
MOST, STEP, LEAST = 200, 150, 40  # Words of a passage at most, from one part of a long one to the next, and at least.
BATCH = 16


def add_options(parser):
    """--documents and what goes with it."""
    group = parser.add_argument_group("asking, in place of training")
    group.add_argument("--documents", type=Path, metavar="PATH", help="a folder of .txt and .md files, or a table")
    group.add_argument("--ask", action="append", metavar="QUESTION", help="repeatable; without it questions are typed")
    predicting.add_from(group, "reader")
    group.add_argument("--hits", type=int, default=5, help="passages that are read for each question")


def refuse(arguments):
    """Refuses --from and --ask without --documents.

    Raises:
        ValueError: one is given.
    """
    predicting.refuse(arguments, ["export_from", "ask"], "--documents PATH")


def passages_of(text):
    """[(start, end)] of a text's passages: paragraphs, short ones together, long ones in parts that overlap.

    Example:

    >>> passages_of("One.\\n\\nTwo.")
    [(0, 10)]
    """
    paragraphs, place = [], 0
    for piece in text.split("\n\n"):
        if piece.strip():
            begin = place + len(piece) - len(piece.lstrip())
            paragraphs.append((begin, begin + len(piece.strip())))
        place += len(piece) + 2
    joined = []
    for begin, end in paragraphs:
        if joined and len(text[joined[-1][0] : joined[-1][1]].split()) < LEAST:
            begin = joined.pop()[0]
        joined.append((begin, end))
    return [part for begin, end in joined for part in _parts(text, begin, end)]


def _parts(text, begin, end):
    """The passage itself, or parts of `MOST` words of a longer one."""
    words, place = [], begin
    for word in text[begin:end].split():
        place = text.index(word, place)
        words.append((place, place + len(word)))
        place += len(word)
    firsts = range(0, max(len(words) - (MOST - STEP), 1), STEP) if len(words) > MOST else (0,)
    return [(words[first][0], words[min(first + MOST, len(words)) - 1][1]) for first in firsts]


def run(arguments, start):
    """Answers --ask, or what is typed; writes `answers.json` and `report.html` into a new folder.

    Returns:
        The record that `run.json` there holds: the command, the questions and what was found.

    Raises:
        FileNotFoundError: nothing at --documents.
        ValueError: no --from, documents without a text, or an export that is no reader of texts.
    """
    predicting.need_export(arguments, "reader", option="--documents")
    running.check_positive(arguments, "hits")
    if not arguments.documents.exists():
        raise FileNotFoundError(f"`--documents` must be a folder or a table. Received: {arguments.documents}.")
    import_tensorflow()
    import kerazoo
    from kerazoo.data.document_files import from_files
    from kerazoo.evaluate import answer_report
    from kerazoo.evaluate.retrieval import Words
    from kerazoo.evaluate.runs import environment, write_record

    documents = from_files(arguments.documents)
    passages = [
        {"document": label, "start": begin, "text": text[begin:end]}
        for label, text in zip(documents.labels, documents.texts)
        for begin, end in passages_of(text)
    ]
    search = Words([passage["text"] for passage in passages])
    reader = kerazoo.load(arguments.export_from, engine="saved_model")
    print(f"{documents.name}: {len(documents):,} documents, {len(passages):,} passages.")
    folder, rows = running.new_folder(TASK, f"ask-{documents.name}", arguments), []
    for question in _asked(arguments):
        rows.append({"question": question, "answers": answers(question, passages, search, reader, arguments.hits)})
        print("\n".join(answer_report.lines(rows[-1])))
    write_record(rows, folder / "answers.json")
    answer_report.asked_page(rows, documents.name).write(folder / "report.html")
    given = {"documents": str(arguments.documents), "from": str(arguments.export_from)}
    given |= {"ask": [row["question"] for row in rows]} if rows else {}
    record = {
        "task": TASK,
        "command": running.command(TASK, given),
        "documents": len(documents),
        "passages": len(passages),
        "questions": rows,
        "files": [str(folder / "answers.json"), str(folder / "report.html")],
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    }
    write_record(record, folder / "run.json")
    print(f"Report: {folder / 'report.html'}")
    return record


def answers(question, passages, search, reader, hits):
    """What the reader finds in the passages that share most with a question, the best first.

    The best has the largest product of the passage's cosine (TF-IDF) and the span's probability in it: a probability
    alone says nothing of other passages. An answer's "start" and "end" count code points of its document's text, of
    which spaces at both ends are not part.

    Args:
        question: a string.
        passages: [{"document", "start", "text"}].
        search: `(questions) -> (Q, passages)` cosines.
        reader: a loaded SavedModel with an endpoint from texts to answers.
        hits: passages that are read at most; those that share no word with the question are not.

    Raises:
        ValueError: the export is no reader of texts.
    """
    from kerazoo.evaluate.retrieval import best

    cosines = search([question])[0]
    places = [place for place in best(cosines[None], hits)[0].tolist() if cosines[place] > 0]
    rows = []
    for first in range(0, len(places), BATCH):
        some = [passages[place] for place in places[first : first + BATCH]]
        found = reader.raw({"questions": [question] * len(some), "passages": [one["text"] for one in some]})
        if "answers" not in found:
            raise ValueError(f"`--from` must be an exported reader of texts. It gives {sorted(found)}.")
        for place, one, text, (begin, end), score in zip(
            places[first:], some, found["answers"], found["places"].tolist(), found["scores"]
        ):
            if not text:
                continue
            probability, cosine = float(np.exp(score)), float(cosines[place])
            rows.append(
                {
                    "answer": text,
                    "document": one["document"],
                    "start": one["start"] + begin,
                    "end": one["start"] + end,
                    "cosine": cosine,
                    "probability": probability,
                    "passage": one["text"],
                    "place": [begin, end],
                }
            )
    return sorted(rows, key=lambda row: -row["cosine"] * row["probability"])


def _asked(arguments):
    """--ask, or what is typed until an empty line."""
    yield from arguments.ask or ()
    try:
        while not arguments.ask and (typed := input("What do you want to know? ").strip()):
            yield typed
    except (EOFError, KeyboardInterrupt):
        print()
