"""Pieces of words, pairs of texts, what a translator has to beat, its export, and the application."""

import argparse
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.applications import text_pairs
from kerazoo.applications.text import translation
from kerazoo.data.locate import data_folder
from kerazoo.data.named_translations import load_translations
from kerazoo.data.pair_batches import pair_batches
from kerazoo.data.parallel_files import from_files
from kerazoo.data.parallel_texts import ParallelData, ParallelTexts
from kerazoo.data.splits import limited
from kerazoo.evaluate.language import surprises
from kerazoo.evaluate.translation import by_length, scores
from kerazoo.evaluate.word_by_word import WordByWord
from kerazoo.exporters import parity
from kerazoo.generation.attention import looked_at
from kerazoo.generation.translator import Translator
from kerazoo.layers.sentencepiece_tokenizer import SentencePieceTokenizer

NOUNS = {"dog": "Hund", "man": "Mann", "bird": "Vogel", "boy": "Junge", "horse": "Esel", "child": "Knirps"}
VERBS = {"runs": "rennt", "sleeps": "schläft", "eats": "isst", "sings": "singt"}
# "the dog runs and sings": as many as there are, each noun and verb with its own translation.
PAIRS = [
    (f"the {noun} {one} and {other}.", f"der {NOUNS[noun]} {VERBS[one]} und {VERBS[other]}.")
    for noun in NOUNS
    for one in VERBS
    for other in VERBS
]
SOURCE, TARGET = (tuple(side) for side in zip(*PAIRS))


@pytest.fixture(scope="module")
def pieces():
    return SentencePieceTokenizer.learn(SOURCE + TARGET, size=80)


def model_of(tokenizer, **options):
    arguments = dict(catalog.entry("transformer_tiny").smoke) | {"vocabulary_size": tokenizer.size, "length": None}
    return kerazoo.build("transformer_tiny", seed=0, **(arguments | {"context": 64} | options))


# Pieces of words.


@pytest.mark.parametrize(("kind", "size"), [("bpe", 70), ("unigram", 45)])
def test_texts_go_there_and_back(kind, size):
    tokenizer = SentencePieceTokenizer.learn(SOURCE + TARGET, size=size, kind=kind)
    ids = tokenizer.ragged(SOURCE + TARGET)
    assert [text.decode() for text in tokenizer.texts(ids).numpy()] == list(SOURCE + TARGET)
    assert tokenizer.size == size and int(tf.reduce_min(ids)) >= 4 and int(tf.reduce_max(ids)) < size
    assert "".join(tokenizer.pieces(ids[0])).replace("\u2581", " ").strip() == SOURCE[0]
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    )
    assert again.ragged(SOURCE).to_list() == tokenizer.ragged(SOURCE).to_list()


def test_any_text_has_ids_in_range(pieces):
    texts = ["", "   ", "a man \N{GRINNING FACE}", b"caf\xe9 \xff", "x" * 100_000, "<s> </s> <pad>", "the\tdog\n runs"]
    ids = pieces.ragged(texts)
    assert ids.row_lengths().numpy()[:2].tolist() == [0, 0] and int(tf.reduce_max(ids)) < pieces.size
    assert 3 in ids[2].numpy() and 3 in ids[3].numpy()
    assert not {0, 1, 2} & set(ids.flat_values.numpy().tolist())  # No text can end another, or pad it.
    assert ids[6].numpy().tolist() == pieces.ragged(["the dog runs"])[0].numpy().tolist()
    assert pieces.texts([[1, *ids[6].numpy(), 2, 0, 0]]).numpy().tolist() == [b"the dog runs"]


def test_a_length_cuts_and_pads(pieces):
    tokenizer = SentencePieceTokenizer(pieces.model, length=3)
    ids = tokenizer(["the dog runs and sings.", "a"]).numpy()
    assert ids.shape == (2, 3) and ids[1, -1] == 0
    assert ids[0].tolist() == pieces.ragged(["the dog runs and sings."])[0].numpy()[:3].tolist()


