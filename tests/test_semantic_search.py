"""Documents to search in, what finds them, what is exported, and the application."""

import gzip
import json
import lzma

import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.applications.text import semantic_search
from kerazoo.data import package_descriptions
from kerazoo.data.document_files import from_files
from kerazoo.data.documents import Documents
from kerazoo.data.package_descriptions import load_packages
from kerazoo.evaluate.embedder import Embedder
from kerazoo.evaluate.retrieval import Words, best, ranks, scores
from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer

pytest.importorskip("tensorflow_text")
keras_hub = pytest.importorskip("keras_hub")

LIST = """Package: gimp
Description-md5: 1
Description-en: GNU Image Manipulation Program
 GIMP is for photo retouching,
 and image composition.
 .
 It has plugins.

Package: chess
Description-md5: 2
Description-en: plays chess
 A game for two, or one and
 a computer.

Package: chess-data
Description-md5: 3
Description-en: plays chess - data
 A game for two, or one and
 a computer.

Package: empty
Description-md5: 4
Description-en: nothing more

Package: same
Description-md5: 5
Description-en: Says it twice
 says it twice

Package: german
Description-de: nur deutsch
 Ein Paket.
"""
NOUNS, VERBS = ("dog", "cat", "bird", "horse", "child"), ("runs", "sleeps", "eats", "sings")
TITLES = [f"{noun} {verb}" for noun in NOUNS for verb in VERBS]


# Documents.


@pytest.mark.parametrize(("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_package_lists_are_read(ending, pack, tmp_path):
    (tmp_path / f"mirror_main_i18n_Translation-en{ending}").write_bytes(pack(LIST.encode()))
    documents = load_packages(tmp_path)
    assert documents.labels == ("gimp", "chess")
    assert documents.titles == ("GNU Image Manipulation Program", "plays chess")
    assert documents.texts[0] == "GIMP is for photo retouching, and image composition.\nIt has plugins."
    assert documents.notes == ("1 packages share a description with another one.",)


def test_lists_packed_by_lz4_are_read(tmp_path):
    lz4 = pytest.importorskip("lz4.frame")
    (tmp_path / "mirror_main_i18n_Translation-en.lz4").write_bytes(lz4.compress(LIST.encode()))
    assert load_packages(tmp_path).labels == ("gimp", "chess")


def test_lists_that_are_missing_damaged_or_too_large_are_refused(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="apt-get -o Acquire::Languages=en update"):
        load_packages(tmp_path)
    file = tmp_path / "mirror_main_i18n_Translation-en.gz"
    file.write_bytes(gzip.compress(LIST.encode())[:-20])
    with pytest.raises(ValueError, match="is damaged"):
        load_packages(tmp_path)
    file.write_bytes(gzip.compress(LIST.encode()))
    monkeypatch.setattr(package_descriptions, "LARGEST", 100)
    with pytest.raises(ValueError, match="at most 100 bytes"):
        load_packages(tmp_path)


def test_a_folder_and_a_table_are_documents(tmp_path):
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# Rent\n\nDue on Monday.\n", encoding="utf-8")
    (folder / "deep" / "b.txt").write_text("\nTea\nGreen.", encoding="utf-8")
    (folder / "empty.txt").write_text(" \n", encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\xff")
    documents = from_files(folder)
    assert documents.labels == ("a.md", "deep/b.txt") and documents.titles == ("Rent", "Tea")
    assert documents.texts[0] == "# Rent\n\nDue on Monday." and documents.notes == (
        "1 without a text were left out.",
        "left out: picture.png: not one of .txt, .md, .rst",
    )
    table = tmp_path / "faq.csv"
    table.write_text('question,answer\n"Who, pays?",You do.\n', encoding="utf-8")
    documents = from_files(table, title="question", text="answer")
    assert (documents.labels, documents.titles, documents.texts) == (("line 2",), ("Who, pays?",), ("You do.",))
    (folder / "a.md").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match="a.md, line 1, must be UTF-8"):
        from_files(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="must have documents"):
        from_files(tmp_path / "none")
    with pytest.raises(ValueError, match="as many labels, titles and texts. Received: 1, 2 and 1"):
        Documents("x", ("a",), ("a", "b"), ("a",))


# Finding.


def test_ranks_and_their_scores():
    table = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.3, 0.2, 0.1]])
    places = ranks(lambda first, last: table[first:last], 3)
    assert places.tolist() == [1, 2, 3]  # Of two that score the same, one's own counts as the last.
    found = scores(places)
    assert found["recall_1"] == pytest.approx(1 / 3) and found["recall_10"] == 1 and found["count"] == 3
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert best(table, 2).tolist() == [[0, 2], [0, 1], [0, 1]] and best(table, 9).shape == (3, 3)


def test_many_queries_are_ranked_as_few_are(monkeypatch):
    table = np.random.default_rng(0).normal(size=(11, 20))
    wanted = ranks(lambda first, last: table[first:last], 11)
    monkeypatch.setattr("kerazoo.evaluate.retrieval.CHUNK", 3)
    np.testing.assert_array_equal(ranks(lambda first, last: table[first:last], 11), wanted)


def test_words_find_what_shares_rare_ones():
    found = Words(["the dog runs", "the cat runs", "the the the"])(["a dog", "cat the", "nothing"])
    assert found.argmax(axis=1)[:2].tolist() == [0, 1] and (found[2] == 0).all()


def encoder(length=None):
    pieces = WordPieceTokenizer.learn(TITLES, size=100, length=length)
    arguments = dict(catalog.entry("minilm_l6").smoke) | {"vocabulary_size": pieces.size, "length": None}
    return kerazoo.build("minilm_l6", seed=0, **arguments), pieces


