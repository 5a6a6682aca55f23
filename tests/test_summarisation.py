"""The pointer-generator, the words it copies, what summaries are judged by and have to beat, and the application."""

import gzip
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.applications.text import summarisation
from kerazoo.data.package_summaries import families, package_summaries
from kerazoo.data.pair_batches import pair_batches
from kerazoo.evaluate.rouge import each, novel, scores
from kerazoo.evaluate.summary_baselines import first_sentence, lead, of_nearest
from kerazoo.generation.attention import copied
from kerazoo.generation.beam import BeamSearch
from kerazoo.generation.stepper import Stepper
from kerazoo.generation.translator import Translator
from kerazoo.layers.copied_words import CopiedWords
from kerazoo.layers.copying_tokenizer import CopyingTokenizer

SIZES = {"vocabulary_size": 24, "extra": 6, "units": 8, "embedding_size": 5}


def network(**options):
    """A small one whose weights are all far from 0."""
    model = kerazoo.build("pointer_generator", seed=0, **(SIZES | options))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return model


def texts():
    """Three sources with ids of the vocabulary and beyond, one of them shorter, and as many begun summaries."""
    rng = np.random.default_rng(1)
    source, tokens = rng.integers(4, 30, (3, 8)).astype("int32"), rng.integers(4, 30, (3, 6)).astype("int32")
    source[1, 5:], tokens[2, 4:] = 0, 0
    return source, tokens


# The model.


def test_the_paper_counts_its_parameters():
    assert kerazoo.build("pointer_generator").count_params() == 21_499_600 + 1_153 + 512
    assert kerazoo.build("pointer_generator", coverage=False).count_params() == 21_499_600 + 1_153


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, hidden, cell, kernel, recurrent, bias):
    """A step; Keras's order of the gates: input, forget, cell, output."""
    one, two, three, four = np.split(x @ kernel + hidden @ recurrent + bias, 4)
    cell = sigmoid(two) * cell + sigmoid(one) * np.tanh(three)
    return sigmoid(four) * np.tanh(cell), cell


def written_out(model, source, tokens, units=8, vocabulary=24, extra=6):
    """The paper's equations, one word after the other, for one source: probabilities, attention, p_gen."""
    layer = {layer.name: [np.asarray(w, "float64") for w in layer.get_weights()] for layer in model.layers}
    vectors = layer["embedding"][0]

    def embedded(identity):
        return vectors[identity if identity < vocabulary else 3]

    ways = []
    for weights, order in ((layer["encoder"][:3], 1), (layer["encoder"][3:], -1)):
        hidden = cell = np.zeros(units)
        states = []
        for identity in source[::order]:
            hidden, cell = lstm(embedded(identity), hidden, cell, *weights)
            states.append(hidden)
        ways.append((np.array(states[::order]), hidden, cell))
    memory = np.concatenate([way[0] for way in ways], axis=1)
    hidden, cell = (
        np.maximum(np.concatenate([way[place] for way in ways]) @ layer[name][0] + layer[name][1], 0)
        for place, name in ((1, "hidden"), (2, "cell"))
    )
    weights = {weight.path.rpartition("cell/")[2]: np.asarray(weight, "float64") for weight in decoder(model).weights}
    context, coverage, answers, loss = np.zeros(2 * units), np.zeros(len(source)), [], []
    for identity in tokens:
        fed = np.concatenate([embedded(identity), context]) @ weights["fed/kernel"] + weights["fed/bias"]
        gates = (weights[f"lstm/{name}"] for name in ("kernel", "recurrent_kernel", "bias"))
        hidden, cell = lstm(fed, hidden, cell, *gates)
        query = np.concatenate([cell, hidden]) @ weights["queries/kernel"] + weights["queries/bias"]
        features = np.tanh(memory @ layer["keys"][0] + query + np.outer(coverage, weights["covering"]))
        shares = np.exp(features @ weights["scoring"])
        shares /= shares.sum()
        loss.append(np.minimum(shares, coverage).sum())
        coverage = coverage + shares
        context = shares @ memory
        state = np.concatenate([context, hidden, cell, fed])
        generated = sigmoid(state @ layer["generated"][0] + layer["generated"][1])[0]
        both = np.concatenate([hidden, context]) @ layer["attentional"][0] + layer["attentional"][1]
        logits = both @ layer["logits"][0] + layer["logits"][1]
        chances = np.zeros(vocabulary + extra)
        chances[:vocabulary] = generated * np.exp(logits) / np.exp(logits).sum()
        np.add.at(chances, source, (1 - generated) * shares)
        answers.append((chances, shares, generated))
    return [np.array(part) for part in zip(*answers)], np.array(loss)


