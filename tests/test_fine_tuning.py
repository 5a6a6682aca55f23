"""Encoders in the applications: pieces and places of words, decoding, weights and vocabularies, whole runs."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.applications import encoders
from kerazoo.applications.text import named_entities, question_answering, sentiment
from kerazoo.data.piece_questions import PieceReadings, piece_question_batches, spans_of_pieces
from kerazoo.data.tagged_batches import first_batches, piece_batches, tags_of_pieces
from kerazoo.decoding import with_answers, with_tags
from kerazoo.layers.reader_pieces import ReaderPieces
from kerazoo.layers.tagger_pieces import TaggerPieces
from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
from kerazoo.weights.word_pieces import word_pieces

keras_hub = pytest.importorskip("keras_hub")

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
VOCABULARY = [
    *MARKS,
    "ada",
    "love",
    "##lace",
    "##s",
    "lives",
    "in",
    "rome",
    "who",
    "?",
    ".",
    "don",
    "'",
    "t",
    "paris",
    "[MASK]",
]
ID = {piece: place for place, piece in enumerate(VOCABULARY)}


def smoke(name, **arguments):
    return kerazoo.build(name, **(dict(catalog.entry(name).smoke) | {"length": None, "seed": 0} | arguments))


def spread(model, seed=0):
    """Gives a model weights that are so far apart that everything in it has an effect."""
    rng = np.random.default_rng(seed)
    model.set_weights([w + rng.normal(0, 0.5, w.shape) for w in model.get_weights()])
    return model


# Pieces of words.


def test_pieces_of_words_are_those_of_the_text_and_each_word_knows_its_first():
    texts = ["Ada Lovelace lives in Rome.", "", "Don't", "\u200d 😀 Loves", "Émile!"]
    pieces, plain = TaggerPieces(VOCABULARY), WordPieceTokenizer(VOCABULARY)
    ids = pieces(texts)
    wanted = plain(texts).numpy()
    found = ids["tokens"].numpy()
    np.testing.assert_array_equal(found[:3], wanted[:3, : found.shape[1]])
    assert ids["first"].numpy()[0].tolist() == [1, 2, 4, 5, 6, 7] and not ids["first"].numpy()[1].any()
    assert found[2].tolist()[:5] == [ID["[CLS]"], ID["don"], ID["'"], ID["t"], ID["[SEP]"]]
    assert ids["first"].numpy()[2].tolist()[:2] == [1, 0]
    words = [[word.decode() for word in row] for row in pieces.split(texts).to_list()]
    tokens, first = pieces.ragged(tf.ragged.constant([*words, ["\u200d", "ada"]]))
    assert first.row_lengths().numpy().tolist() == [*map(len, words), 2]
    # A word that has no piece of its own is unknown.
    assert tokens.to_list()[-1] == [ID["[CLS]"], ID["[UNK]"], ID["ada"], ID["[SEP]"]]
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(pieces))))
    np.testing.assert_array_equal(again(texts)["tokens"], found)


def test_what_is_too_long_is_cut_between_pieces_and_its_words_are_left_out():
    pieces = TaggerPieces(VOCABULARY, most=8)
    tokens, first = pieces.ragged(tf.ragged.constant([["ada", "lovelace", "loves", "lovelace", "ada"]]))
    assert tokens.to_list() == [[ID[p] for p in ("[CLS]", "ada", "love", "##lace", "love", "##s", "love", "[SEP]")]]
    assert first.to_list() == [[1, 2, 4, 6]]
    with pytest.raises(ValueError, match="`most` must be an integer of at least 8. Received: 7"):
        TaggerPieces(VOCABULARY, most=7)


def test_a_reader_gets_the_question_and_the_passage_with_the_word_of_each_piece():
    pieces = ReaderPieces(VOCABULARY, most=16, question_most=4)
    questions, passages = ["Who?", "Who who who who who", ""], ["Ada Lovelace lives.", "Lovelaces", ""]
    ids = {name: rows.numpy().tolist() for name, rows in pieces(questions, passages).items()}
    names = [[VOCABULARY[place] for place in row] for row in ids["tokens"]]
    assert names[0] == ["[CLS]", "who", "?", "[SEP]", "ada", "love", "##lace", "lives", ".", "[SEP]"]
    assert ids["word"][0] == [0, 0, 0, 0, 1, 2, 2, 3, 4, 0]
    assert names[1][:9] == ["[CLS]", *["who"] * 4, "[SEP]", "love", "##lace", "##s"]
    assert names[2][:4] == ["[CLS]", "[SEP]", "[SEP]", "[PAD]"] and not any(ids["word"][2])
    long = pieces(["Who?"], ["ada " * 40])
    assert long["tokens"].shape == (1, 16) and long["word"].numpy().max() == 16 - 5
    assert pieces.places(["é Ada."]).to_list() == [[[0, 1], [2, 5], [5, 6]]]
    again = ReaderPieces.from_config(pieces.get_config())
    assert again(questions, passages)["word"].numpy().tolist() == ids["word"]
    with pytest.raises(ValueError, match="`question_most` must be an integer of 1 to 12. Received: 13"):
        ReaderPieces(VOCABULARY, most=16, question_most=13)


def test_words_and_their_pieces_for_the_reports():
    tokenizer = WordPieceTokenizer(VOCABULARY, length=6)
    assert tokenizer.words(["Lovelaces ada?", ""]) == [[("lovelaces", [1, 2, 3]), ("ada", [4])], []]


# Batches.


def test_tags_stand_at_the_first_pieces():
    pieces = TaggerPieces(VOCABULARY, most=8)
    words = tf.ragged.constant([["ada"], [], ["lovelace", "loves", "lovelace", "ada", "ada"]])
    tokens, first = pieces.ragged(words)
    tags = tags_of_pieces(tokens, first, tf.ragged.constant([[5], [], [1, 2, 3, 4, 4]], dtype=tf.int32))
    assert tags.to_list() == [[-1, 5, -1], [-1, -1], [-1, 1, -1, 2, -1, 3, -1, -1]]
    ((told, right),) = piece_batches(tokens, tags, batch_size=3).as_numpy_iterator()
    assert told.shape == right.shape == (3, 8) and right[0].tolist() == [-1, 5, *[-1] * 6] and not told[0, 3:].any()
    seen = [row for _, rows in piece_batches(tokens, tags, batch_size=2, training=True) for row in rows.numpy().max(1)]
    assert sorted(seen) == [-1, 3, 5]
    (short,) = first_batches(tokens, first, batch_size=3, length=4).as_numpy_iterator()
    assert short["tokens"].shape == short["first"].shape == (3, 4)
    assert short["first"][2].tolist() == [1, 3, 0, 0]  # The third word's piece is cut off.


def readings_of(tokenizer, questions, passages, spans):
    asked = tokenizer.questions(tokenizer.words_of(questions))
    read = tokenizer.passages(tokenizer.words_of(passages))
    return PieceReadings(asked, *read, np.arange(len(passages)), np.array(spans))


def test_answers_are_told_as_pieces_and_those_that_are_cut_off_left_out():
    tokenizer = ReaderPieces(VOCABULARY)
    passages = ["ada lovelace lives", "lives in rome", "ada " * 30 + "rome"]
    readings = readings_of(tokenizer, ["who", "who ?", "who"], passages, [(2, 2), (0, 0), (31, 31)])
    ((inputs, spans),) = piece_question_batches(readings, tokenizer, batch_size=3).as_numpy_iterator()
    assert inputs["tokens"].shape == inputs["word"].shape == (3, 64)  # A multiple of 32.
    assert spans.tolist() == [[4, 5], [0, 0], [33, 33]]
    assert [len(readings.within(length)) for length in (36, 35, 7, 6, 5)] == [3, 3, 2, 1, 1]
    assert len(readings.within(34)) == 2
    short = piece_question_batches(readings, tokenizer, batch_size=3, length=8, padded_to=8)
    ((inputs, spans),) = short.as_numpy_iterator()
    assert inputs["tokens"].shape == (3, 8) and spans[2].tolist() == [0, 0]
    assert inputs["tokens"][2].tolist()[-1] == ID["[SEP]"]
    trained = piece_question_batches(readings, tokenizer, batch_size=2, training=True, seed=1)
    assert sorted(int(row[0]) for _, rows in trained for row in rows) == [0, 4, 33]
    assert spans_of_pieces(tf.constant([[0, 1, 1, 2]]), tf.constant([[1, 3]])).numpy().tolist() == [[0, 0]]


# Decoding.


def test_tags_of_words_are_the_best_that_can_be():
    tags = ("O", "B-A", "I-A", "B-B", "I-B")
    model = spread(smoke("bert_tiny_tagger", num_classes=len(tags)))
    rng = np.random.default_rng(1)
    tokens = rng.integers(5, 50, (6, 9)).astype("int32")
    first = np.array([[1, 3, 4, 6]] * 5 + [[2, 5, 0, 0]], "int32")
    found = np.asarray(with_tags(model, tags=tags)({"tokens": tokens, "first": first})["tags"])
    logits = np.asarray(model(tokens))

    def allowed(path):
        pairs = zip((0, *path), path)
        return all(not tags[b].startswith("I-") or tags[a][1:] == tags[b][1:] for a, b in pairs)

    changed = 0
    for row, places, answer in zip(logits, first, found):
        scores = row[places[places > 0]]
        paths = filter(allowed, itertools.product(range(len(tags)), repeat=len(scores)))
        best = max(paths, key=lambda path: sum(scores[range(len(scores)), path]))
        changed += best != tuple(scores.argmax(axis=1))
        assert answer.tolist() == [*best, *[-1] * (4 - len(best))]
    assert changed  # The rules have decided something.
    with pytest.raises(ValueError, match=r"must give 4 logits for each of \(B, T\) pieces"):
        with_tags(model, tags=tags[:4])
    with pytest.raises(ValueError, match="or `tags` name those of an encoder"):
        with_tags(model)


def test_spans_are_of_the_passage_and_told_in_words():
    model = spread(smoke("bert_tiny_span"))
    tokens = np.random.default_rng(2).integers(5, 50, (8, 12)).astype("int32")
    word = np.array([[0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 0, 0]] * 8, "int32")
    tokens[:, -1] = 0
    found = with_answers(model, longest=3)({"tokens": tokens, "word": word})
    logits = np.asarray(model(tokens), "float64")
    for row, span, score, absence in zip(logits, *(np.asarray(found[key]) for key in ("span", "score", "absence"))):
        pairs = [(a, b) for a in range(3, 10) for b in range(a, min(a + 3, 10))]
        a, b = max(pairs, key=lambda pair: row[pair[0], 0] + row[pair[1], 1])
        assert span.tolist() == [word[0, a], word[0, b]]
        seen = row[[0, *range(3, 10)]]
        best = row[a, 0] + row[b, 1]
        assert score == pytest.approx(best - np.log(np.exp(seen).sum(axis=0)).sum(), abs=1e-3)
        assert absence == pytest.approx(row[0].sum() - best, abs=1e-3)
    never = with_answers(model, threshold=-1e3)({"tokens": tokens, "word": word})
    assert not np.asarray(never["span"]).any()


# Weights and their vocabularies.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small encoder with its vocabulary, as `save_to_preset` of keras-hub writes it; capitals make a difference."""
    folder = tmp_path_factory.mktemp("encoder")
    keras.utils.set_random_seed(0)
    backbone = keras_hub.models.BertBackbone(len(VOCABULARY), 1, 2, 16, 32, dropout=0.0, max_sequence_length=64)
    backbone.save_to_preset(folder)
    keras_hub.models.BertTokenizer(VOCABULARY, lowercase=False).save_to_preset(folder)
    return folder


