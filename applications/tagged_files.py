"""What an exported tagger finds in a user's text file: as a page with the entities marked, and as JSON."""

import time
from pathlib import Path

from kerazoo.applications import predicting, running
from kerazoo.quiet import import_tensorflow

TASK = "named_entities"
BATCH = 64
LARGEST = 2**28  # Bytes of a file.


def add_options(parser):
    """--predict and what goes with it."""
    group = parser.add_argument_group("prediction, in place of training")
    group.add_argument("--predict", type=Path, metavar="FILE", help="a text file; each line is a text")
    predicting.add_from(group, "tagger")


def refuse(arguments):
    """Refuses --from without --predict.

    Raises:
        ValueError: it is given.
    """
    predicting.refuse(arguments, ["export_from"], "--predict FILE")


def run(arguments, start):
    """Writes `entities.json` and `report.html` into a new folder.

    Returns:
        The record that `run.json` there holds: the command, what was read and where it was written.

    Raises:
        FileNotFoundError: nothing at --predict or --from.
        ValueError: no --from, a file without a text, bytes that are no UTF-8, or an export that is no tagger of texts.
    """
    predicting.need_export(arguments, "tagger")
    if not arguments.predict.is_file():
        raise FileNotFoundError(f"`--predict` must be a text file. Received: {arguments.predict}.")
    import_tensorflow()
    import kerazoo
    from kerazoo.data.text_files import read_lines
    from kerazoo.evaluate import entity_report
    from kerazoo.evaluate.entities import entities
    from kerazoo.evaluate.runs import environment, write_record

    size = arguments.predict.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{arguments.predict} must have at most {LARGEST:,} bytes. Received: {size:,}.")
    texts = [line.strip() for line in read_lines(arguments.predict) if line.strip()]
    if not texts:
        raise ValueError(f"{arguments.predict} must have a line with a text. Received: none.")
    tagger = kerazoo.load(arguments.export_from, engine="saved_model")
    folder = running.new_folder(TASK, f"predict-{arguments.predict.stem}", arguments)
    rows, kinds = [], {}
    for first in range(0, len(texts), BATCH):
        answers = tagger.raw(texts[first : first + BATCH])
        if set(answers) != {"words", "tags"}:
            raise ValueError(
                f"{arguments.export_from} must be an exported tagger of texts. It gives {sorted(answers)}."
            )
        for words, tags in zip(answers["words"].tolist(), answers["tags"].tolist()):
            there = [place for place, word in enumerate(words) if word]
            words, tags = ([side[place] for place in there] for side in (words, tags))
            found = [{"text": " ".join(words[a:b]), "kind": kind, "words": [a, b]} for a, b, kind in entities(tags)]
            rows.append({"words": words, "tags": tags, "entities": found})
            for entity in found:
                kinds[entity["kind"]] = kinds.get(entity["kind"], 0) + 1
    write_record(rows, folder / "entities.json")
    entity_report.tagged_page(rows, arguments.predict.name).write(folder / "report.html")
    given = {"predict": str(arguments.predict), "from": str(arguments.export_from)}
    record = {
        "task": TASK,
        "command": running.command(TASK, given),
        "texts": len(rows),
        "entities": kinds,
        "files": [str(folder / "entities.json"), str(folder / "report.html")],
        "environment": environment(),
        "minutes": (time.perf_counter() - start) / 60,
    }
    write_record(record, folder / "run.json")
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) or "none"
    print(f"{len(rows):,} texts; entities: {counts}.\nReport: {folder / 'report.html'}")
    return record