def decoder(model):
    return model.get_layer("decoder")


def test_answers_are_the_papers_equations_written_out():
    model, (source, tokens) = network(), texts()
    source[0, :3] = [27, 9, 27]  # A word outside the vocabulary, twice.
    answers = np.exp(model({"source": source, "tokens": tokens}))
    shares, parts = copied(model, source, tokens)
    for row in range(3):
        length = 5 if row == 1 else 8
        (chances, looks, generated), _ = written_out(model, source[row, :length], tokens[row])
        np.testing.assert_allclose(answers[row], np.maximum(chances, 1e-12), rtol=2e-4, atol=1e-7)
        np.testing.assert_allclose(shares[row, :, :length], looks, atol=1e-5)
        np.testing.assert_allclose(parts[row], 1 - generated, atol=1e-5)
    np.testing.assert_allclose(answers.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_loss_is_that_of_words_and_of_coverage(weight):
    model, (source, tokens) = network(coverage_weight=weight), texts()
    following = np.where(tokens > 0, np.maximum(np.roll(source[:, :6], 1, axis=1), 4), 0)
    wanted, again = [], []
    for row in range(3):
        length, count = 5 if row == 1 else 8, (tokens[row] > 0).sum()
        (chances, _, _), loss = written_out(model, source[row, :length], tokens[row, :count])
        wanted += list(-np.log(np.maximum(chances[np.arange(count), following[row, :count]], 1e-12)))
        again += list(loss)
    logs = model.train_on_batch({"source": source, "tokens": tokens}, following, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(wanted) + weight * np.mean(again), rel=1e-4)
    assert np.mean(again) > 0.1


def test_padding_is_not_seen():
    model, (source, tokens) = network(), texts()
    answers = model({"source": source, "tokens": tokens}).numpy()
    longer = model({"source": np.pad(source, [(0, 0), (0, 5)]), "tokens": tokens}).numpy()
    np.testing.assert_allclose(longer, answers, atol=1e-5)
    later = tokens.copy()
    later[:, 4:] = 7
    np.testing.assert_allclose(model({"source": source, "tokens": later})[:, :4], answers[:, :4], atol=1e-5)
    other = source.copy()
    other[:, 0] = other[:, 0] % 24 + 4
    assert np.abs(model({"source": other, "tokens": tokens}).numpy() - answers).max(axis=(1, 2)).min() > 1e-3


def test_steps_equal_the_whole_and_the_source_is_read_once():
    model, (source, tokens) = network(), texts()
    whole = model({"source": source, "tokens": tokens}).numpy()
    stepper = Stepper(model)
    encoded, parts = stepper.encode(source), []
    state = stepper.initial_state(3, 8, encoded)
    for first, last in ((0, 2), (2, 3), (3, 6)):
        logits, state = stepper(tokens[:, first:last], state, first, encoded)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)
    assert not any(layer.name in ("encoder", "keys") for layer in stepper.decoder.layers)


def test_one_beam_is_greedy():
    model, (source, _) = network(), texts()
    found, _ = BeamSearch(model, end=2)([[1]] * 3, source, tokens=7, beams=1)
    for row in range(3):
        ids = [1]
        while len(ids) < 8 and ids[-1] != 2:
            chances = model({"source": source[row : row + 1], "tokens": np.array([ids], "int32")})
            ids.append(int(np.argmax(chances[0, -1])))
        assert found[row].tolist() == [identity for identity in ids[1:] if identity != 2]


