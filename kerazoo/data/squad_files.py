"""Files in SQuAD's format, of version 1.1 or 2.0, whose questions may have no answer."""

import json
from pathlib import Path

from kerazoo.data.questions import QuestionData, Questions, drawn_parts
from kerazoo.data.text_files import read_text
from kerazoo.data.text_tables import check_length, notes_on_others, parts_of

LARGEST = 2**28  # Bytes of a file; SQuAD's own have 46 million at most.
KINDS = {str: "a string", list: "a list", dict: "an object", int: "a whole number", bool: "true or false"}


def from_files(path, *, seed=0):
    """A `QuestionData` from files of a user's own.

    Args:
        path: a `.json` file, or a folder with train*.json and, if there are, dev*.json and test*.json.
        seed: of the parts that are drawn from the training questions.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: another format, with file and place, or too few passages to draw from.

    Example:

    >>> from_files("squad").record()["validation"]  # doctest: +SKIP
    10570
    """
    path = Path(path)
    files = {"train": path} if path.is_file() else parts_of(path, (".json",))
    parts = {}
    for part, file in files.items():
        size = file.stat().st_size
        if size > LARGEST:
            raise ValueError(f"{file} must have at most {LARGEST:,} bytes. Received: {size:,}.")
        parts[part] = read_squad(read_text(file), str(file))
    parts, said = drawn_parts(parts, seed=seed)
    own = ", ".join(file.name for file in files.values())
    return QuestionData(
        path.stem,
        **parts,
        split=said or f"as the files have it: {own}",
        source=f"your own: {own}",
        terms="yours",
        notes=notes_on_others(path, files.values()),
    )


def read_squad(text, name="the file"):
    """`Questions` from SQuAD's JSON.

    Args:
        text: the file's.
        name: of the file, for messages.

    Raises:
        ValueError: another form of JSON, an answer that is not in its passage where the file says, a question twice,
            an answer without a letter, digit or sign, or no questions; the message says where.

    Example:

    >>> from kerazoo.data.squad_files import read_squad
    >>> asked = {"id": "1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 3}]}
    >>> file = {"data": [{"title": "A", "paragraphs": [{"context": "By Ada.", "qas": [asked]}]}]}
    >>> import json
    >>> read_squad(json.dumps(file)).answers
    (((3, 'Ada'),),)
    """
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{name} must be JSON in SQuAD's format: {error}.") from error
    _check(data, dict, name)
    rows, seen = [], set()
    for i, article in enumerate(_value(data, "data", list, name)):
        where = f"{name}, article {i + 1}"
        _check(article, dict, where)
        title = _text(article, "title", where) if "title" in article else f"article {i + 1}"
        for j, paragraph in enumerate(_value(article, "paragraphs", list, where)):
            there = f"{where}, paragraph {j + 1}"
            _check(paragraph, dict, there)
            passage = _text(paragraph, "context", there)
            for k, asked in enumerate(_value(paragraph, "qas", list, there)):
                row = _question(asked, passage, f"{there}, question {k + 1}")
                if row[0] in seen:
                    raise ValueError(f"{there}, question {k + 1}: an id must occur once. Received: {row[0]!r}.")
                seen.add(row[0])
                rows.append((*row[:2], passage, title, row[2]))
    if not rows:
        raise ValueError(f"{name} must have questions. Received: none.")
    return Questions(*(tuple(side) for side in zip(*rows)))


def _question(asked, passage, where):
    """(id, question, answers)."""
    _check(asked, dict, where)
    identity, question = asked.get("id"), _text(asked, "question", where)
    if not isinstance(identity, (str, int)) or isinstance(identity, bool):
        raise ValueError(f"{where}: `id` must be a string. Received: {identity!r}.")
    impossible = _value(asked, "is_impossible", bool, where) if "is_impossible" in asked else False
    answers = []
    for answer in () if impossible else _value(asked, "answers", list, where):
        _check(answer, dict, where)
        text, start = _text(answer, "text", where), _value(answer, "answer_start", int, where)
        if start < 0 or passage[start : start + len(text)] != text:
            received = passage[max(start, 0) : max(start, 0) + len(text)]
            raise ValueError(
                f"{where}: the answer {text!r} must be in its passage at `answer_start`. "
                f"Received: {start}, where {received!r} is."
            )
        answers.append((start, text))
    if not answers and not impossible:
        raise ValueError(f"{where} must have an answer, or `is_impossible` true. Received: neither.")
    return str(identity), question, tuple(dict.fromkeys(answers))


def _value(mapping, key, kind, where):
    if key not in mapping:
        raise ValueError(f"{where} must have {key!r}. Received: {sorted(map(str, mapping))[:8]}.")
    _check(mapping[key], kind, f"{where}, {key!r}")
    return mapping[key]


def _check(value, kind, where):
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} must be {KINDS[kind]}. Received: {str(value)[:60]!r}.")


def _text(mapping, key, where):
    text = _value(mapping, key, str, where)
    check_length(f"{where}, {key!r}", text)
    if not any(sign.isprintable() and not sign.isspace() for sign in text):
        raise ValueError(f"{where}, {key!r}, must have something to read. Received: {text[:60]!r}.")
    return text