def test_vectors_come_in_the_order_of_their_texts():
    model, pieces = encoder(length=10)
    texts = ["dog", "dog runs cat sleeps bird", "", "cat eats", "horse " * 50]
    received = Embedder(model, pieces, batch_size=2)(texts)
    wanted = np.concatenate([model(pieces([text])) for text in texts])
    np.testing.assert_allclose(received, wanted, atol=1e-5)
    assert Embedder(model, pieces)([]).shape == (0, 16)


def test_an_exported_encoder_takes_texts(tmp_path):
    model, pieces = encoder(length=10)
    options = {"formats": ("saved_model",), "signature": "raw", "representative_data": pieces(TITLES[:4]).numpy()}
    report = kerazoo.export(model, tmp_path / "e", tokenizer=pieces, metadata={"output": "vectors"}, **options)
    engine = kerazoo.load(report.path, engine="saved_model")
    received = np.asarray(engine.raw(TITLES)["vectors"])
    np.testing.assert_allclose(received, model(pieces(TITLES)), atol=1e-5)
    two = kerazoo.build("bilstm_crf", **catalog.entry("bilstm_crf").smoke)
    with pytest.raises(ValueError, match="must take .* integers alone"):
        data, _ = catalog.entry("bilstm_crf").sample(np.random.default_rng(0), 2)
        kerazoo.export(
            two,
            tmp_path / "f",
            tokenizer=pieces,
            metadata={"output": "vectors"},
            **options | {"representative_data": data},
        )


# The application.


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of keras-hub with a small encoder and its pieces: random, but the same words give the same vectors."""
    folder = tmp_path_factory.mktemp("weights")
    pieces = WordPieceTokenizer.learn(TITLES, size=100)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=pieces.size,
        num_layers=1,
        num_heads=2,
        hidden_dim=384,
        intermediate_dim=16,
        max_sequence_length=512,
    )
    backbone.save_to_preset(folder)
    (folder / "vocab.txt").write_text("\n".join(pieces.vocabulary), encoding="utf-8")
    return folder, pieces.size


@pytest.fixture
def small(weights, monkeypatch):
    """The application's encoder at the size of the small weights."""
    folder, size = weights
    build = kerazoo.build
    sizes = {"depth": 1, "heads": 2, "hidden": 16, "vocabulary_size": size}
    monkeypatch.setattr(semantic_search.kerazoo, "build", lambda name, **given: build(name, **sizes, **given))
    return folder


def run(folder, *options):
    return semantic_search.main([f"--out={folder / 'run'}", f"--export={folder / 'exported'}", *options])


def test_from_documents_to_an_index_that_is_searched_again(small, tmp_path, capsys, monkeypatch):
    path = tmp_path / "d.tsv"
    rows = [f"{title}\t{title}, says the report" for title in TITLES]
    path.write_text("\n".join(["title\ttext", *rows]), encoding="utf-8")
    options = (f"--data={path}", f"--weights={small}", "--length=16")
    record = run(tmp_path, *options, "--judged=10", "--query=dog runs", "--hits=2", "--json")
    assert json.loads(capsys.readouterr().out) == record == json.loads((tmp_path / "run/run.json").read_text())
    assert record["test"]["count"] == 10 and record["baselines"][0]["recall_10"] == 1
    assert len(record["queries"][0]["hits"]) == 2 and record["samples"][0]["own"] in range(20)
    assert {row["form"] for row in record["exports"]} == {"saved_model", "tflite", "tflite_dynamic"}
    assert all(row["cosine"] > 0.98 for row in record["exports"])
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "Your queries" in page and "dog runs" in page and "Finding a document by its title" in page
    vectors = np.load(tmp_path / "run/vectors.npy")
    assert vectors.shape == (20, 384)
    again = semantic_search.main([f"--index={tmp_path / 'run'}", "--query=dog runs", "--hits=2"])
    assert [hit["label"] for hit in again["queries"][0]["hits"]] == [
        hit["label"] for hit in record["queries"][0]["hits"]
    ]
    typed = iter(["cat eats", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    assert [found["query"] for found in semantic_search.main([f"--index={tmp_path / 'run'}"])["queries"]] == [
        "cat eats"
    ]
    np.save(tmp_path / "run/vectors.npy", vectors[:3])
    with pytest.raises(ValueError, match="must hold a vector for each of 20 documents"):
        semantic_search.main([f"--index={tmp_path / 'run'}", "--query=x"])
    np.save(tmp_path / "run/vectors.npy", np.array([{}] * 20, dtype=object))
    with pytest.raises(ValueError, match="vectors.npy must be an array of numbers"):
        semantic_search.main([f"--index={tmp_path / 'run'}", "--query=x"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--model=textcnn"], ValueError, "must be one for sentence_embedding. Received: 'textcnn'"),
        (["--length=2"], ValueError, "`--length` must be 3 to 512. Received: 2"),
        (["--hits=0"], ValueError, "`--hits` must be at least 1"),
        (["--index=nowhere"], FileNotFoundError, "must be the folder of a finished run. Received: nowhere"),
        (["--data=nowhere.csv"], FileNotFoundError, "existing file"),
        (["--vocabulary=nowhere.txt"], FileNotFoundError, "`--vocabulary` must be a vocab.txt"),
    ],
)
def test_what_cannot_be_is_said_at_once(options, error, message, tmp_path, monkeypatch):
    monkeypatch.setattr("kerazoo.data.package_descriptions.LISTS", tmp_path)
    (tmp_path / "d_i18n_Translation-en").write_text(LIST)
    monkeypatch.setattr("kerazoo.data.package_descriptions.load_packages.__defaults__", (tmp_path,))
    with pytest.raises(error, match=message):
        run(tmp_path, *options)