def test_what_is_never_to_be_said_is_not_said():
    model, (source, _) = network(), texts()
    model.get_layer("generated").bias.assign([20])
    model.get_layer("logits").bias.assign(np.eye(24)[3] * 50 + np.eye(24)[7] * 40)
    assert all(row.tolist() == [3] * 5 for row in BeamSearch(model, end=2)([[1]] * 3, source, tokens=5)[0])
    found, scores = BeamSearch(model, end=2, never=(3,))([[1]] * 3, source, tokens=5)
    assert all(row.tolist() == [7] * 5 for row in found) and scores.min() > -20


def test_a_word_in_several_places_gets_their_sum_and_none_is_lost():
    logits, shares = np.zeros((1, 1, 4), "float32"), np.array([[[0.1, 0.2, 0.3, 0.4, 0.0]]], "float32")
    source = np.array([[5, 2, 5, 5, 0]], "int32")
    chances = np.exp(CopiedWords(2)(logits, np.full((1, 1, 1), np.log(3), "float32"), shares, source))
    np.testing.assert_allclose(chances[0, 0], [0.1875, 0.1875, 0.1875 + 0.05, 0.1875, 0, 0.2], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"extra": -1}, "`extra`"), ({"vocabulary_size": 4}, "`vocabulary_size`"), ({"units": 0}, "`units`")],
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("pointer_generator", **arguments)


# Words that are copied.


@pytest.fixture(scope="module")
def tokenizer():
    return CopyingTokenizer.learn(["a tool for the job", "a tool (C++) - the x"] * 3, size=12, extra=3)


def test_texts_go_there_and_back_with_words_that_nobody_knew(tokenizer):
    sources = ["a foo tool for bar-baz", "", "zeta (C++)  the\tzeta", b"caf\xe9 \xf0\x9f\x98\x80 tool"]
    ids = tokenizer.ragged(sources)
    assert [row[:3] for row in ids.to_list()[::2]] == [[5, 12, 7], [12, 10, 9]]
    told = [text.decode() for text in tokenizer.texts(ids, sources).numpy()]
    assert told[0] == "a foo tool for bar [UNK] [UNK]"  # There are three ids for unknown words.
    assert told[1:] == ["", "zeta (C++) the zeta", "caf\N{REPLACEMENT CHARACTER} \N{GRINNING FACE} tool"]
    assert int(tf.reduce_max(ids)) < tokenizer.size == 15


def test_unknown_words_are_numbered_in_their_own_source(tokenizer):
    sources = ["one two one a three four", "two a", "a"]
    assert tokenizer.ragged(sources).to_list() == [[12, 13, 12, 5, 14, 3], [12, 5], [5]]
    made = ["two a one five", "two one", "two"]
    ids = tokenizer.targets(made, sources)
    assert ids.to_list() == [[13, 5, 12, 3], [12, 3], [3]]
    told = [text.decode() for text in tokenizer.texts(ids, sources).numpy()]
    assert told == ["two a one [UNK]", "two [UNK]", "[UNK]"]
    # An id that the source has no word for is nothing, and neither are padding, begin and end.
    assert tokenizer.texts(tf.constant([[1, 5, 14, 2, 0, 0]]), ["two a"]).numpy().tolist() == [b"a"]


def test_a_length_cuts_what_is_read_and_numbered(tokenizer):
    short = CopyingTokenizer(tokenizer.vocabulary, extra=3, length=3)
    sources = ["one a two three"]
    assert short.ragged(sources).to_list() == [[12, 5, 13]]
    assert short.targets(["three two and a one"], sources).to_list()[0] == [3, 13, 3, 5, 12]
    assert short(["a"]).numpy().tolist() == [[5, 0, 0]]


