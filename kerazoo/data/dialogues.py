"""Dialogues as pairs of what was said and the reply: chatterbot's corpus, and a user's JSON lines."""

import json
from pathlib import Path

import numpy as np

from kerazoo.data.named_files import installed_file
from kerazoo.data.parallel_texts import ParallelData, ParallelTexts
from kerazoo.data.text_files import read_lines, read_text
from kerazoo.data.text_tables import check_length
from kerazoo.extras import need

TURN = " || "  # Between the turns of what was said.
SHARE = 0.1  # Of the dialogues, for validation and for test each.
PACKAGE, INSTALL = "chatterbot_corpus", "pip install --no-deps chatterbot-corpus==1.3.3"
# The corpus's English files in version 1.3.3, with their sha256.
FILES = {
    "ai": "620a65787a56641db4a03e1419a7578e813967218cf6721e3ea4ef90844916aa",
    "botprofile": "1a694c5288f3f8f87d027d2f98dae71d02efa88e28853a6e5d27e6dbce907294",
    "coding": "1726a8900a82ee32dad559809564f9ae97df9c52f42a8f1fcde84b1d54b1d260",
    "computers": "a222c5a432efe4289e6c5edf1c3d99fd26c48df99db0ff893d1d5ab569f5b750",
    "conversations": "1cf105b5802f377b2dc145f741f7df85629c9ca27e450538165286a75b5e3416",
    "emotion": "510a018938c1880dd0f67e1ae458e26878c91a570daef5a84fb83713c89f0989",
    "food": "68eab2497721d03044d520b70c27d8a0d8ba8e505b3265fb3a1ff3e1a64c7124",
    "gossip": "d6f1b1613ed70821fc1c427bdd00395f58b77ff57d76fbe4ab8cb2038cf15c9b",
    "greetings": "0dd7eb8dcee8e2a38cd1a137bcfbd7f3eb732cddfa1bd396fac5a24b063a4d55",
    "health": "eb88edc5302d688ca096374c7e3f5b9d7cd821f053a17d80204c4acdc20ea4f5",
    "history": "0ff4beeb6ef9b641dc12e1039a149c6a03eb8f2e183702fad2b0997fcc1d63e3",
    "humor": "d2aa03a63f0e8e054589f642788afbc41b8c76f5d734c50901a9a63b359ea06b",
    "literature": "9361ff1478273d811259ca307a1e6be23a5e08e776a5bc5d9524fb13deb886f1",
    "money": "2911d9766625ff5c2feb3d784f2951b2ebd5e9658547efce7568d0282c49274b",
    "movies": "075ca9d91a527206c635c88bf0353323826a25a6f2057be1bc71888af389f842",
    "politics": "c436d5efedea6f715a8a811423a8edf396097771eb11e43b1f0a43a6aee7c2f0",
    "psychology": "5047c211d35f715af4fbc3398f111135e99d34afcd0905a661c40bdeb1413a58",
    "science": "3c259799bba36c67a1601fc264ec01ab051e9e63950734ce1ef644e022081fe7",
    "sports": "8d1bcc632cad4058e3b8490daa15dcd7c2a51790a7b9140b252600b794590403",
    "tech_support": "8a87cdf32579c8efdd9c5f3ef166ae9fb76dcf271b958f5e2265b9246b430655",
    "trivia": "3a9de77e6d82803d1ea3eba48cf6543c884908f4c4f50501fed69f88112994dc",
}


def told(turns, history):
    """What a reply follows on: the last turn, and as many before it as `history` says.

    Example:

    >>> told(["Hello.", "Hi.", "How are you?"], history=1)
    'Hi. || How are you?'
    """
    return TURN.join(turn.replace(TURN.strip(), " ") for turn in turns[-1 - history :])