def test_a_tokenizer_lives_on_when_a_seed_is_set(pieces):
    before = pieces.ragged(["the dog"]).to_list()
    keras.utils.set_random_seed(3)  # Takes tensorflow-text's kernels with it.
    assert pieces.ragged(["the dog"]).to_list() == before
    keras.utils.set_random_seed(4)
    data = tf.data.Dataset.from_tensor_slices(["the dog"]).batch(1).map(pieces)
    assert next(iter(data)).numpy().tolist() == before


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_few_texts_give_as_many_pieces_as_they_can(kind, capsys):
    """A vocabulary larger than a small corpus has is no error: the largest that it gives, and a note."""
    texts = ["the dog runs", "a cat sleeps"] * 4
    pieces = SentencePieceTokenizer.learn(texts, size=8000, kind=kind)
    signs = len(set("".join(texts)) - {" "}) + 1  # And the mark of a word's beginning.
    assert 4 + signs <= pieces.size < 100
    assert [text.decode() for text in pieces.texts(pieces.ragged(texts[:2])).numpy()] == texts[:2]
    part = ParallelTexts(tuple(texts), tuple(texts[::-1]))
    data = ParallelData("few", "en", "de", part, part, part)
    arguments = argparse.Namespace(vocabulary=8000)
    learned, noted = text_pairs.learn_pieces(arguments, data, kind)
    assert learned.size == pieces.size
    assert noted.notes == (f"The training texts give {pieces.size} pieces, fewer than the 8,000 of --vocabulary.",)
    assert noted.notes[0] in capsys.readouterr().out
    fits = argparse.Namespace(vocabulary=pieces.size)
    assert text_pairs.learn_pieces(fits, data, kind)[1].notes == () and not capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SentencePieceTokenizer(b"no model"), "what SentencePiece's trainer wrote"),
        (lambda: SentencePieceTokenizer("no base64!"), "what SentencePiece's trainer wrote"),
        (lambda: SentencePieceTokenizer.learn(["abc", "dcd"], size=6), "at least 9, to hold every sign.*Received: 6"),
        (lambda: SentencePieceTokenizer.learn([], size=50), "a text with signs.*Received: 0 empty"),
        (lambda: SentencePieceTokenizer.learn(["", " "], size=50), "a text with signs.*Received: 2 empty"),
        (lambda: SentencePieceTokenizer.learn(SOURCE, kind="bpee"), "Did you mean 'bpe'"),
        (lambda: SentencePieceTokenizer.learn(SOURCE, size=60, length=0), "`length` must be None or a positive"),
    ],
)
def test_pieces_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_not_installed_is_named(monkeypatch, pieces):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ImportError, match=r"pip install \"kerazoo\[text\]\""):
        SentencePieceTokenizer(pieces.model)


# Pairs of texts.


def write(folder, name, lines):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_files_of_pairs_say_the_same(tmp_path):
    for part, share in (("train", slice(0, 80)), ("dev", slice(80, 88)), ("test", slice(88, 96))):
        write(tmp_path / "lines", f"{part}.en", SOURCE[share])
        write(tmp_path / "lines", f"{part}.de", TARGET[share])
        rows = [json.dumps({"en": one, "de": other}) for one, other in PAIRS[share]]
        write(tmp_path / "tables", f"{part}.jsonl", rows)
    for folder in ("lines", "tables"):
        data = from_files(tmp_path / folder, source="en", target="de")
        assert (data.train.source, data.train.target) == (SOURCE[:80], TARGET[:80])
        assert data.validation.target == TARGET[80:88] and data.test.source == SOURCE[88:]
        assert json.dumps(data.record())
    write(tmp_path, "pairs.tsv", ["en\tde", *("\t".join(pair) for pair in PAIRS), "alone\t "])
    data = from_files(tmp_path / "pairs.tsv", source="en", target="de", seed=3)
    assert data.notes[1:] == ("pairs.tsv: 1 pairs with an empty side are left out.",)
    parts = (data.train, data.validation, data.test)
    assert sorted(text for part in parts for text in part.source) == sorted(SOURCE) and len(data.test) == 5
    assert all(PAIRS[SOURCE.index(one)][1] == other for part in parts for one, other in zip(part.source, part.target))
    assert [len(part) for part in (limited(data, 4).train, limited(data, 4).test)] == [4, 4]