def test_a_text_of_any_kind_has_ids_in_range(tokenizer):
    texts = ["", "  ", "x" * 100_000, "y " * 50_000, "\u2581a", "[UNK] [BEGIN] [END]", "a\x00b", "''' ’"]
    ids = tokenizer.ragged(texts)
    assert int(tf.reduce_min(ids)) >= 3 and int(tf.reduce_max(ids)) < tokenizer.size  # No text ends another.
    assert ids.row_lengths().numpy()[:4].tolist() == [0, 0, 1, 50_000]
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(tokenizer)))
    )
    assert again.ragged(texts).to_list() == ids.to_list() and again.size == tokenizer.size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": ["a", "a"]}, "every word once"),
        ({"vocabulary": ["[UNK]"]}, "every word once"),
        ({"vocabulary": ["a"], "extra": -1}, "`extra`"),
        ({"vocabulary": ["a"], "length": 0}, "`length`"),
    ],
)
def test_a_tokenizer_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        CopyingTokenizer(**arguments)


def test_both_sides_of_a_pair_have_their_own_length():
    sides = [tf.ragged.constant([[5, 6, 7, 8]]), tf.ragged.constant([[9, 10, 11]])]
    inputs, following = next(iter(pair_batches(*sides, batch_size=1, length=6, target_length=3).as_numpy_iterator()))
    assert inputs["source"].tolist() == [[5, 6, 7, 8, 2, 0]]
    assert (inputs["tokens"].tolist(), following.tolist()) == ([[1, 9, 10]], [[9, 10, 2]])


# Figures and baselines.


