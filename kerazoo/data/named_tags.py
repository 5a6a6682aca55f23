"""Named sets of tagged texts, from the data folder or the network."""

from kerazoo.data.archives import read_zip
from kerazoo.data.conll_files import read_conll
from kerazoo.data.named_files import named_bytes, named_text
from kerazoo.data.tagged_texts import TaggedData, names_of
from kerazoo.registry import unknown_choice

NAMES = ("wnut17", "conll2002_es", "conll2002_nl")
WNUT_ADDRESS = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"
# File: (bytes, sha256).
WNUT = {
    "wnut17train.conll": (493_781, "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5"),
    "emerging.dev.conll": (114_749, "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8"),
    "emerging.test.annotated": (192_425, "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0"),
}
CONLL_ADDRESS = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/conll2002.zip"
CONLL = (1_867_449, "64440e49236d0d393e08e0b266284966d68e2d2a82a50cc41b8e96d98c03b5c8")
CONLL_FILES = {"conll2002_es": "esp", "conll2002_nl": "ned"}
CONLL_PUBLISHED = {
    "conll2002_es": [{"of": "LSTM-CRF, pretrained vectors (Lample et al., 2016)", "f1": 0.8575}],
    "conll2002_nl": [{"of": "LSTM-CRF, pretrained vectors (Lample et al., 2016)", "f1": 0.8174}],
}


def load_tagged(name):
    """A set by name: "wnut17", "conll2002_es" (Spanish news) or "conll2002_nl" (Dutch news).

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.

    Example:

    >>> len(load_tagged("wnut17").train)  # doctest: +SKIP
    3394
    """
    if name not in NAMES:
        raise ValueError(unknown_choice("set of tagged texts", name, NAMES))
    return wnut17() if name == "wnut17" else conll2002(name)


def wnut17():
    """Emerging entities in posts of several platforms (Derczynski et al., 2017), six kinds."""
    parts = []
    for file, (size, sha256) in WNUT.items():
        text = named_text(
            "wnut17.zip", file, folder="wnut17", file=file, address=WNUT_ADDRESS + file, sha256=sha256, size=size
        )
        parts.append(read_conll(text, file))
    return _data(
        "wnut17",
        parts,
        split="the task's own three parts",
        source="WNUT 2017, https://noisy-text.github.io/2017/emerging-rare-entities.html",
        terms="CC BY 4.0",
        published=[{"of": "UH-RiTUAL, the winner (Aguilar et al., 2017)", "f1": 0.4186}],
    )


def conll2002(name):
    """News of 2000 with persons, organisations, places and others (Tjong Kim Sang, 2002)."""
    size, sha256 = CONLL
    packed = named_bytes(
        "nltk.zip",
        "conll2002.zip",
        folder="conll2002",
        file="conll2002.zip",
        address=CONLL_ADDRESS,
        sha256=sha256,
        size=size,
    )
    stem = CONLL_FILES[name]
    files = [f"conll2002/{stem}.{part}" for part in ("train", "testa", "testb")]
    members = read_zip(packed, lambda member: member in files)
    return _data(
        name,
        [read_conll(members[file].decode("utf-8"), file) for file in files],
        split="the task's own: train, testa validates, testb tests",
        source="CoNLL-2002, as NLTK has it, https://www.nltk.org/nltk_data",
        terms="for research; the texts are their newspapers'",
        published=CONLL_PUBLISHED[name],
    )


def _data(name, parts, **facts):
    notes = [note for _, said in parts for note in said]
    texts = [part for part, _ in parts]
    return TaggedData(name, names_of(texts[0]), *texts, notes=tuple(notes), **facts)