def test_what_is_wrong_with_pairs_is_said(tmp_path):
    write(tmp_path / "a", "train.en", ["one", "two"])
    with pytest.raises(ValueError, match=r"one file train with an ending of \['.de'\]. Received: none"):
        from_files(tmp_path / "a", source="en", target="de")
    write(tmp_path / "a", "train.de", ["eins"])
    with pytest.raises(ValueError, match="must have as many lines. Received: 2 and 1"):
        from_files(tmp_path / "a", source="en", target="de")
    write(tmp_path / "a", "train.de", ["eins", "zwei"])
    with pytest.raises(ValueError, match="at least 11 pairs. Received: 2"):
        from_files(tmp_path / "a", source="en", target="de")
    write(tmp_path / "a", "test.de", ["eins", "zwei"])
    with pytest.raises(ValueError, match="each part in both languages"):
        from_files(tmp_path / "a", source="en", target="de")
    write(tmp_path, "a.jsonl", ['{"en": "one", "de": 1}'])
    with pytest.raises(ValueError, match="line 1 must have two texts. Received: 'one' and 1"):
        from_files(tmp_path / "a.jsonl", source="en", target="de")
    with pytest.raises(FileNotFoundError, match="existing file"):
        from_files(tmp_path / "nowhere", source="en", target="de")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "multi30"}, "Did you mean 'multi30k'"),
        ({"target": "es"}, "language of multi30k"),
        ({"source": "de"}, "must differ. Received: 'de' twice"),
    ],
)
def test_sets_that_are_not_there(options, message):
    with pytest.raises(ValueError, match=message):
        load_translations(**({"name": "multi30k"} | options))


@pytest.mark.skipif(not (data_folder() / "multi30k.zip").is_file(), reason="needs multi30k.zip")
def test_multi30k_is_aligned():
    data = load_translations("multi30k", source="de", target="en")
    assert (len(data.train), len(data.validation), len(data.test)) == (29_000, 1_014, 1_000)
    assert data.train.target[0] == "Two young, White males are outside near many bushes."
    assert data.test.source[0].startswith("Ein Mann mit einem orangefarbenen Hut")


def test_batches_have_every_pair_once_and_shift_the_target():
    rng = np.random.default_rng(0)
    sides = [tf.ragged.constant([rng.integers(5, 50, n).tolist() for n in rng.integers(1, 20, 203)]) for _ in range(2)]
    data = pair_batches(*sides, batch_size=16, training=True, seed=1)
    wanted = sorted(zip(*(map(tuple, side.to_list()) for side in sides)))
    epochs, padded, real = [], 0, 0
    for _ in range(2):
        seen = []
        for inputs, following in data.as_numpy_iterator():
            for source, tokens, after in zip(inputs["source"], inputs["tokens"], following):
                source, after = (row[: row.tolist().index(2)] for row in (source, after))
                assert tokens[0] == 1 and tokens[1 : len(after) + 1].tolist() == after.tolist()
                assert not tokens[len(after) + 1 :].any()
                seen.append((tuple(source.tolist()), tuple(after.tolist())))
            padded, real = padded + following.size, real + np.count_nonzero(following)
        assert sorted(seen) == wanted
        epochs.append(seen)
    assert epochs[0] != epochs[1] and padded < 1.3 * real
    cut, following = next(pair_batches(*sides, batch_size=203, length=6).as_numpy_iterator())
    assert cut["source"].shape == cut["tokens"].shape == following.shape == (203, 6)
    long = np.asarray(sides[0].row_lengths()) > 5
    assert (cut["source"][long, -1] == 2).all()
    with pytest.raises(ValueError, match="as many targets as sources"):
        pair_batches(sides[0], sides[1][:5], batch_size=2)