def chatterbot(*, history=1, seed=0):
    """The English dialogues of chatterbot-corpus 1.3.3 (Gunther Cox, BSD licence), as `ParallelData`.

    They are short, of many topics, and written by many hands: small talk, facts, jokes, support.

    Args:
        history: turns before the last one that a reply is made from.
        seed: of the parts' draw.

    Raises:
        FileNotFoundError: the package is not installed; the message has the line that installs it.
        ImportError: PyYAML is not installed.
    """
    need("yaml", extra="text")
    import yaml

    dialogues, left_out = [], 0
    for name, sha256 in FILES.items():
        path = installed_file(PACKAGE, f"data/english/{name}.yml", folder=PACKAGE, sha256=sha256)
        if path is None:
            raise FileNotFoundError(f"The dialogues of chatterbot are on this machine only with a package: {INSTALL}")
        for turns in yaml.safe_load(read_text(path))["conversations"]:
            turns = [turn.strip() for turn in turns if isinstance(turn, str) and turn.strip()]
            left_out += len(turns) < 2
            dialogues += [turns] if len(turns) > 1 else []
    notes = (f"{left_out} dialogues without a reply are left out.",) if left_out else ()
    return _parted(
        "chatterbot",
        dialogues,
        history,
        seed,
        source="chatterbot-corpus 1.3.3, English, https://github.com/gunthercox/chatterbot-corpus",
        terms="BSD 3-clause",
        notes=notes,
    )


def from_jsonl(path, *, history=1, seed=0):
    """A user's dialogues, one in each line, as `ParallelData`.

    A line is a list of turns, or an object with such a list: `{"turns": ["Hello.", "Hi."]}`, or as chat models take
    them, `{"messages": [{"role": "user", "content": "Hello."}, ...]}`, of which those of a system are left out.

    Args:
        path: a `.jsonl` file.
        history, seed: as above.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line of another form, bytes that are no UTF-8, or too few dialogues.

    Example:

    >>> import json, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "talk.jsonl"
    >>> _ = path.write_text("\\n".join(json.dumps([f"Hello {place}.", "Hi."]) for place in range(30)))
    >>> data = from_jsonl(path)
    >>> len(data.train), len(data.test), data.train.target[0]
    (24, 3, 'Hi.')
    """
    path = Path(path)
    if not path.is_file() or path.suffix.lower() != ".jsonl":
        raise FileNotFoundError(f"Dialogues must be an existing .jsonl file. Received: {str(path)!r}.")
    dialogues, short = [], 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        turns = _turns(f"{path}, line {number}", line)
        short += len(turns) < 2
        dialogues += [turns] if len(turns) > 1 else []
    notes = (f"{short:,} dialogues without a reply are left out.",) if short else ()
    return _parted(path.stem, dialogues, history, seed, source=str(path), terms="", notes=notes)


def _turns(where, line):
    rule = f'{where} must be a list of strings, {{"turns": [...]}} or {{"messages": [...]}}. Received: {line[:60]!r}'
    try:
        found = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{rule} ({error}).") from error
    if isinstance(found, dict):
        found = found.get("turns", found.get("messages"))
    if not isinstance(found, list):
        raise ValueError(f"{rule}.")
    turns = []
    for turn in found:
        if isinstance(turn, dict):
            if turn.get("role") == "system":
                continue
            turn = turn.get("content")
        if not isinstance(turn, str):
            raise ValueError(f"{rule}.")
        check_length(where, turn)
        turns += [turn.strip()] if turn.strip() else []
    return turns


def _parted(name, dialogues, history, seed, **about):
    """Dialogues that begin with the same words stay in one part: their replies would else be known."""
    groups = {}
    for turns in dialogues:
        groups.setdefault(turns[0].casefold(), []).append(turns)
    groups = list(groups.values())
    count = int(SHARE * len(groups))
    if not count:
        raise ValueError(
            f"There must be at least {round(1 / SHARE)} dialogues that begin unalike. Received: {len(groups)}."
        )
    order = np.random.default_rng(seed).permutation(len(groups))
    edges = {"test": order[:count], "validation": order[count : 2 * count], "train": order[2 * count :]}
    parts = {}
    for part, places in edges.items():
        rows = [
            (told(turns[:place], history), turns[place])
            for group in sorted(places)
            for turns in groups[group]
            for place in range(1, len(turns))
        ]
        parts[part] = ParallelTexts(*(tuple(row[side] for row in rows) for side in (0, 1)))
    split = f"{len(groups):,} beginnings of dialogues drawn into three parts, seed {seed}"
    return ParallelData(name, "said", "reply", **parts, split=split, **about)
