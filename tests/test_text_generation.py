"""Running texts, their windows, what a language model has to beat on them, and the application."""

import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo.applications.text import text_generation
from kerazoo.data import corpora
from kerazoo.data.corpora import corpus_of, cut, load_corpus
from kerazoo.data.locate import data_folder
from kerazoo.data.token_windows import random_windows, windows_in_order
from kerazoo.evaluate.language import scores, surprises
from kerazoo.evaluate.ngrams import witten_bell

TEXT = "".join(f"line {i}: the quick brown fox jumps over the lazy dog.\n" for i in range(120))


def test_parts_are_the_text_in_its_order(tmp_path):
    corpus = cut("a", TEXT)
    assert corpus.train + corpus.validation + corpus.test == TEXT
    assert len(corpus.test) == pytest.approx(0.1 * len(TEXT), abs=1)
    (tmp_path / "b.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    (tmp_path / "a.txt").write_text("First.\n")
    (tmp_path / "c.md").write_text("Not this.")
    own = corpus_of(tmp_path)
    assert own.train + own.validation + own.test == f"First.\n\n{TEXT}"
    assert corpus_of(tmp_path / "b.txt").record()["source"].endswith("b.txt, 1 file")


def test_what_is_wrong_with_a_text_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing at"):
        corpus_of(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="must be or hold `.txt` files"):
        corpus_of(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\ncaf\xe9 " + b"x" * 2000)
    with pytest.raises(ValueError, match="a.txt, line 3, must be UTF-8"):
        corpus_of(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("short")
    with pytest.raises(ValueError, match="at least 1,000 characters. Received: 5"):
        corpus_of(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="Did you mean 'tinyshakespeare'"):
        load_corpus("tinyshakespear")


def test_a_named_corpus_is_its_file_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "tinyshakespeare.zip", "w") as archive:
        archive.writestr("input.txt", TEXT)
    with pytest.raises(ValueError, match="input.txt in .* must have sha256 86c4e6aa"):
        load_corpus("tinyshakespeare")


@pytest.mark.skipif(not (data_folder() / "tinyshakespeare.zip").is_file(), reason="needs tinyshakespeare.zip")
def test_tinyshakespeare_is_split_as_nanogpt_splits_it():
    corpus = load_corpus("tinyshakespeare")
    assert (len(corpus.train) + len(corpus.validation), len(corpus.test)) == (1_003_854, 111_540)


# Windows.


def test_random_windows_are_of_the_text_and_others_each_epoch():
    data = random_windows(np.arange(300), length=7, batch_size=5, steps=40, seed=1)
    epochs = [np.concatenate([tokens for tokens, _ in data.as_numpy_iterator()]) for _ in range(2)]
    for tokens, following in data:
        assert tokens.shape == following.shape == (5, 7) and tokens.dtype == tf.int32
        np.testing.assert_array_equal(following, tokens + 1)
        np.testing.assert_array_equal(np.diff(tokens), 1)
    assert len(epochs[0]) == 200 and (epochs[0] != epochs[1]).any()
    firsts = epochs[0][:, 0]
    assert firsts.min() < 10 and firsts.max() > 280 and len(set(firsts)) > 100
    again = random_windows(np.arange(300), length=7, batch_size=5, steps=40, seed=1)
    np.testing.assert_array_equal(np.concatenate([t for t, _ in again.as_numpy_iterator()]), epochs[0])


def test_windows_side_by_side_ask_for_every_token_once():
    pairs = list(windows_in_order(np.arange(30), length=7, batch_size=3).as_numpy_iterator())
    assert np.concatenate([following for _, following in pairs]).ravel().tolist() == list(range(1, 29))
    some = list(windows_in_order(np.arange(71), length=7, batch_size=3, most=3).as_numpy_iterator())
    assert np.concatenate([tokens for tokens, _ in some])[:, 0].tolist() == [0, 28, 63]
    with pytest.raises(ValueError, match="more tokens than a window, 7. Received: 7"):
        windows_in_order(np.arange(7), length=7, batch_size=1)


# Scores.


def test_surprise_is_the_log_of_the_chance():
    chances = np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]])
    nats = surprises(lambda tokens: np.log(chances) + 3, [(np.zeros((1, 2), int), np.array([[1, 2]]))])
    np.testing.assert_allclose(nats, -np.log([[0.25, 0.8]]))
    found = scores(nats)
    assert found["bits"] == pytest.approx(found["nats"] / np.log(2)) and found["count"] == 2
    assert found["perplexity"] == pytest.approx((0.25 * 0.8) ** -0.5)


