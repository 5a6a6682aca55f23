"""Conditional random fields against all sequences, tagged texts, entities and their scores, the application."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo.applications.text import named_entities
from kerazoo.data.conll_files import from_files, read_conll
from kerazoo.data.locate import data_folder
from kerazoo.data.named_tags import load_tagged
from kerazoo.data.splits import limited
from kerazoo.data.tagged_batches import tagged_batches
from kerazoo.data.tagged_texts import TaggedTexts
from kerazoo.decoding import with_tags
from kerazoo.evaluate.entities import entities, scores
from kerazoo.evaluate.tag_baselines import commonest, features_crf
from kerazoo.layers.crf_potentials import CRFPotentials, may_follow
from kerazoo.layers.linear_chain import best_path, log_partition, path_score
from kerazoo.layers.tagger_tokenizer import TaggerTokenizer
from kerazoo.losses.chain_likelihood import ChainLikelihood

# Linear chains.


def chains(batch=6, longest=5, tags=3, seed=0):
    rng = np.random.default_rng(seed)
    potentials = rng.normal(0, 2, (batch, longest, tags, tags)).astype("float32")
    potentials[:, 0] = potentials[:, 0, :1]
    present = np.arange(longest) < np.array([5, 1, 3, 4, 2, 5])[:batch, None]
    return potentials, present


def all_paths(potentials, length):
    """{tags: score} of every sequence of one text."""
    found = {}
    for tags in itertools.product(range(potentials.shape[-1]), repeat=length):
        found[tags] = potentials[0, 0, tags[0]]
        found[tags] += sum(potentials[t, tags[t - 1], tags[t]] for t in range(1, length))
    return found


@pytest.mark.parametrize("jit_compile", [False, True])
def test_chains_equal_the_sum_and_the_best_of_all_sequences(jit_compile):
    potentials, present = chains()

    @tf.function(jit_compile=jit_compile)
    def compute(x, there):
        return log_partition(x, there), *best_path(x, there)

    total, best, best_score = (x.numpy() for x in compute(tf.constant(potentials), tf.constant(present)))
    for row, there in enumerate(present):
        length = int(there.sum())
        paths = all_paths(potentials[row], length)
        assert total[row] == pytest.approx(np.logaddexp.reduce(list(paths.values())), abs=1e-4)
        wanted = max(paths, key=paths.get)
        assert best[row].tolist() == [*wanted, *[-1] * (5 - length)]
        assert best_score[row] == pytest.approx(paths[wanted], abs=1e-4)
        for tags in ((0, 1, 2, 1, 0), (2, 2, 0, 0, 1)):
            given = np.where(there, tags, -1)[None]
            found = path_score(potentials[row : row + 1], given, there[None])
            assert float(found[0]) == pytest.approx(paths[tags[:length]], abs=1e-4)


def test_likelihood_and_its_gradient_are_those_of_the_chances():
    potentials, _ = chains(batch=2, longest=3)
    tags = np.array([[0, 2, 1], [1, 1, -1]])
    x = tf.constant(potentials)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = ChainLikelihood(reduction="sum")(tags, x)
    gradient = tape.gradient(loss, x).numpy()
    wanted = 0.0
    for row, length in enumerate((3, 2)):
        paths = all_paths(potentials[row], length)
        total = np.logaddexp.reduce(list(paths.values()))
        wanted += total - paths[tuple(tags[row, :length])]
        step = sum(np.exp(score - total) for path, score in paths.items() if path[:2] == (1, 1))
        right = tuple(tags[row, :2]) == (1, 1)
        assert gradient[row, 1, 1, 1] == pytest.approx(step - right, abs=1e-4)
        assert not gradient[row, length:].any()
    assert float(loss) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("tags", [("O", "B-X", "I-X", "B-Y", "I-Y"), ("O", "B-X", "I-X", "E-X", "S-X")])
def test_no_best_path_has_what_cannot_be(tags):
    layer, rng = CRFPotentials(tags), np.random.default_rng(0)
    present = np.arange(7) < rng.integers(1, 8, (200, 1))
    answers, _ = best_path(layer(rng.normal(0, 8, (200, 7, 5)).astype("float32"), present), present)
    seen = set()
    for row in answers.numpy():
        names = ["", *(tags[place] for place in row if place >= 0), ""]
        seen.update(zip(names, names[1:]))
    allowed = may_follow(["", *tags, ""])
    names = ["", *tags]
    wanted = {(one, other) for i, one in enumerate(names) for j, other in enumerate(names) if allowed[i, j]}
    assert seen == wanted - {("", "")}  # And all that can be occurs.
    assert ("O", "I-X") not in seen and ("", "I-X") not in seen and ("B-X", "I-X") in seen
    assert (("B-X", "") in seen) == ("E-X" not in tags) and ("B-X", "I-Y") not in seen


def test_scores_of_begin_and_end_are_of_the_places_that_are_there():
    layer = CRFPotentials(["A", "B"])
    scores_, present = np.zeros((2, 4, 2), "float32"), np.array([[True] * 4, [True, True, False, False]])
    layer.build(scores_.shape, present.shape)
    layer.set_weights([np.array([[0, 1], [2, 3.0]]), np.array([10, 20.0]), np.array([100, 200.0])])
    found = layer(scores_, present).numpy()
    np.testing.assert_array_equal(found[:, 0], [[[10, 20], [10, 20]]] * 2)
    np.testing.assert_array_equal(found[0, 3], [[100, 201], [102, 203]])
    np.testing.assert_array_equal(found[1, 1], [[100, 201], [102, 203]])
    np.testing.assert_array_equal(found[0, 1], [[0, 1], [2, 3]])
    for tags in (["A"], ["A", "A"]):
        with pytest.raises(ValueError, match="at least two names, each once"):
            CRFPotentials(tags)


# The model.


def words(batch=5, length=7, seed=0):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, 20, (batch, length)).astype("int32")
    letters = rng.integers(1, 12, (batch, length, 5)).astype("int32")
    tokens[0, 3:], letters[0, 3:] = 0, 0
    letters[1, :, 2:] = 0
    return {"tokens": tokens, "characters": letters}


def tagger(**options):
    sizes = {"vocabulary_size": 20, "characters": 12, "word_length": 5, "units": 6, "tags": ("O", "B-X", "I-X")}
    model = kerazoo.build("bilstm_crf", seed=0, **(sizes | options))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def test_padding_changes_no_tag_and_no_score():
    model, x = tagger(), words()
    longer = {
        "tokens": np.pad(x["tokens"], [(0, 0), (0, 4)]),
        "characters": np.pad(x["characters"], [(0, 0), (0, 4), (0, 0)]),
    }
    there = x["tokens"] > 0
    np.testing.assert_allclose(model(longer).numpy()[:, :7][there], model(x).numpy()[there], atol=1e-4)
    run = with_tags(model)
    np.testing.assert_array_equal(run(longer)["tags"][:, :7], run(x)["tags"])
    assert (run(longer)["tags"].numpy()[:, 7:] == -1).all()
    wider = tagger(word_length=9)
    wider.set_weights(model.get_weights())
    longer = x | {"characters": np.pad(x["characters"], [(0, 0), (0, 0), (0, 4)])}
    np.testing.assert_allclose(wider(longer).numpy()[there], model(x).numpy()[there], atol=1e-4)


def test_every_word_hears_of_those_before_and_after_it_and_of_its_letters():
    model, x = tagger(), words()
    before = model(x).numpy()
    for name, place, index in (("tokens", 0, (2, 0)), ("tokens", 6, (2, 6)), ("characters", 3, (2, 3, 1))):
        other = {key: value.copy() for key, value in x.items()}
        other[name][index] = other[name][index] % 11 + 1
        moved = np.abs(model(other).numpy() - before).max(axis=(2, 3))
        assert moved[2].min() > 1e-5 and not moved[3].any(), (name, place)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"units": 0}, "`units` must be a positive"), ({"dropout": 1.0}, "`dropout`"), ({"tags": ("O",)}, "two names")],
)
def test_taggers_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("bilstm_crf", **options)
    with pytest.raises(ValueError, match="must end in a conditional random field"):
        with_tags(kerazoo.build("textcnn"))


# Files.

CONLL = "-DOCSTART- O\n\nAda NNP B-PER\nLovelace NNP I-PER\nwrote V O\n\nin P O\nParis NNP I-LOC\n"


def test_columns_are_read_and_beginnings_repaired(tmp_path):
    texts, notes = read_conll(CONLL, "a.conll")
    assert texts.words == (("Ada", "Lovelace", "wrote"), ("in", "Paris"))
    assert texts.tags == (("B-PER", "I-PER", "O"), ("O", "B-LOC"))
    assert notes == ["a.conll: 1 texts had entities that begin with I-; they begin with B- now."]
    other, _ = read_conll("Ada I-PER\nRome I-LOC\nRome B-LOC\n")
    assert other.tags == (("B-PER", "B-LOC", "B-LOC"),)
    tabs, _ = read_conll("New York\tB-LOC\r\n\r\nhere\tO\r\n")
    assert tabs.words == (("New York",), ("here",))
    (tmp_path / "own.conll").write_text("\n".join(f"w{i} O\nParis B-LOC\n" for i in range(30)))
    data = from_files(tmp_path / "own.conll", seed=1)
    assert (len(data.train), len(data.validation), len(data.test)) == (24, 3, 3)
    assert data.tags == ("O", "B-LOC", "I-LOC") and "drawn" in data.split and json.dumps(data.record())
    said = {text[0] for part in (data.train, data.validation, data.test) for text in part.words}
    assert len(said) == 30 and len(limited(data, 2).train) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ada B-PER\nwrote\n", "a.conll, line 2, must be a word and its tag"),
        ("Ada PER\n", "line 1, must be a word and its tag: O, B-kind or I-kind. Received: 'Ada PER'"),
        ("Ada B-\n", "line 1"),
        ("Ada O\n", "must have entities"),
        ("Ada B-PER\n", "at least 6 texts"),
    ],
)
def test_what_is_wrong_with_columns_is_said(tmp_path, text, message):
    (tmp_path / "a.conll").write_text(text)
    with pytest.raises(ValueError, match=message):
        from_files(tmp_path / "a.conll")


def test_a_kind_that_training_does_not_have_is_refused(tmp_path):
    (tmp_path / "train.conll").write_text("Ada B-PER\n\n" * 20)
    (tmp_path / "test.conll").write_text("Paris B-LOC\n")
    with pytest.raises(ValueError, match=r"test.conll has tags that training does not have: \['B-LOC', 'I-LOC'\]"):
        from_files(tmp_path)


@pytest.mark.parametrize(
    ("name", "archive", "counts", "tags"),
    [
        ("wnut17", "wnut17.zip", (3394, 1009, 1287), 13),
        ("conll2002_es", "nltk.zip", (8323, 1915, 1517), 9),
        ("conll2002_nl", "nltk.zip", (15_806, 2895, 5195), 9),
    ],
)
def test_named_sets(name, archive, counts, tags):
    if not (data_folder() / archive).is_file():
        pytest.skip(f"{archive} is not in KERAZOO_DATA_DIR")
    data = load_tagged(name)
    assert (len(data.train), len(data.validation), len(data.test)) == counts and len(data.tags) == tags


# Ids and batches.


def test_words_are_merged_and_letters_are_not():
    tokenizer = TaggerTokenizer.learn([["Paris", "in", "1999"], ["paris", "1850", "!"]], word_length=4)
    assert tokenizer.vocabulary[:2] == ["0000", "paris"] and tokenizer.characters == len(set("Parisn1985p0in!")) + 2
    ids = tokenizer(["PARIS 2024", "", "zut \N{GRINNING FACE}"])
    assert ids["tokens"].numpy().tolist() == [[3, 2], [0, 0], [1, 1]]
    assert ids["characters"].shape == (3, 2, 4) and not ids["characters"][1].numpy().any()
    upper, lower = (tokenizer([text])["characters"].numpy()[0, 0] for text in ("Paris", "paris"))
    assert upper[0] != lower[0] and upper[1:].tolist() == lower[1:].tolist()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    again = keras.saving.deserialize_keras_object(config)
    assert again(["in Paris"])["characters"].numpy().tolist() == tokenizer(["in Paris"])["characters"].numpy().tolist()
    long = tokenizer(["x" * 100_000, b"caf\xe9"])
    assert int(tf.reduce_max(long["tokens"])) < tokenizer.size
    for wrong in (["a", "a"], ["a", ""]):
        with pytest.raises(ValueError, match="everything once"):
            TaggerTokenizer(wrong, "a")


def tagged(count=101):
    rng = np.random.default_rng(0)
    texts = [[f"w{rng.integers(0, 60)}" for _ in range(rng.integers(1, 15))] for _ in range(count)]
    tokenizer = TaggerTokenizer.learn(texts)
    tags = tf.ragged.constant([[len(word) % 3 for word in text] for text in texts], dtype=tf.int32)
    return texts, tokenizer, (*tokenizer.ragged(tf.ragged.constant(texts)), tags)


def test_batches_have_every_text_once_with_its_letters_and_tags():
    texts, tokenizer, ids = tagged()
    wanted = sorted(tuple(tokenizer([" ".join(text)])["tokens"].numpy()[0]) for text in texts)
    seen = []
    for inputs, tags in tagged_batches(*ids, batch_size=8, training=True).as_numpy_iterator():
        assert inputs["characters"].shape == (*inputs["tokens"].shape, 20)
        for row, letters, right in zip(inputs["tokens"], inputs["characters"], tags):
            count = np.count_nonzero(row)
            assert (right[count:] == -1).all() and not letters[count:].any()
            lengths = np.count_nonzero(letters[:count], axis=1)
            assert right[:count].tolist() == (lengths % 3).tolist()
            seen.append(tuple(row[:count]))
    assert sorted(seen) == wanted
    cut, tags = next(tagged_batches(*ids, batch_size=101, length=4).as_numpy_iterator())
    assert cut["tokens"].shape == tags.shape == (101, 4) and cut["characters"].shape == (101, 4, 20)


def test_rare_words_are_hidden_and_others_are_not():
    texts = [[one + other, "often"] for one, other in itertools.product("abcdefghijklmnopqrst", repeat=2)]
    tokenizer = TaggerTokenizer.learn(texts)
    ids = (*tokenizer.ragged(tf.ragged.constant(texts)), tf.ragged.constant([[0, 0]] * 400, dtype=tf.int32))
    ((inputs, _),) = tagged_batches(*ids, batch_size=400, training=True, unknown=0.5).as_numpy_iterator()
    assert 0.4 < (inputs["tokens"][:, 0] == 1).mean() < 0.6 and (inputs["tokens"][:, 1] != 1).all()
    with pytest.raises(ValueError, match="Every word must have a tag"):
        tagged_batches(*ids[:2], ids[2][:5], batch_size=2)
    with pytest.raises(ValueError, match="`unknown` must be in"):
        tagged_batches(*ids, batch_size=2, unknown=1.0)


# Scores.


def test_entities_end_where_their_kind_does():
    tags = ["B-A", "I-A", "B-A", "I-B", "O", "I-A", "I-A"]
    assert entities(tags) == [(0, 2, "A"), (2, 3, "A"), (3, 4, "B"), (5, 7, "A")]


def test_scores_count_whole_entities():
    truth = [["B-PER", "I-PER", "O", "B-LOC"], ["B-LOC", "O"], ["O"]]
    found = [["B-PER", "I-PER", "O", "B-ORG"], ["B-LOC", "I-LOC"], ["B-LOC"]]
    words_ = [["Ada", "L", "in", "Rome"], ["Rome", "x"], ["Rome"]]
    result = scores(found, truth, words_)
    assert (result["precision"], result["recall"]) == (0.25, pytest.approx(1 / 3))
    assert result["f1"] == pytest.approx(2 / 7) and result["by_kind"]["PER"]["f1"] == 1.0
    assert result["by_kind"]["LOC"] == {"f1": 0.0, "precision": 0.0, "recall": 0.0, "entities": 2}
    assert result["surface_f1"] == pytest.approx(2 * 2 / (4 + 2))  # Ada L and Rome, among four forms and two.
    assert result["accuracy"] == pytest.approx(4 / 7)
    with pytest.raises(ValueError, match="an answer for every word"):
        scores(found[:2], truth)


def test_baselines_learn_what_they_say():
    train = TaggedTexts((("Ada", "in", "Rome"),) * 3 + (("Rome",),), (("B-PER", "O", "B-LOC"),) * 3 + (("O",),))
    assert commonest(train, [("Rome", "Ada", "Zoe")]) == [["B-LOC", "B-PER", "O"]]
    pytest.importorskip("pycrfsuite")
    assert features_crf(train, [("Ada", "in", "Rome")]) == [["B-PER", "O", "B-LOC"]]


# The application.


def corpus(folder, texts=220):
    """Names after "mister" are persons, those after "in" are places: the neighbours decide, not the word."""
    rng, names = (
        np.random.default_rng(0),
        [f"{a}{b}" for a in ("Bel", "Kor", "Tam", "Lis") for b in ("a", "o", "ent", "us")],
    )
    lines = []
    for _ in range(texts):
        one, other = rng.choice(names, 2)
        lines += ["the O", "mister O", f"{one} B-PER"] + ([f"{other} I-PER"] if rng.random() < 0.3 else [])
        lines += ["lives O", "in O", f"{rng.choice(names)} B-LOC", ". O", ""]
    path = folder / "own.conll"
    path.write_text("\n".join(lines))
    return path


def run(folder, *options):
    sizes = ["--option=units=16", "--option=embedding_size=16", "--option=dropout=0", "--length=12"]
    out = [f"--out={folder}/run", f"--export={folder}/export"]
    return named_entities.main([*sizes, "--epochs=6", "--batch-size=16", "--learning-rate=0.01", *out, *options])


def test_from_columns_to_a_report_and_a_users_file(tmp_path, capsys):
    path = corpus(tmp_path)
    record = run(tmp_path, f"--data={path}", "--json")
    assert json.loads(capsys.readouterr().out) == record == json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["test"]["f1"] > 0.95 > record["baselines"][0]["f1"] + 0.2
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite"]
    assert [row["same_tags"] for row in record["exports"]] == [1.0, 1.0]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "[PER]" in page and "Most mistakes" in page
    loaded = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model")
    answers = loaded.raw(["the mister Bela lives in Koro.", ""])
    assert answers["words"][0].tolist() == ["the", "mister", "Bela", "lives", "in", "Koro", "."]
    assert answers["tags"][0].tolist() == ["O", "O", "B-PER", "O", "O", "B-LOC", "O"]
    assert not any(answers["words"][1]) and loaded.raw([""])["tags"].shape == (1, 0)
    (tmp_path / "run" / "run.json").unlink()
    again = run(tmp_path, f"--data={path}", "--resume")
    assert again["test"] == record["test"]
    (tmp_path / "news.txt").write_text("the mister Tamo lives in Lisa.\n\nnothing\n")
    options = ["--predict", f"{tmp_path}/news.txt", "--from", f"{tmp_path}/export", "--out", f"{tmp_path}/found"]
    found = named_entities.main(options)
    assert found["entities"] == {"PER": 1, "LOC": 1} and found["texts"] == 2
    rows = json.loads((tmp_path / "found" / "entities.json").read_text())
    assert rows[0]["entities"][0] == {"text": "Tamo", "kind": "PER", "words": [2, 3]}
    assert "Tamo [PER]" in (tmp_path / "found" / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--model", "textcnn"], ValueError, "must be one for token_classification"),
        (["--unknown", "1"], ValueError, "`--unknown` must be at least 0 and below 1"),
        (["--dataset", "wnut"], ValueError, "Did you mean 'wnut17'"),
        (["--from", "somewhere"], ValueError, "goes with --predict"),
        (["--predict", "nowhere.txt"], ValueError, "needs the exported tagger"),
        (["--predict", "nowhere.txt", "--from", "x"], FileNotFoundError, "must be a text file"),
    ],
)
def test_what_cannot_be_is_said_at_once(options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        named_entities.main(options)
    assert not list(tmp_path.iterdir())
