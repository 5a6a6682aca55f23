"""Dialogues as pairs, and a chat with a model that was trained on them."""

import json

import numpy as np
import pytest

import kerazoo
from kerazoo.applications.text import chatbot
from kerazoo.data import dialogues
from kerazoo.generation.replies import Replies
from kerazoo.generation.translator import Translator
from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer

ASKED = {"hello": "hi", "bye": "farewell", "thanks": "welcome"}
NAMES = ("ann", "bob", "cid", "dee", "eve", "fay", "gus", "hal", "ida", "jon", "kim", "leo", "mia", "ned", "oto", "pam")


def dialogue(first, second, name):
    """Two exchanges; the second answer needs the first one's turn."""
    return [f"{first} {name}", f"{ASKED[first]} {name}", f"{second} you", f"{ASKED[second]} after {ASKED[first]}"]


def written(folder):
    lines = [dialogue(first, second, name) for name in NAMES for first in ASKED for second in ASKED]
    path = folder / "talk.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_dialogues_become_pairs_with_what_was_said_before(tmp_path):
    lines = [[f"a{place}", f"b{place}", f"c{place}"] for place in range(8)] + [["a0", "x"]]
    kept = [json.dumps(turns) for turns in lines[:3]] + [json.dumps({"turns": turns}) for turns in lines[3:]]
    roles = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "u"}, {"content": "v"}]
    kept += [json.dumps({"messages": roles}), json.dumps(["alone"]), "", json.dumps(["odd || one", "y", "z"])]
    (tmp_path / "d.jsonl").write_text("\n".join(kept))
    data = dialogues.from_jsonl(tmp_path / "d.jsonl", history=1, seed=2)
    rows = [pair for part in (data.train, data.validation, data.test) for pair in zip(part.source, part.target)]
    assert ("a3", "b3") in rows and ("a3 || b3", "c3") in rows and ("u", "v") in rows
    assert ("odd   one", "y") in rows  # What parts the turns is in none of them.
    assert len(rows) == 8 * 2 + 1 + 1 + 2 and data.notes == ("1 dialogues without a reply are left out.",)
    begins = [{source for source in part.source if "||" not in source} for part in (data.train, data.test)]
    assert not begins[0] & begins[1] and dialogues.told(["a", "b", "c"], history=0) == "c"


@pytest.mark.parametrize(
    "line",
    ["no json", '"a"', '{"text": ["a", "b"]}', "[1, 2]", '{"messages": [{"role": "user"}]}', "[" * 100_000],
    ids=["words", "text", "key", "numbers", "no content", "deep"],
)
def test_lines_that_are_no_dialogue_are_refused_by_number(tmp_path, line):
    (tmp_path / "d.jsonl").write_text(f'["a", "b"]\n{line}\n')
    with pytest.raises(ValueError, match="line 2 must be a list of strings"):
        dialogues.from_jsonl(tmp_path / "d.jsonl")


def test_too_few_dialogues_and_a_missing_corpus_are_said(tmp_path, monkeypatch):
    (tmp_path / "d.jsonl").write_text('["a", "b"]\n' * 30)
    with pytest.raises(ValueError, match="at least 10 dialogues that begin unalike. Received: 1"):
        dialogues.from_jsonl(tmp_path / "d.jsonl")
    monkeypatch.setattr(dialogues, "installed_file", lambda *_, **__: None)
    with pytest.raises(FileNotFoundError, match="pip install --no-deps chatterbot-corpus==1.3.3"):
        dialogues.chatterbot()


def test_the_corpus_is_what_it_is():
    pytest.importorskip("chatterbot_corpus")
    data = dialogues.chatterbot()
    assert len(data.train) + len(data.validation) + len(data.test) == 2377
    pairs = dict(zip(data.train.source + data.test.source + data.validation.source, range(2377)))
    assert "Good morning, how are you? || I am doing well, how about you?" in pairs


def test_replies_are_those_of_the_search_and_are_remembered():
    pieces = SentencePieceTokenizer.learn(["hello there", "good day to you all"] * 9, size=30)
    model = kerazoo.build("seq2seq_luong", vocabulary_size=pieces.size, units=8, embedding_size=8, depth=1, seed=0)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    talk = Replies(model, pieces, lambda turns: " ".join(turns))
    greedy = Translator(model, pieces)
    first = list(talk.say("hello there", tokens=9, temperature=0))
    assert "".join(first) == greedy(["hello there"], beams=1, tokens=9)[0] and len(first) > 1
    answer = "".join(talk.say("good day", tokens=9, temperature=0))
    assert answer == greedy([f"hello there {''.join(first)} good day"], beams=1, tokens=9)[0]
    assert talk.turns == [("hello there", "".join(first)), ("good day", answer)]
    drawn = [[*Replies(model, pieces, " ".join).say("hello", tokens=9, seed=seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_model_learns_dialogues_and_talks(tmp_path, capsys):
    options = ["--model=seq2seq_luong", f"--data={written(tmp_path)}", "--vocabulary=60", "--length=24", "--epochs=20"]
    options += ["--option=units=48", "--option=embedding_size=24", "--option=dropout=0", "--learning-rate=0.01"]
    options += [
        f"--out={tmp_path}/run",
        f"--export={tmp_path}/export",
        "--beams=2",
        "--average=0.9",
        "--batch-size=16",
        "--history=1",
    ]
    record = chatbot.main([*options, "--say=hello eve", "--say=bye you", "--json"])
    assert json.loads(capsys.readouterr().out) == record
    # The second answer is right only where the first turn was told again.
    assert record["turns"][1]["assistant"] == "farewell after hi"
    assert record["test"]["chrf"] > max(
        row["chrf"] for row in record["baselines"]
    )  # No reply has the four words of BLEU.
    assert record["exports"][0]["bleu"] == pytest.approx(record["test"]["bleu"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "reply" in page and "translat" not in page.lower()
    told = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model").raw(["welcome bob || bye you"])
    assert told["texts"][0] == "farewell after welcome"