def test_ngrams_are_a_distribution_and_the_formula():
    train, test = [0, 1, 0, 2, 0, 1, 1], [0, 1]
    total = sum(np.exp(-witten_bell(train, [0, token], vocabulary=3, order=2)[1]) for token in range(3))
    assert total == pytest.approx(1)
    single = (4 * 0 + 3 + 3 * (1 / 3)) / (7 + 3)  # 1 occurs three times of seven; three kinds; uniform a third.
    wanted = (2 + 2 * single) / (3 + 2)  # After 0: three times, two kinds, twice a 1.
    assert np.exp(-witten_bell(train, test, vocabulary=3, order=2)[1]) == pytest.approx(wanted)
    unseen = witten_bell([0, 1] * 20, [2, 0, 1], vocabulary=3, order=4)
    assert np.isfinite(unseen).all() and unseen[2] < 0.5 < unseen[0]


# The application.


def run(folder, *options):
    words = ["--model=gpt_nano", "--context=16", "--tokens=20", "--option=width=16", "--option=depth=1", *options]
    return text_generation.main([*words, f"--out={folder}/run", f"--export={folder}/export"])


def test_from_a_text_to_a_report_and_on_where_it_stopped(tmp_path, capsys):
    path = tmp_path / "own.txt"
    path.write_text(TEXT)
    record = run(tmp_path, f"--data={path}", "--steps=40", "--epochs=2", "--batch-size=8", "--prompt=the ", "--json")
    assert json.loads(capsys.readouterr().out) == record == json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["test"]["count"] == (len(cut("a", TEXT).test) - 1) // 16 * 16
    assert record["training"]["history"][1]["loss"] < record["training"]["history"][0]["loss"]
    names = [row["name"] for row in record["baselines"]]
    assert names[1] == "counts of characters" and names[0].endswith("-grams (Witten and Bell)")
    assert record["baselines"][0]["nats"] < record["baselines"][1]["nats"]
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite", "tflite_dynamic"]
    assert record["exports"][0]["nats"] == pytest.approx(record["exports"][1]["nats"], rel=1e-4)
    assert all(len(sample["text"]) == 20 for sample in record["samples"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What it writes" in page and "does not beat the best baseline" in page
    written = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model").raw(["the quick"])["texts"][0]
    assert len(written) == 200
    (tmp_path / "run" / "run.json").unlink()
    again = run(tmp_path, f"--data={path}", "--steps=40", "--epochs=2", "--batch-size=8", "--prompt=the ", "--resume")
    assert again["test"] == record["test"] and again["training"]["epochs_run"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "textcnn"], "must be one for language_modelling"),
        (["--steps", "10", "--epochs", "3"], "`--epochs` must divide `--steps`"),
        (["--temperature", "-1"], "`--temperature` must be at least 0"),
        (["--dataset", "shakespeare"], "Did you mean 'tinyshakespeare'"),
    ],
)
def test_what_cannot_be_is_said_at_once(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        text_generation.main(options)
    assert not list(tmp_path.iterdir())


def test_signs_that_training_does_not_have_are_left_out_and_counted(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(TEXT + "snow \u2603 snow \u2603")
    corpus, tokenizer, ids = text_generation.load(text_generation.parse_args([f"--data={path}"]))
    assert corpus.record()["notes"] == ["2 characters of the test part do not occur before it and are left out."]
    assert len(ids["test"]) == len(corpus.test) - 2 and "\u2603" not in tokenizer.vocabulary


def test_corpora_are_named_once():
    assert corpora.NAMES == ("tinyshakespeare",)