# Scores and baselines.


def test_bleu_is_sacrebleus():
    sacrebleu = pytest.importorskip("sacrebleu")
    said, wanted = ["the dog runs fast", "a man sleeps here now"], ["the dog runs slowly", "a man sleeps here today"]
    found = scores(said, wanted)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(said, [wanted]).score)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(said, [wanted]).score)
    assert found["bleu_95"][0] <= found["bleu"] <= found["bleu_95"][1] + 5 and "tok:13a" in found["signature"]
    with pytest.raises(ValueError, match="a reference for every hypothesis. Received: 1, 2"):
        scores(said, wanted[:1])


def test_bleu_by_length_takes_every_text_once():
    sources = ["a " * n for n in range(1, 41)]
    rows = by_length(["x y z w v"] * 40, ["x y z w v"] * 40, sources)
    assert [row[0] for row in rows] == [11, 21, 31, 40] and sum(row[2] for row in rows) == 40
    assert all(bleu == pytest.approx(100) for _, bleu, _ in rows)


def test_counting_finds_each_words_translation():
    # Without these no count tells apart what every sentence has.
    known = WordByWord((*SOURCE, "the", "and", "."), (*TARGET, "der", "und", "."))
    assert known.translate(["The horse sings and runs.", "the Elephant sleeps!"]) == [
        "Der Esel singt und rennt.",
        "Der Elephant schläft!",
    ]


def test_what_every_text_has_stands_for_no_word_of_many_translations():
    articles = ("ein", "eine", "einen", "einem")
    source = [f"a {noun}." for noun in NOUNS for _ in articles] + [f"{noun}." for noun in NOUNS]
    target = [f"{article} {noun}." for noun in NOUNS.values() for article in articles]
    known = WordByWord(source, target + [f"{noun}." for noun in NOUNS.values()])
    assert known.translate(["a dog."])[0].lower() in [f"{article} hund." for article in articles]


def test_padding_is_no_surprise():
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    nats = surprises(lambda inputs: logits, [({"tokens": [[1, 1]]}, np.array([[1, 0]]))], padding=0)
    np.testing.assert_allclose(nats, [-np.log(0.25)])


# Translating.


def test_a_translation_is_the_searchs_whatever_the_other_texts(pieces):
    model = model_of(pieces)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    translator = Translator(model, pieces)
    together = translator([SOURCE[9] * 9, *SOURCE[:5], ""], batch_size=3)
    assert len(together) == 7
    alone = [translator([text])[0] for text in SOURCE[:3]]
    assert together[1:4] == alone and translator([]) == []


def test_shares_of_attention_are_those_of_the_layer(pieces):
    model = model_of(pieces, depth=2)
    source, tokens = np.array([[5, 6, 7, 2, 0]]), np.array([[1, 8, 9]])
    shares = looked_at(model, source, tokens)
    assert shares.shape == (2, 1, 2, 3, 5)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    assert shares[..., 4].max() < 1e-6  # Padding is not seen.
    layer = model.get_layer("decoder2_memory")
    queries, keys, values, there = keras.Model(model.input, layer.input)({"source": source, "tokens": tokens})
    mixed = np.einsum("bhts,bhsc->bthc", shares[1], np.asarray(values).reshape(1, 5, 2, -1).transpose(0, 2, 1, 3))
    np.testing.assert_allclose(mixed.reshape(1, 3, -1), layer(queries, keys, values, there), atol=1e-5)
    assert looked_at(model_of(pieces), source, tokens).shape == (1, 1, 2, 3, 5)
    with pytest.raises(ValueError, match="layers with `shares`"):
        looked_at(kerazoo.build("gpt_nano"), source, tokens)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam": 2}, "Did you mean 'beams'"),
        ({"beams": 0}, '`beams` of "generate" must be a positive integer'),
        ({"tokens": 64}, "fewer than the model's positions"),
    ],
)
def test_settings_of_an_export_that_cannot_be(tmp_path, pieces, settings, message):
    options = {"formats": ("saved_model",), "signature": "raw", "tokenizer": pieces}
    with pytest.raises(ValueError, match=message):
        kerazoo.export(model_of(pieces), tmp_path / "export", metadata={"generate": settings}, **options)
    with pytest.raises(ValueError, match="the same number of ids"):
        kerazoo.export(model_of(pieces, vocabulary_size=30), tmp_path / "export", **options)


