"""Running text to model: a named corpus or your own files, cut into its parts by position."""

from dataclasses import dataclass, field
from pathlib import Path

from kerazoo.data.named_files import named_text
from kerazoo.data.parts import SPELLINGS, check_not_empty, part_in
from kerazoo.data.text_files import read_text
from kerazoo.data.walk import Walk, left_out_notes, reasons, walk
from kerazoo.registry import unknown_choice

NAMES = ("tinyshakespeare",)
TEST, VALIDATION = 0.10, 0.02  # Shares of the whole text: the last tenth, and what lies right before it.
LARGEST = 2**30  # Bytes of all files together.


@dataclass(frozen=True)
class Corpus:
    """A text in three parts.

    Attributes:
        name: as in the command line and the report.
        train, validation, test: strings, in the order of the text.
        split: one sentence: whose split this is.
        source: where it comes from, one line.
        terms: what the owners allow, as far as they say.
        published: [{"of", "nats"}], cross-entropy of a character on the same test part.
        notes: sentences on what was left out.
    """

    name: str
    train: str
    validation: str
    test: str
    split: str = ""
    source: str = ""
    terms: str = ""
    published: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def record(self):
        """Everything but the text, as JSON types; sizes are in characters."""
        sizes = {part: len(getattr(self, part)) for part in ("train", "validation", "test")}
        facts = {name: getattr(self, name) for name in ("split", "source", "terms")}
        return {"name": self.name} | sizes | facts | {"notes": list(self.notes)}


def load_corpus(name):
    """A corpus by name: "tinyshakespeare", forty thousand lines of Shakespeare's plays.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: the file is nowhere on this machine and cannot be fetched.

    Example:

    >>> len(load_corpus("tinyshakespeare").test)  # doctest: +SKIP
    111540
    """
    if name not in NAMES:
        raise ValueError(unknown_choice("corpus", name, NAMES))
    text = named_text(
        "tinyshakespeare.zip",
        "input.txt",
        folder="tinyshakespeare",
        file="input.txt",
        address="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        size=1_115_394,
    )
    return cut(
        "tinyshakespeare",
        text,
        split="nanoGPT's: the last tenth is the test part, which it calls validation; the 2% before it validate",
        source="Shakespeare's plays in one file, https://github.com/karpathy/char-rnn",
        terms="public domain",
        published=[
            {"of": "GPT of 10.7 million parameters (nanoGPT)", "nats": 1.4697},
            {"of": "GPT of 0.8 million parameters, 2,000 steps (nanoGPT on a CPU)", "nats": 1.88},
        ],
    )


def corpus_of(path):
    """A corpus of your own: a text file, or a folder whose `.txt` files are joined in the order of their names.

    Where all files of the folder are called after a part (`train.txt`, `valid.txt`, `test.txt`), they are those parts.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: no `.txt` file, more than a gigabyte, bytes that are no text (with file and line), or too few
            characters for three parts.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}.")
    found = walk(path, (".txt",)) if path.is_dir() else Walk(files={path.name: path})
    files = list(found.files.values())
    if not files or sum(file.stat().st_size for file in files) > LARGEST:
        raise ValueError(
            f"{path} must be or hold `.txt` files of at most {LARGEST:,} bytes in all.{reasons(found.left_out)}"
        )
    facts = {"source": f"{path}, {len(files):,} file{'s' if len(files) > 1 else ''}", "terms": "yours"}
    facts["notes"] = list(left_out_notes(found))
    parts = {file: part_in(file.stem) for file in files}
    if path.is_dir() and None not in parts.values() and "test" in parts.values():
        return _own_parts(path, parts, **facts)
    text = "\n".join(read_text(file) for file in files)
    split = "by position: the last tenth of the text is the test part, what lies before it (2%) validates"
    return cut(path.stem, text, split=split, **facts)


def _own_parts(path, parts, **facts):
    """A `Corpus` of {file: part}.

    Raises:
        ValueError: not one file for each part.
    """
    if sorted(parts.values()) != sorted(SPELLINGS):
        received = ", ".join(str(file.relative_to(path)) for file in parts)
        raise ValueError(f"{path} must have one file for each of {', '.join(SPELLINGS)}. Received: {received}.")
    texts = {part: read_text(file) for file, part in parts.items()}
    check_not_empty(texts)
    return Corpus(path.stem, **texts, split="the files' own parts", **facts)


def cut(name, text, **facts):
    """A `Corpus` of a text.

    Raises:
        ValueError: fewer than a thousand characters.
    """
    if len(text) < 1000:
        raise ValueError(f"A corpus must have at least 1,000 characters. Received: {len(text):,} in {name!r}.")
    test = int(len(text) * (1 - TEST))
    validation = test - int(len(text) * VALIDATION)
    return Corpus(name, text[:validation], text[validation:test], text[test:], **facts)
