"""Readers: attention flow and best spans against all of them, offsets, SQuAD's files and scores, the application."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo.applications import asked_documents
from kerazoo.applications.readers import read_words, reading
from kerazoo.applications.text import question_answering
from kerazoo.data.locate import data_folder
from kerazoo.data.named_questions import load_questions
from kerazoo.data.question_batches import question_batches, span_of
from kerazoo.data.questions import Questions, drawn_parts
from kerazoo.data.squad_files import from_files, read_squad
from kerazoo.decoding import with_answers
from kerazoo.evaluate.answer_baselines import sliding_window
from kerazoo.evaluate.answers import best_threshold, exact, f1, judged, normalized, question_word, scores
from kerazoo.layers.attention_flow import AttentionFlow
from kerazoo.layers.best_span import NOWHERE, BestSpan
from kerazoo.layers.reader_tokenizer import MARK, ReaderTokenizer

# Layers.


def softmax(x):
    x = np.exp(x - x.max())
    return x / x.sum()


def test_attention_flows_as_the_paper_writes_it():
    rng = np.random.default_rng(0)
    h, u = rng.normal(0, 1, (2, 5, 3)).astype("float32"), rng.normal(0, 1, (2, 4, 3)).astype("float32")
    here, there = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], bool), np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    layer = AttentionFlow()
    layer.build(h.shape, u.shape)
    weights = rng.normal(0, 1, 9)  # Of [h; u; h * u], as one vector.
    for part, kernel in zip(("passage", "question", "product"), weights.reshape(3, 3)):
        getattr(layer, f"{part}_kernel").assign(kernel[:, None])
    found = layer(h, u, here, there).numpy()
    for row in range(2):
        ours, theirs = h[row][here[row]], u[row][there[row]]
        s = np.array([[weights @ np.concatenate([a, b, a * b]) for b in theirs] for a in ours])
        attended = np.array([softmax(line) @ theirs for line in s])
        summary = softmax(s.max(axis=1)) @ ours
        wanted = np.concatenate([ours, attended, ours * attended, ours * summary], axis=1)
        np.testing.assert_allclose(found[row][: len(ours)], wanted, atol=1e-5)
    with pytest.raises(ValueError, match="as many channels"):
        AttentionFlow().build((1, 5, 3), (1, 4, 2))


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(("longest", "threshold"), [(1, None), (3, 0.5), (20, None)])
def test_best_spans_are_the_best_of_all(longest, threshold, jit_compile):
    rng = np.random.default_rng(longest)
    logits = rng.normal(0, 3, (50, 9, 2)).astype("float32")
    lengths = rng.integers(2, 10, 50)
    logits[np.arange(9) >= lengths[:, None]] = NOWHERE
    run = tf.function(BestSpan(longest, threshold), jit_compile=jit_compile)
    found = {name: value.numpy() for name, value in run(tf.constant(logits)).items()}
    none = 0
    for row, length in enumerate(lengths):
        spans = [(a, b) for a, b in itertools.product(range(1, length), repeat=2) if a <= b < a + longest]
        sums = {(a, b): logits[row, a, 0] + logits[row, b, 1] for a, b in spans}
        best = max(sums, key=sums.get)
        absence = logits[row, 0].sum() - sums[best]
        assert found["absence"][row] == pytest.approx(absence, abs=1e-4)
        chances = [np.log(softmax(logits[row, :length, side])) for side in (0, 1)]
        assert found["score"][row] == pytest.approx(chances[0][best[0]] + chances[1][best[1]], abs=1e-4)
        withheld = threshold is not None and absence > threshold
        none += withheld
        assert tuple(found["span"][row]) == ((0, 0) if withheld else best)
    assert (0 < none < 50) == (threshold is not None)


def test_a_text_without_a_word_has_no_answer():
    logits = np.full((2, 4, 2), NOWHERE, "float32")
    logits[:, 0] = [[3, 3], [-9, -9]]
    assert not BestSpan()(logits)["span"].numpy().any() and not BestSpan()(logits[:, :1])["span"].numpy().any()
    with pytest.raises(ValueError, match="`longest` must be a positive integer"):
        BestSpan(0)


# The model.


def test_parameters_are_the_papers():
    d, character, word, filters = 100, 8, 100, 100  # As in the paper and, where it is silent, in its authors' code.
    highway = word + filters

    def bilstm(inputs):
        return 2 * 4 * d * (inputs + d + 1)

    wanted = 5 * character * filters + filters + 2 * 2 * highway * (highway + 1) + bilstm(highway)
    wanted += 3 * 2 * d  # The likeness of two words.
    wanted += bilstm(8 * d) + bilstm(2 * d)  # Two layers over the flow.
    wanted += bilstm(8 * d + 3 * 2 * d)  # Over it again, with where the answer begins.
    wanted += 2 * 10 * d  # Begin and end.
    assert wanted == 2_570_700  # The paper: about 2.6 million, without words' vectors, which are GloVe's there.
    model = kerazoo.build("bidaf", vocabulary_size=500, characters=60)
    assert model.count_params() == wanted + 500 * word + 60 * character


def words(rng, batch=5, question=4, passage=7):
    inputs = {}
    for name, length in (("question", question), ("passage", passage)):
        inputs[name] = rng.integers(1, 20, (batch, length)).astype("int32")
        inputs[f"{name}_characters"] = rng.integers(1, 12, (batch, length, 5)).astype("int32")
        inputs[f"{name}_characters"][1, :, 2:] = 0
        inputs[name][0, 3:], inputs[f"{name}_characters"][0, 3:] = 0, 0
    return inputs


def reader(**options):
    sizes = {"vocabulary_size": 20, "characters": 12, "word_length": 5, "embedding_size": 6, "filters": 4, "units": 4}
    model = kerazoo.build("bidaf", seed=0, **(sizes | options))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return reader()


def test_padding_changes_no_logit(model):
    x = words(np.random.default_rng(0))
    before, there = model(x).numpy(), x["passage"] > 0
    assert (before[~there] == NOWHERE).all() and np.ptp(before[there]) > 0.1
    for name in ("question", "passage"):
        longer = x | {name: np.pad(x[name], [(0, 0), (0, 3)])}
        longer |= {f"{name}_characters": np.pad(x[f"{name}_characters"], [(0, 0), (0, 3), (0, 0)])}
        after = model(longer).numpy()
        np.testing.assert_allclose(after[:, :7][there], before[there], atol=1e-5, err_msg=name)
        assert (after[:, 7:] == NOWHERE).all()
    alone = {name: side[:1, : 3 if "passage" in name or "question" in name else None] for name, side in x.items()}
    np.testing.assert_allclose(model(alone).numpy()[0], before[0, :3], atol=1e-5)
    wider = reader(word_length=8)
    wider.set_weights(model.get_weights())
    signs = {name: np.pad(x[name], [(0, 0), (0, 0), (0, 3)]) for name in x if name.endswith("characters")}
    np.testing.assert_allclose(wider(x | signs).numpy()[there], before[there], atol=1e-5)


def test_every_word_of_the_passage_hears_of_all_others_and_of_the_question(model):
    x = words(np.random.default_rng(2))
    before = model(x).numpy()
    for name, index in (
        ("question", (2, 3)),
        ("question_characters", (2, 0, 4)),
        ("passage", (2, 0)),
        ("passage_characters", (2, 6, 1)),
    ):
        other = {key: value.copy() for key, value in x.items()}
        other[name][index] = other[name][index] % 11 + 1
        moved = np.abs(model(other).numpy() - before).max(axis=2)
        assert moved[2].min() > 1e-6 and not moved[3].any(), name


@pytest.mark.parametrize(
    ("options", "message"), [({"units": 0}, "`units` must be a positive"), ({"dropout": 1.0}, "`dropout` must be")]
)
def test_readers_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build("bidaf", **options)
    with pytest.raises(ValueError, match="first and last token"):
        with_answers(kerazoo.build("textcnn"))


# Words and where they are.

SIGNS = "ab'’ .,\n\t\u00a0\u200d\ufeff😀❤\ufe0fé日本1½-[]\x0b\x00\u2028e\u0301"


def test_places_are_those_of_the_words():
    tokenizer, rng = ReaderTokenizer.learn([]), np.random.default_rng(0)
    texts = ["".join(rng.choice(list(SIGNS), rng.integers(0, 30))) for _ in range(500)]
    split = [[word.decode() for word in row] for row in tokenizer.words_of(texts).to_list()]
    found = tokenizer.places(texts).to_list()
    assert [[text[a:b] for a, b in row] for text, row in zip(texts, found)] == split
    assert sum(map(len, split)) > 2000 and any("😀" in row for row in split)


def test_ids_have_the_mark_first_and_no_text_has_it():
    tokenizer = ReaderTokenizer.learn([["Who", "?"], ["Ada", "in", "1815"]], word_length=4)
    ids = tokenizer([f"who {MARK}?", ""], ["ADA 1815 1816", ""])
    assert tokenizer.vocabulary == [MARK, "1815", "?", "ada", "in", "who"]
    assert ids["passage"].numpy().tolist() == [[2, 5, 3, 1], [2, 0, 0, 0]]  # Digits count, capitals do not.
    assert 2 not in ids["question"].numpy() and ids["question_characters"].shape == (2, 5, 4)
    cut = ReaderTokenizer(tokenizer.vocabulary, tokenizer.alphabet, 4, length=3, question_length=2)
    ids = cut(["who ? in"], ["Ada in 1815"])
    assert ids["passage"].numpy().tolist() == [[2, 5, 6]] and ids["question"].numpy().tolist() == [[7, 4]]
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(cut)))
    again = keras.saving.deserialize_keras_object(config)(["who"], ["Ada \N{GRINNING FACE}"])
    assert again["passage"].numpy().tolist() == [[2, 5, 1]]
    with pytest.raises(ValueError, match="must begin with"):
        ReaderTokenizer(["who"], "who")


@pytest.mark.parametrize(
    ("passage", "answer", "wanted"),
    [
        ("He said 😀😀 hi to Ada.", "Ada", "Ada"),
        ("It ended in 1999", "1999", "1999"),  # At the very end.
        ("It ended in 1999.", "1999.", "1999."),
        ("It cost $308m (net).", "308", "308m"),  # A part of a word gives the word.
        ("A well-known man", "known man", "known man"),
        ("naïve café, 日本", "café", "café"),
        ("the U.S. army", "U.S.", "U.S."),
    ],
)
def test_answers_become_the_words_that_they_touch(passage, answer, wanted):
    places = ReaderTokenizer.learn([]).places([passage])[0].numpy()
    start = passage.index(answer)
    first, last = span_of(places, start, start + len(answer))
    assert passage[places[first][0] : places[last][1]] == wanted


# Files.


def asked(identity, question, *answers, **more):
    rows = [{"text": text, "answer_start": start} for start, text in answers]
    return {"id": identity, "question": question, "answers": rows} | more


def squad(*questions, context="Ada wrote it in 1843. 😀 Babbage built it.", title="A"):
    return {"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}


def test_both_versions_are_read():
    one = asked("1", "Who wrote it?", (0, "Ada"), (0, "Ada"), (0, "Ada wrote"))
    other = asked("2", "Who built it?", (24, "Babbage"), is_impossible=False)
    none = asked("3", "Who sold it?", is_impossible=True, plausible_answers=[{"text": "Ada", "answer_start": 0}])
    found = read_squad(json.dumps({"version": "v2.0", "data": [squad(one, other, none)]}))
    assert found.answers == (((0, "Ada"), (0, "Ada wrote")), ((24, "Babbage"),), ()) and found.unanswerable == 1
    assert found.texts() == [("Ada", "Ada wrote"), ("Babbage",), ("",)]
    assert found.passages[1][24:31] == "Babbage" and set(found.articles) == {"A"}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("{", "must be JSON in SQuAD's format"),
        ([], "must be an object"),
        ({"version": "1.1"}, "must have 'data'"),
        ({"data": []}, "must have questions"),
        ({"data": [squad(asked("1", "Who?", (1, "Ada")))]}, "article 1, paragraph 1, question 1: the answer 'Ada'"),
        ({"data": [squad(asked("1", "Who?", (-3, "it.")))]}, "must be in its passage"),
        ({"data": [squad(asked("1", "Who?"))]}, "must have an answer, or `is_impossible` true"),
        ({"data": [squad(asked("1", " ", (0, "Ada")))]}, "must have something to read"),
        ({"data": [squad(asked("1", "Who?", (0, "Ada")), asked("1", "Who?", (0, "Ada")))]}, "an id must occur once"),
        ({"data": [squad(asked("1", "Who?", (0, "Ada"), is_impossible="no"))]}, "must be true or false"),
        ({"data": [squad(asked("1", "\ud83d?", (0, "Ada")))]}, "a text must be UTF-8"),
        ({"data": [squad(asked("1", "Who?", (True, "da")))]}, "must be a whole number"),
        ({"data": [squad(asked("1", "Who?", (0, "Ada")), context="Ada" * 400_000)]}, "at most 1,000,000 signs"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(file, message):
    text = file if isinstance(file, str) else json.dumps(file)
    with pytest.raises(ValueError, match=message):
        read_squad(text, "own.json")


def questions_of(articles, each=3):
    rows = [
        (f"{a}-{i}", "Who?", f"Ada {a} {i % 2}.", f"title {a}", ((0, "Ada"),))
        for a in range(articles)
        for i in range(each)
    ]
    return Questions(*(tuple(side) for side in zip(*rows)))


def test_parts_share_no_article_and_of_few_articles_no_passage():
    parts, said = drawn_parts({"train": questions_of(20)}, seed=1)
    sets = [set(parts[part].articles) for part in ("train", "validation", "test")]
    assert [len(names) for names in sets] == [14, 2, 4] and len(set.union(*sets)) == 20 and "seed 1" in said
    again, _ = drawn_parts({"train": questions_of(20)}, seed=1)
    other, _ = drawn_parts({"train": questions_of(20)}, seed=2)
    assert again["test"] == parts["test"] != other["test"]
    parts, said = drawn_parts({"train": questions_of(5)}, seed=0)
    sets = [set(parts[part].passages) for part in ("train", "validation", "test")]
    assert [len(names) for names in sets] == [7, 1, 2] and len(set.union(*sets)) == 10 and "whole passages" in said
    with pytest.raises(ValueError, match="at least 3 passages"):
        drawn_parts({"train": questions_of(1)}, seed=0)


def test_xquad():
    if not (data_folder() / "xquad.zip").is_file():
        pytest.skip("xquad.zip is not in KERAZOO_DATA_DIR")
    data = load_questions("xquad_en")
    parts = data.train, data.validation, data.test
    assert sum(map(len, parts)) == 1190 and sum(len(set(part.passages)) for part in parts) == 240
    assert not set(data.train.articles) & set(data.test.articles)
    assert json.dumps(data.record()) and "seed 0" in data.split
    read, places = read_words(data.test, ReaderTokenizer.learn([]))
    found = []
    for row, (first, last) in enumerate(read.spans):
        words_ = places[read.passage_of[row]]
        found.append(data.test.passages[row][words_[first - 1][0] : words_[last - 1][1]])
    assert judged(found, data.test.texts())[:, 0].mean() > 0.97  # The rest are parts of words.


# Scores.


@pytest.mark.parametrize(
    ("answer", "truth", "same", "share"),
    [
        ("the Panthers'", "Panthers", 1.0, 1.0),
        ("A. The, an!", "", 1.0, 1.0),
        ("Denver  Broncos", "the denver broncos", 1.0, 1.0),
        ("Broncos of Denver", "Denver Broncos", 0.0, 0.8),
        ("to to be", "to be be", 0.0, 2 / 3),  # Words count as often as both have them.
        ("theme", "me", 0.0, 0.0),  # An article within a word is none.
        ("", "Ada", 0.0, 0.0),
        ("Ada", "", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("3½", "3½", 1.0, 1.0),
    ],
)
def test_exact_match_and_f1(answer, truth, same, share):
    assert exact(answer, truth) == same and f1(answer, truth) == pytest.approx(share)


def test_the_best_of_several_answers_counts():
    rows = judged(["in 1843", "Ada", "", "no"], [("1843", "in the year 1843"), ("Bab", "the Ada"), ("",), ("",)])
    assert rows[:, 0].tolist() == [0, 1, 1, 0] and rows[:, 1].tolist() == pytest.approx([0.8, 1, 1, 0])
    assert judged([""], [("the",)])[0].tolist() == [1.0, 1.0]  # Nothing is left of it: no answer.
    found = scores(
        ["x", "Ada", "", "no"], [("1843",), ("Ada",), ("",), ("",)], ["When?", "By whom?", "Why?", "Name it."]
    )
    assert found["exact"] == 0.5 and found["by_word"]["who"] == {"exact": 1.0, "f1": 1.0, "count": 1}
    assert found["answerable"]["f1"] == 0.5 and found["unanswerable"]["count"] == 2 and "other" in found["by_word"]
    with pytest.raises(ValueError, match="an answer to every question"):
        judged(["x"], [])
    assert normalized("The A-Team, an 'x'") == "ateam x" and question_word("To whom?") == "who"


def test_the_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        absence = rng.integers(0, 6, 12).astype(float)
        truths = [("a b",) if rng.random() < 0.5 else ("",) for _ in absence]
        answers = [str(rng.choice(["a b", "a", "c"])) if rng.random() < 0.9 else "" for _ in absence]

        def reached(threshold, answers=answers, absence=absence, truths=truths):
            given = ["" if absent > threshold else text for text, absent in zip(answers, absence)]
            return judged(given, truths)[:, 1].mean()

        threshold, share = best_threshold(answers, absence, truths)
        assert share == pytest.approx(max(map(reached, np.arange(-1, 7, 0.5)))) == pytest.approx(reached(threshold))


def test_the_window_finds_what_stands_by_the_questions_words():
    passage = "Rain fell in Oslo. Ada Lovelace wrote the first program in 1843. Babbage built the engine in London."
    assert sliding_window("Who wrote the first program?", passage, longest=2) == "Ada Lovelace"
    assert sliding_window("Where was the engine built by Babbage?", passage, longest=1) == "London"
    assert sliding_window("Who?", "") == "" and sliding_window("Ada?", "the of .") == ""


# Batches.


def test_batches_have_every_question_once_with_its_passage_and_answer():
    names = [f"Name{i}" for i in range(30)]
    rows = [
        (name, f"Where is {name}?", f"{'so ' * (i % 7)}{name} is here.", "A", ((3 * (i % 7), name),))
        for i, name in enumerate(names)
    ]
    data = Questions(*(tuple(side) for side in zip(*rows)))
    tokenizer = ReaderTokenizer.learn([["where", "is", "?", "so", "here", "."], names])
    readings, places = read_words(data, tokenizer)
    place, seen = {name.lower(): i for i, name in enumerate(tokenizer.vocabulary, 2)}, []
    for inputs, spans in question_batches(readings, batch_size=8, training=True, seed=3).as_numpy_iterator():
        for question, passage, characters, (first, last) in zip(
            inputs["question"], inputs["passage"], inputs["passage_characters"], spans
        ):
            assert first == last and passage[0] == 2 and passage[first] == question[2]
            assert (characters.any(axis=1) == (passage > 0)).all()
            seen.append(question[2])
    assert sorted(seen) == sorted(place[name.lower()] for name in names)
    short = readings.cut(5)  # The mark and four words.
    assert len(short) == sum(i % 7 < 4 for i in range(30)) and short.passages[0].row_lengths().numpy().max() == 5
    lengths = {"question": 3, "passage": 4}
    cut, _ = next(question_batches(readings, batch_size=30, lengths=lengths).as_numpy_iterator())
    assert cut["question"].shape == (30, 3) and cut["passage_characters"].shape == (30, 4, 16)
    ((inputs, _),) = question_batches(readings, batch_size=30, training=True, unknown=0.5).as_numpy_iterator()
    hidden = inputs["question"][:, 2] == 1
    assert 5 < hidden.sum() < 25 and (inputs["question"][:, 1] != 1).all()  # "is" is no rare word.
    # What is hidden in the question is hidden in the passage.
    assert [bool((row == 1).any()) for row in inputs["passage"]] == hidden.tolist()
    with pytest.raises(ValueError, match="`unknown` must be in"):
        question_batches(readings, batch_size=2, unknown=1.0)


# The application.

CITIES = ("Oslo", "Rome", "Lima", "Bern", "Kyiv", "Cairo")


def corpus(folder, articles=12, each=8):
    """Names after "mister" answer who, those after "in" where; when has no answer."""
    rng, data, count = np.random.default_rng(0), [], 0
    for article in range(articles):
        paragraphs = []
        for _ in range(each):
            name, city = str(rng.choice(["Bela", "Koro", "Tamus", "Liso"])), str(rng.choice(CITIES))
            context = f"😀 {'so ' * rng.integers(0, 3)}mister {name} lives in {city}"
            qas = [
                asked(f"{count}", "Who lives there?", (context.index(name), name), is_impossible=False),
                asked(f"{count + 1}", "Where does he live?", (context.index(city), city), is_impossible=False),
                asked(f"{count + 2}", "When was it sold?", is_impossible=True),
            ]
            paragraphs.append({"context": context, "qas": qas})
            count += 3
        data.append({"title": f"{article}", "paragraphs": paragraphs})
    path = folder / "own.json"
    path.write_text(json.dumps({"version": "v2.0", "data": data}))
    return path


def options_of(folder, *options):
    sizes = [f"--option={name}=12" for name in ("units", "embedding_size", "filters")] + ["--option=dropout=0"]
    sizes += ["--epochs=5", "--batch-size=16", "--learning-rate=0.02", "--length=12", "--question-length=6"]
    out = [f"--out={folder}/run", f"--export={folder}/export"]
    return [*sizes, "--longest=3", *out, *options]


def gone_on(folder, path, *options):
    """The journal of a training in the folder of an earlier one."""
    arguments = question_answering.parse_args(options_of(folder, f"--data={path}", *options))
    data = question_answering.load(question_answering.settle(arguments))
    return question_answering.train(arguments, data, reading(arguments, data), folder / "run")[0]


def test_from_a_file_to_a_report_and_a_users_documents(tmp_path, capsys):
    path = corpus(tmp_path)
    record = question_answering.main(options_of(tmp_path, f"--data={path}", "--json"))
    assert json.loads(capsys.readouterr().out) == record == json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["test"]["f1"] > 0.95 > record["baselines"][0]["f1"] + 0.2 and record["threshold"] is not None
    assert record["test"]["unanswerable"]["f1"] > 0.95 and record["test"]["answerable"]["exact"] > 0.9
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite"]
    assert [row["same_answers"] for row in record["exports"]] == [1.0, 1.0]
    assert record["exports"][0]["raw_same_answers"] == 1.0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Who lives there?" in page and "By the question" in page and "<mark" in page
    loaded = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model")
    passage = f"😀 {'so ' * 30}mister Tamus lives in Rome"  # Longer than training and TFLite take.
    texts = {
        "questions": ["Who lives there?", "Where does he live?", "Who lives there?"],
        "passages": [passage] * 2 + [""],
    }
    found = loaded.raw(texts)
    assert found["places"][2].tolist() == [0, 0] and found["answers"][2] == ""
    for answer, (start, end) in zip(found["answers"], found["places"]):
        assert passage[start:end] == answer
    with pytest.raises(ValueError, match=r"must be a dictionary of \['passages', 'questions'\]"):
        loaded.raw(["Who lives there?"])
    assert gone_on(tmp_path, path).history == record["training"]["history"]  # Nothing is left to train.
    with pytest.raises(ValueError, match="unknown was 0.3, is 0.1"):
        gone_on(tmp_path, path, "--unknown=0.1")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("\n\n  😀 so mister Liso lives in Bern")
    (notes / "b.md").write_text("Nothing of that kind.")
    options = ["--documents", f"{notes}", "--from", f"{tmp_path}/export", "--out", f"{tmp_path}/found"]
    told = question_answering.main([*options, "--ask", "Where lives mister Liso?", "--ask", "zzz?"])
    first, none = told["questions"]
    assert none["answers"] == [] and told["passages"] == 2
    assert [row["document"] for row in first["answers"]] in (["a.txt"], [])
    for row in first["answers"]:
        assert "😀 so mister Liso lives in Bern"[row["start"] : row["end"]] == row["answer"]
    assert "Liso" in (tmp_path / "found" / "report.html").read_text()


def test_passages_of_a_document_are_whole_and_bounded():
    long = " ".join(f"w{i}" for i in range(430))
    text = f"\n\nHead\n\nA short one.\n\n{long}\n\n  Last one."
    found = [text[a:b] for a, b in asked_documents.passages_of(text)]
    assert found[0].startswith("Head\n\nA short one.\n\nw0 ") and found[-1] == "Last one."
    assert all(len(part.split()) <= 200 for part in found) and len(found) == 4
    assert set(" ".join(found).split()) == set(text.split())
    assert asked_documents.passages_of(" \n\n ") == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--model", "textcnn"], ValueError, "must be one for question_answering. Received: 'textcnn'"),
        (["--unknown", "1"], ValueError, "`--unknown` must be at least 0 and below 1"),
        (["--length", "1"], ValueError, "`--length` must be at least 2"),
        (["--dataset", "xquad"], ValueError, "Did you mean 'xquad_en'"),
        (["--data", "nowhere"], FileNotFoundError, "existing file or folder"),
        (["--ask", "Who?"], ValueError, "goes with --documents"),
        (["--documents", "nowhere"], ValueError, "needs the exported reader"),
        (["--documents", "nowhere", "--from", "x"], FileNotFoundError, "must be a folder or a table"),
    ],
)
def test_what_cannot_be_is_said_at_once(options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        question_answering.main(options)
    assert not list(tmp_path.iterdir())


def test_a_folder_has_the_parts_that_its_files_are(tmp_path):
    for part, count in (("train", 4), ("dev", 3)):
        rows = [
            squad(asked(f"{part}{i}", "Who wrote it?", (0, "Ada")), context=f"Ada wrote {i}.") for i in range(count)
        ]
        (tmp_path / f"{part}-v1.1.json").write_text(json.dumps({"data": rows}))
    data = from_files(tmp_path, seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (3, 3, 1) and "1 for test" in data.split