def test_a_folder_brings_its_vocabulary_and_whether_capitals_count(folder, tmp_path):
    assert word_pieces({}, folder) == (VOCABULARY, False)
    (tmp_path / "vocab.txt").write_text("\n".join([*VOCABULARY, "\u2028"]) + "\n", encoding="utf-8")
    assert word_pieces({}, tmp_path) == ([*VOCABULARY, "\u2028"], True)  # A sign that is a line's end to some.
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    assert word_pieces({}, str(tmp_path))[1] is False
    assert word_pieces({}, None, file=tmp_path / "vocab.txt")[0][4] == "ada"
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="must have one of vocab.txt, assets/tokenizer/vocabulary.txt"):
        word_pieces({}, tmp_path / "none")


@pytest.mark.parametrize(
    ("application", "options", "error", "message"),
    [
        (sentiment, ["--model=roberta_base"], ValueError, "must split texts as BERT does .* Received: 'roberta_base'"),
        (sentiment, ["--weights=all_v2"], ValueError, "`--weights` is for encoders. Received: 'all_v2' for 'textcnn'"),
        (sentiment, ["--model=bert_tiny", "--weights=en_uncase"], FileNotFoundError, "Did you mean 'en_uncased'"),
        (sentiment, ["--model=bert_tiny", "--unknown=0.1"], ValueError, "`--unknown` is for models of words"),
        (sentiment, ["--model=bert_tiny", "--keep-case"], ValueError, "`--keep-case` is for models of words"),
        (sentiment, ["--model=bert_tiny", "--length=513"], ValueError, "`--length` must be 8 to 512 pieces.*: 513"),
        (named_entities, ["--model=bert_tiny_tagger", "--length=7"], ValueError, "must be 8 to 512 pieces"),
        (question_answering, ["--model=bert_tiny_span", "--option=context=99"], ValueError, "must be 8 to 99 pieces"),
        (question_answering, ["--model=bert_tiny_span", "--length=67"], ValueError, "`--question-length` must leave"),
        (named_entities, ["--model=bert_tiny_span"], ValueError, "must be one for token_classification"),
        (named_entities, ["--model=albert_base_tagger"], ValueError, "must split texts as BERT does"),
        (question_answering, ["--model=bert_tiny"], ValueError, "must be one for question_answering"),
        (question_answering, ["--model=bidaf", "--weights=all_v2"], ValueError, "`--weights` is for encoders"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(application, options, error, message):
    with pytest.raises(error, match=message):
        application.settle(application.parse_args(options))


def test_padding_must_be_the_first_id(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(["ada", *MARKS]), encoding="utf-8")
    arguments = sentiment.parse_args(["--model=bert_tiny", f"--weights={tmp_path}"])
    sentiment.settle(arguments)
    with pytest.raises(ValueError, match="Padding must be id 0 in the vocabulary. Received: 1"):
        encoders.tokenizer(arguments, WordPieceTokenizer, [])


# Whole runs.

SIZES = ("depth=1", "width=16", "heads=2", "hidden=32", "context=64", "dropout=0")
RUN = [*(f"--option={size}" for size in SIZES), "--batch-size=8", "--epochs=3", "--learning-rate=0.01", "--json"]


def test_a_classifier_from_weights_to_raw_texts(folder, tmp_path, capsys):
    rows = [f"ada lives in {('rome', 'paris')[i % 2]}{' .' * (i % 3)}\t{('south', 'north')[i % 2]}" for i in range(80)]
    (tmp_path / "own.tsv").write_text("\n".join(["text\tlabel", *rows]), encoding="utf-8")
    out = [f"--out={tmp_path}/run", f"--export={tmp_path}/export", f"--data={tmp_path}/own.tsv", "--length=12"]
    with pytest.warns(UserWarning, match="what starts fresh: logits"):
        record = sentiment.main([*RUN, "--epochs=6", "--model=bert_tiny", f"--weights={folder}", *out])
    assert record["test"]["accuracy"] == 1.0 and record["model"]["weights"] == str(folder)
    assert all(row["same_answers"] == 1.0 for row in record["exports"])
    found = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model").raw(["ada lives in paris", "rome"])
    assert found["labels"][:, 0].tolist() == ["north", "south"]
    # Capitals count in this folder's vocabulary, so that the word is none that is known.
    tokenizer = json.loads((tmp_path / "export" / "1" / "tokenizer.json").read_text())
    assert tokenizer["config"]["lowercase"] is False and tokenizer["config"]["vocabulary"] == VOCABULARY


def test_a_tagger_from_columns_to_raw_texts(tmp_path):
    rng = np.random.default_rng(0)
    names, places = ("Lovelace", "Tamus", "Koro"), ("Rome", "Kyiv", "Lima")
    texts = []
    for _ in range(90):
        name, place = rng.choice(names), rng.choice(places)
        words = ["mister", "Ada", name, "lives", "in", place, "."] if rng.random() < 0.5 else [place, "is", "far"]
        kinds = {"Ada": "B-PER", name: "I-PER", place: "B-LOC"}
        texts.append("\n".join(f"{word} {kinds.get(word, 'O')}" for word in words))
    (tmp_path / "own.conll").write_text("\n\n".join(texts), encoding="utf-8")
    out = [f"--out={tmp_path}/run", f"--export={tmp_path}/export", f"--data={tmp_path}/own.conll", "--length=24"]
    record = named_entities.main([*RUN, "--epochs=5", "--model=bert_tiny_tagger", *out])
    assert record["test"]["f1"] > 0.95 and set(record["tokenizer"]) == {"pieces"}
    assert [row["same_tags"] for row in record["exports"]] == [1.0, 1.0]
    tokenizer = json.loads((tmp_path / "export" / "1" / "tokenizer.json").read_text())
    assert tokenizer["config"]["lowercase"] is False  # Names begin with capitals.
    found = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model").raw(["mister Ada Koro lives in Lima.", ""])
    assert found["words"][0].tolist() == ["mister", "Ada", "Koro", "lives", "in", "Lima", "."]
    assert found["tags"][0].tolist() == ["O", "B-PER", "I-PER", "O", "O", "B-LOC", "O"] and not any(found["words"][1])


@pytest.mark.slow  # Two minutes; what it goes through is tested by itself above, and whole with a tagger.
def test_a_reader_from_questions_to_raw_texts(tmp_path):
    rng, data, count = np.random.default_rng(0), [], 0
    for article in range(12):
        paragraphs = []
        for _ in range(8):
            name, place = str(rng.choice(["Bela", "Koro", "Tamus"])), str(rng.choice(["Rome", "Kyiv", "Lima"]))
            context = f"😀 {'so ' * rng.integers(0, 3)}mister {name} lives in {place}"
            asked = [("Who lives there?", name), ("Where does he live?", place), ("When was it sold?", None)]
            qas = []
            for question, answer in asked:
                answers = [{"text": answer, "answer_start": context.index(answer)}] if answer else []
                qas.append({"id": f"{count}", "question": question, "answers": answers, "is_impossible": not answer})
                count += 1
            paragraphs.append({"context": context, "qas": qas})
        data.append({"title": f"{article}", "paragraphs": paragraphs})
    (tmp_path / "own.json").write_text(json.dumps({"version": "v2.0", "data": data}))
    out = [f"--out={tmp_path}/run", f"--export={tmp_path}/export", f"--data={tmp_path}/own.json"]
    options = ["--epochs=12", "--length=40", "--question-length=12", "--longest=6", "--model=bert_tiny_span"]
    options += ["--option=width=32", "--batch-size=16", "--learning-rate=0.005", "--patience=16"]
    record = question_answering.main([*RUN, *options, *out])
    # Who never answers comes to a third; how far so small an encoder gets in a few steps is chance, and not ours.
    assert record["test"]["f1"] > 0.5 and record["threshold"] is not None
    losses = [epoch["loss"] for epoch in record["training"]["history"]]
    assert losses[-1] < 0.7 * losses[0]
    assert [row["same_answers"] for row in record["exports"]] == [1.0, 1.0]
    assert record["exports"][0]["raw_same_answers"] == 1.0
    passage = f"😀 {'so ' * 8}mister Tamus lives in Rome"
    asked = {"questions": ["Who lives there?", "", "Who lives there?"], "passages": [passage, passage, ""]}
    found = kerazoo.load(f"{tmp_path}/export/1", engine="saved_model").raw(asked)
    start, end = found["places"][0]
    assert passage[start:end] == found["answers"][0] and found["answers"][2] == ""