# The application.

SMALL = [
    *("--option=depth=1", "--option=width=32", "--option=hidden=64", "--option=dropout=0", "--option=context=64"),
    *("--vocabulary=80", "--length=24", "--average=0.9", "--batch-size=16", "--beams=2", "--source=en", "--target=de"),
]


def run(folder, *options):
    return translation.main([*SMALL, *options, f"--out={folder}/run", f"--export={folder}/export"])


def test_from_pairs_to_a_report_and_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    order = np.random.default_rng(0).permutation(len(PAIRS))
    for part, share in (("train", order[:80]), ("dev", order[80:88]), ("test", order[88:])):
        write(tmp_path / "own", f"{part}.en", [SOURCE[place] for place in share])
        write(tmp_path / "own", f"{part}.de", [TARGET[place] for place in share])
    options = [f"--data={tmp_path}/own", "--epochs=24", "--learning-rate=0.02", "--translate=the dog runs and runs."]
    record = run(tmp_path, *options, "--json")
    assert json.loads(capsys.readouterr().out) == record == json.loads((tmp_path / "run" / "run.json").read_text())
    # Three words of the source decide each of the target: a network that reads it all has learned it.
    assert record["test"]["bleu"] > 45 and record["test"]["count"] == 8
    assert [row["name"] for row in record["baselines"]] == ["word by word (IBM's model 1)", "the source as it is"]
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite", "tflite_dynamic"]
    assert record["exports"][0]["bleu"] == pytest.approx(record["test"]["bleu"])
    assert record["exports"][0]["nats"] == pytest.approx(record["exports"][1]["nats"], rel=1e-4)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What it looked at" in page and "the dog runs and runs." in page
    loaded = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model")
    assert loaded.raw(["the dog runs and runs."])["texts"][0] == record["own"][0]["translation"]
    # Where nothing has registered tensorflow-text's operations yet.
    load = f"kerazoo.load({str(tmp_path / 'export')!r}, engine='saved_model')"
    program = f"import kerazoo; print({load}.raw(['the dog runs and runs.'])['texts'][0])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert record["own"][0]["translation"] in done.stdout, done.stderr
    (tmp_path / "run" / "run.json").unlink()
    monkeypatch.setitem(parity.TOLERANCES, ("tflite", "dynamic"), 1e-9)
    monkeypatch.setattr(parity, "AGREEMENT", 1.1)
    again = run(tmp_path, *options, "--resume")
    assert again["test"] == record["test"] and again["training"]["epochs_run"] == 24
    # What falls short is left out and said; the run goes on.
    assert [row["form"] for row in again["exports"]] == ["saved_model", "tflite"]
    assert "left_out" not in record and "tflite_dynamic" in again["left_out"][0]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Files left out" in page and "The tflite_dynamic" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "textcnn"], "must be one for translation"),
        (["--source", "de"], "`--source` and `--target` must differ"),
        (["--length", "300"], "`--length` must be at most 256"),
        (["--average", "1"], "`--average` must be at least 0 and below 1"),
        (["--dataset", "multi30"], "Did you mean 'multi30k'"),
    ],
)
def test_what_cannot_be_is_said_at_once(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        translation.main(options)
    assert not list(tmp_path.iterdir())
