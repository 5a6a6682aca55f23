"""Labelled texts from files and named sets, what a network has to beat on them, and the application."""

import json

import numpy as np
import pytest

import kerazoo
from kerazoo.applications.text import sentiment
from kerazoo.data import named_files, named_texts
from kerazoo.data.labelled_text_files import from_files, read_rows
from kerazoo.data.labelled_texts import LabelledTexts, TextData
from kerazoo.data.locate import data_folder
from kerazoo.evaluate.text_baselines import scores, text_baselines


def write(folder, text, name="texts.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# Files.


def test_tables_and_json_lines_say_the_same(tmp_path):
    wanted = [('a "fine" film, really', "good"), ("no", "bad")]
    files = [
        write(tmp_path, 'id,label,text\n1,good,"a ""fine"" film, really"\n2,bad,no\n'),
        write(tmp_path, 'text\tlabel\na "fine" film, really\tgood\nno\tbad\n', "a.tsv"),
        write(tmp_path, 'a "fine" film, really\tgood\r\n\r\nno\tbad\r\n', "headless.txt"),
        write(tmp_path, "\n".join(json.dumps({"label": b, "text": a}) for a, b in wanted), "a.jsonl"),
    ]
    for file in files:
        assert [row[1:] for row in read_rows(file)] == wanted, file
    assert read_rows(files[0])[1][0].endswith("texts.csv, line 3")
    other = write(tmp_path, "words,class\nyes,1\nno,0\n", "other.csv")
    assert [row[1:] for row in read_rows(other, text="words", label="class")] == [("yes", "1"), ("no", "0")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "text,label\nyes,good\nno\n", "line 3 must have 2 cells. Received: 1"),
        ("a.csv", "words,kind,id\nyes,good,1\n", "line 1, must name the columns 'text' and 'label'"),
        ("a.csv", 'text,label\n"yes,good\n', "line 2"),
        ("a.csv", "", "must have rows"),
        ("a.csv", b"text,label\nyes,good\ncaf\xe9,bad\n", "line 3, must be UTF-8. Received: byte 0xe9"),
        ("a.csv", "text,label\nyes,\n", "line 2 must have a text and a class"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": 1}\n', "line 2 must be an object with 'text' and 'label'"),
        ("a.jsonl", '{"text": "a", "label": "b"}\n{"text"\n', "line 2 must be a JSON object"),
        ("a.jsonl", '{"text": 3, "label": "b"}\n', "line 1 must have a text and a class"),
        ("a.pdf", "text", "must be a file of"),
        ("a.tsv", "text\tlabel\na\tx\nb\tx\n", "texts of two classes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        from_files(write(tmp_path, text, name))


def test_a_text_without_end_is_refused(tmp_path):
    path = write(tmp_path, "text\tlabel\n" + "a" * 1_000_001 + "\tx\n", "a.tsv")
    with pytest.raises(ValueError, match="line 2: a text must have at most 1,000,000 signs"):
        read_rows(path)


def test_a_folder_has_its_own_parts_and_what_it_lacks_is_drawn(tmp_path):
    rows = "".join(f"text {i}\t{'ab'[i % 2]}\n" for i in range(40))
    write(tmp_path, rows + "  \ta\n", "train.tsv")
    write(tmp_path, "one\tb\n", "dev.tsv")
    data = from_files(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (32, 1, 8)
    assert data.classes == ("a", "b") and data.validation.labels.tolist() == [1]
    assert data.notes[:2] == (
        "train.tsv, read as: separator tab, no header row: 'column 1' and 'column 2'.",
        "train.tsv: 1 empty texts are left out.",
    )
    assert "drawn" in data.split
    write(tmp_path, "one\tc\n", "test.tsv")
    with pytest.raises(ValueError, match="test.tsv, line 1: the class must be one of"):
        from_files(tmp_path)
    write(tmp_path, "one\ta\n", "test.csv")
    with pytest.raises(ValueError, match="must have one file test"):
        from_files(tmp_path)
    with pytest.raises(FileNotFoundError, match="existing file or folder"):
        from_files(tmp_path / "nowhere")


# Named sets.


@pytest.mark.parametrize(
    ("name", "counts", "classes", "first"),
    [
        ("sst2", (6_920, 872, 1_821), [3_310, 3_610], "a stirring , funny and finally"),
        ("tweet_emotion", (3_257, 374, 1_421), [1_400, 708, 294, 855], "“Worry is a down payment"),
        ("tweet_irony", (2_862, 955, 784), [1_417, 1_445], "seeing ppl walking"),
        ("tweet_offensive", (11_916, 1_324, 860), [7_975, 3_941], "@user Bono... who cares."),
    ],
)
def test_named_sets(name, counts, classes, first):
    archive = "sst2.zip" if name == "sst2" else "tweeteval.zip"
    if not (data_folder() / archive).is_file():
        pytest.skip(f"{archive} is not in KERAZOO_DATA_DIR")
    data = named_texts.load_texts(name)
    assert tuple(len(part) for part in (data.train, data.validation, data.test)) == counts
    assert np.bincount(data.train.labels).tolist() == classes and data.train.texts[0].startswith(first)
    assert json.dumps(data.record())
    # Of irony the paper gives one class's F1, no mean of both: nothing to stand beside.
    assert bool(data.published) == (name != "tweet_irony")


def test_a_set_that_is_nowhere_is_downloaded_by_its_checksum(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    asked = []

    def download(url, path, *, sha256, size):
        asked.append((url, path, len(sha256), size))
        raise ConnectionError(url)

    monkeypatch.setattr(named_files, "download", download)
    for name in ("sst2", "tweet_irony"):
        with pytest.raises(ConnectionError):
            named_texts.load_texts(name)
    assert asked[0][0].endswith("/data/SST2/train.tsv") and asked[0][1:] == (tmp_path / "sst2/train.tsv", 64, 720_259)
    assert asked[1][0].endswith("/datasets/irony/train_labels.txt")
    assert asked[1][1] == tmp_path / "tweeteval/irony/train_labels.txt"
    with pytest.raises(ValueError, match="Did you mean 'sst2'"):
        named_texts.load_texts("sst")


# What a network has to beat.


def test_scores_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 4, 200), rng.integers(0, 3, 200)
    found = scores(predicted, labels, "abcd")
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))


def praise(count, seed):
    """Texts whose class one word decides."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype="int32") % 2
    filler = [f"word{i}" for i in range(30)]
    texts = tuple(
        " ".join([*rng.choice(filler, 5), ("dreadful", "splendid")[label], *rng.choice(filler, 3)]) for label in labels
    )
    return LabelledTexts(texts, labels)


def test_counting_words_is_enough_where_one_word_decides():
    pytest.importorskip("sklearn")
    data = TextData("praise", ("bad", "good"), praise(80, 0), praise(20, 1), praise(40, 2))
    commonest, regression = text_baselines(data)
    assert commonest["accuracy"] == 0.5 and regression["accuracy"] == 1.0 and regression["fitted_on"] == 80


# The application.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's files."""
    path = tmp_path_factory.mktemp("praise")
    for part, seed, count in (("train", 0, 160), ("dev", 1, 40), ("test", 2, 60)):
        texts = praise(count, seed)
        rows = [f"{text}\t{('bad', 'good')[label]}\n" for text, label in zip(texts.texts, texts.labels)]
        write(path, "text\tlabel\n" + "".join(rows), f"{part}.tsv")
    return path


OPTIONS = ["--model=textcnn", "--option=embedding_size=16", "--option=filters=8", "--length=16", "--batch-size=16"]


def run(folder, out, *options):
    return kerazoo.run("sentiment", [f"--data={folder}", f"--out={out}", f"--export={out}-model", *OPTIONS, *options])


def test_users_files_from_texts_to_report(folder, tmp_path):
    pytest.importorskip("sklearn")
    record = run(folder, tmp_path / "run", "--epochs=5", "--learning-rate=0.01")
    assert record["test"]["accuracy"] > 0.95 and record["test"]["macro_f1"] > 0.95
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite", "tflite_dynamic"]
    assert all(row["same_answers"] > 0.98 for row in record["exports"])
    assert record["baselines"][1]["accuracy"] > 0.95 and record["tokenizer"]["unknown_in_test"] == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    words = [word for word in ("splendid", "dreadful") if f'0.55)">{word}</mark>' in page]
    assert words, "the word that decides is the strongest of its text"
    served = kerazoo.load(f"{tmp_path}/run-model", engine="saved_model").raw(["word1 splendid word2", "dreadful word3"])
    assert served["labels"][:, 0].tolist() == ["good", "bad"]


def test_a_stopped_run_goes_on(folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    out = tmp_path / "run"

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sentiment, "judge", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(folder, out, "--epochs=2")
    assert "--resume" in capsys.readouterr().out and not (out / "run.json").exists()
    with pytest.raises(ValueError, match="only with the configuration"):
        run(folder, out, "--epochs=2", "--unknown=0.3", "--resume")
    record = run(folder, out, "--epochs=2", "--resume")
    assert record["training"]["epochs_run"] == 2
    with pytest.raises(FileExistsError, match="never overwritten"):
        run(folder, out, "--epochs=2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model=resnet50"], "must be one for text_classification"),
        (["--unknown=1"], "at least 0 and below 1"),
        (["--length=0"], "`--length` must be at least 1"),
        (["--dataset=sst3"], "Did you mean 'sst2'"),
    ],
)
def test_mistakes_are_said_before_training(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.run("sentiment", [f"--out={tmp_path}/run", *options])
    assert not list(tmp_path.iterdir())