def test_rouge_is_that_of_words_pairs_and_order():
    found = each(["the cat sat", "b"], ["the cat was sitting", "b"])
    assert found["rouge_1"][0] == pytest.approx(100 * 2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert found["rouge_2"][0] == pytest.approx(100 * 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert each(["sat cat the"], ["the cat sat"])["rouge_l"][0] == pytest.approx(100 / 3)
    assert found["rouge_l"][1] == 100
    whole = scores(["the cat sat", "b"], ["the cat was sitting", "b"])
    assert whole["rouge_1"] == pytest.approx(found["rouge_1"].mean()) and (whole["count"], whole["words"]) == (2, 2.0)
    assert whole["rouge_l_95"][0] < whole["rouge_l"] < whole["rouge_l_95"][1] + 1e-9
    assert novel(["a new tool", "b"], ["A tool", "c"]) == 0.5
    with pytest.raises(ValueError, match="reference for every summary"):
        each(["a"], [])


def test_baselines_say_the_begin_and_what_stands_over_the_nearest():
    assert [first_sentence(text) for text in ("One v1.2 tool. Two.", "no stop\nmore. x", "Why? So.")] == [
        "One v1.2 tool.",
        "no stop",
        "Why?",
    ]
    assert lead(["a b c d. e"], 2) == ["a b"]
    sources, summaries = ["a red ball game", "a blue sky photo"], ["game", "photo"]
    assert of_nearest(["photo of blue water", "ball and game"], sources, summaries) == ["photo", "game"]


def packages(folder, count=60):
    """A list of packages as apt has it; every third belongs to the one before."""
    entries = []
    for number in range(count):
        name, kind = f"tool{number - number % 3}", ("reader", "writer", "server")[number % 3]
        text = f"{name} is a program for files of kind {number - number % 3}.\n .\n It is the {kind}."
        entries.append(f"Package: {name}-{kind}\nDescription-md5: 0\nDescription-en: {kind} {number}\n {text}\n")
    folder.mkdir()
    with gzip.open(folder / "deb_i18n_Translation-en.gz", "wt") as file:
        file.write("\n".join(entries))
    return folder


def test_no_family_of_packages_is_divided(tmp_path):
    data = package_summaries(packages(tmp_path / "lists", 300), seed=1)
    assert len(data.train) + len(data.validation) + len(data.test) == 300 and len(data.test) == 15
    names = [{text.split()[0] for text in part.source} for part in (data.train, data.validation, data.test)]
    assert not names[0] & names[1] and not names[0] & names[2] and not names[1] & names[2]
    kinds = {
        text.rpartition("the ")[2].rstrip(".") == line.split()[0]
        for text, line in zip(data.test.source, data.test.target)
    }
    assert kinds == {True} and "100 families" in data.split
    assert families(["x (a)", "x - b", "y"], ["1", "2", "3"]).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="at least 20 packages"):
        package_summaries(packages(tmp_path / "few", 9))
    with pytest.raises(FileNotFoundError, match="Acquire::Languages=en"):
        package_summaries(tmp_path)


# The application.

NAMES = [f"{one}{two}" for one in ("ka", "lo", "mi", "nu", "pe", "ra") for two in ("bix", "dol", "fen", "gup", "hut")]
KINDS = {"reads": "reader", "writes": "writer", "plays": "player"}
SMALL = [
    *("--option=units=32", "--option=embedding_size=24", "--option=dropout=0", "--vocabulary=24", "--extra=4"),
    *("--source-words=16", "--summary-words=8", "--average=0.9", "--batch-size=16", "--beams=2"),
]


def pairs():
    return [
        {"text": f"The program {name} {verb} files.", "summary": f"{kind} {name}"}
        for name in NAMES
        for verb, kind in KINDS.items()
    ]


def run(folder, *options):
    return summarisation.main([*SMALL, *options, f"--out={folder}/run", f"--export={folder}/export"])


def test_from_a_table_to_a_report_and_on_where_it_stopped(tmp_path, capsys):
    (tmp_path / "own").mkdir()
    rows = [pairs()[place] for place in np.random.default_rng(0).permutation(len(NAMES) * 3)]
    for part, share in (("train", slice(0, 74)), ("dev", slice(74, 82)), ("test", slice(82, 90))):
        (tmp_path / "own" / f"{part}.jsonl").write_text("\n".join(map(json.dumps, rows[share])))
    options = [
        f"--data={tmp_path}/own",
        "--epochs=24",
        "--learning-rate=0.02",
        "--summarise=The program zorb plays files.",
    ]
    record = run(tmp_path, *options, "--json")
    assert json.loads(capsys.readouterr().out) == record == json.loads((tmp_path / "run" / "run.json").read_text())
    # Half of a summary is a name that is in no vocabulary: only what copies can say it.
    assert record["test"]["rouge_1"] > 90 and record["own"][0]["summary"] == "player zorb"
    assert record["test"]["rouge_1"] > max(row["rouge_1"] for row in record["baselines"])
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite", "tflite_dynamic"]
    assert record["exports"][0]["rouge_l"] == pytest.approx(record["test"]["rouge_l"])
    assert record["exports"][0]["nats"] == pytest.approx(record["exports"][1]["nats"], rel=1e-3)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What is copied" in page and "player zorb" in page
    loaded = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model")
    told = loaded.raw(["The program zorb plays files.", "The program abcd reads files."])["texts"]
    assert list(told) == ["player zorb", "reader abcd"]
    (tmp_path / "run" / "run.json").unlink()
    again = run(tmp_path, *options, "--resume")
    assert again["test"] == record["test"] and again["training"]["epochs_run"] == 24


def test_a_summary_is_the_searchs_whatever_the_other_texts(tokenizer):
    model = network(vocabulary_size=tokenizer.vocabulary_size, extra=tokenizer.extra)
    model.get_layer("generated").bias.assign([-20])  # All is copied.
    summariser, sources = Translator(model, tokenizer), ["one a two", "the tool for three", "x", "", "a job"]
    together = summariser(sources, tokens=5, batch_size=2)
    assert together == [summariser([text], tokens=5)[0] for text in sources]
    assert set(together[1].split()) <= {"the", "tool", "for", "three"} and together[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "transformer_tiny"], "must be one for summarisation"),
        (["--epochs", "0"], "`--epochs`"),
        (["--extra", "-1"], "`--extra`"),
        (["--source-words", "0"], "`--source-words`"),
        (["--average", "1"], "`--average`"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(options, message):
    with pytest.raises(ValueError, match=message):
        summarisation.main(options)


def test_the_catalog_has_it():
    assert catalog.entry("pointer_generator").task == "summarisation"
