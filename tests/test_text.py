"""Texts: classifiers' padding, the tokenizer, batches, what drove an answer, the endpoint that takes texts."""

import json
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.data.text_batches import text_batches
from kerazoo.evaluate.word_influence import influence
from kerazoo.layers.attention_pooling import AttentionPooling
from kerazoo.layers.hashed_bigrams import HashedBigrams
from kerazoo.layers.masked_max_pooling import MaskedMaxPooling
from kerazoo.layers.masked_mean_pooling import MaskedMeanPooling
from kerazoo.layers.word_tokenizer import WordTokenizer

NAMES = ["textcnn", "bilstm_attention", "fasttext", "transformer_encoder_tiny"]


def smoke(name, **options):
    return kerazoo.build(name, seed=0, **(dict(catalog.entry(name).smoke) | options))


def sample(name):
    return catalog.entry(name).sample(np.random.default_rng(0), 8)[0]


# Models.


@pytest.mark.parametrize("name", NAMES)
def test_more_padding_changes_no_answer(name):
    tokens = sample(name)
    short, long = smoke(name), smoke(name, length=40)
    rng = np.random.default_rng(1)
    for one, other in zip(short.weights, long.weights, strict=True):
        values = rng.normal(0, 0.3, one.shape)
        one.assign(values)
        other.assign(values)
    assert (tokens == 0).any() and np.ptp(short(tokens), axis=0).max() > 0.01
    np.testing.assert_allclose(long(np.pad(tokens, [(0, 0), (0, 28)])), short(tokens), atol=2e-5)


@pytest.mark.parametrize("name", ["textcnn", "bilstm_attention", "fasttext"])
def test_a_length_left_open_takes_any(name):
    tokens, model = sample(name), smoke(name, length=None)
    np.testing.assert_allclose(model(np.pad(tokens, [(0, 0), (0, 9)])), model(tokens), atol=1e-6)
    assert np.isfinite(model(np.zeros((2, 3), "int32"))).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_text_of_nothing_has_an_answer(name):
    assert np.isfinite(smoke(name)(np.zeros((2, 12), "int32"))).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_words_counts(name):
    model, tokens = smoke(name), np.array([[5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0]])
    turned = np.array([[9, 8, 7, 6, 5, 0, 0, 0, 0, 0, 0, 0]])
    assert np.abs(model(tokens) - model(turned)).max() > 1e-4


def test_fasttext_without_pairs_is_a_bag_of_words():
    model = smoke("fasttext", buckets=None)
    one, other = model(np.array([[5, 6, 7] + [0] * 9])), model(np.array([[7, 5, 6] + [0] * 9]))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_textcnn_has_the_papers_size():
    model = kerazoo.build("textcnn", vocabulary_size=20_000)
    words, windows, head = 20_000 * 300, (3 + 4 + 5) * 300 * 100 + 300, 300 * 2 + 2
    assert model.count_params() == words + windows + head


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("textcnn", {"vocabulary_size": 1}, "`vocabulary_size` must be an integer of at least 2"),
        ("textcnn", {"windows": ()}, "`windows` must be positive"),
        ("textcnn", {"num_classes": 1}, "`num_classes` must be at least 2"),
        ("bilstm_attention", {"units": 0}, "`units` must be an integer of at least 1"),
        ("fasttext", {"buckets": -1}, "`buckets` must be an integer of at least 1"),
        ("transformer_encoder_tiny", {"heads": 3}, "a multiple of `heads`"),
        ("transformer_encoder_tiny", {"length": None}, "`length` must be given"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


# Layers.


def test_pooling_sees_what_is_there_alone():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(3, 6, 4)).astype("float32") - 3  # Below zero: padding of zeros would win a maximum.
    present = np.arange(6) < np.array([[6], [2], [0]])
    largest, mean = MaskedMaxPooling()(steps, present).numpy(), MaskedMeanPooling()(steps, present).numpy()
    np.testing.assert_allclose(largest[:2], [steps[0].max(0), steps[1, :2].max(0)])
    np.testing.assert_allclose(mean[:2], [steps[0].mean(0), steps[1, :2].mean(0)], rtol=1e-5)
    assert not largest[2].any() and not mean[2].any()
    layer = AttentionPooling()
    layer.build(steps.shape)
    layer.vector.assign(rng.normal(size=(4, 1)))
    powers = np.exp(np.tanh(steps[1, :2]) @ layer.vector.numpy())
    wanted = (steps[1, :2] * powers).sum(axis=0) / powers.sum()
    np.testing.assert_allclose(layer(steps, present).numpy()[1], wanted, rtol=1e-5)


def test_bigrams_are_of_neighbours_and_spread_over_the_buckets():
    tokens = np.random.default_rng(0).integers(1, 30_000, (200, 51)).astype("int32")
    found = HashedBigrams(buckets=5_000)(tokens).numpy()
    assert not found[:, -1].any() and found[:, :-1].min() >= 1 and found.max() <= 5_000
    counts = np.bincount(found[:, :-1].ravel(), minlength=5_001)[1:]
    assert counts.max() < 20 and (counts == 0).mean() < 0.2  # By chance: e**-2 of them empty.
    again = HashedBigrams(buckets=5_000)(tokens[:, 7:9]).numpy()
    np.testing.assert_array_equal(again[:, 0], found[:, 7])


# The tokenizer.


def test_words_are_words_and_every_other_sign_is_one():
    tokenizer = WordTokenizer(["nice"])
    text = "It's NICE—really\u00a0nice!! 😀👍 3.5 #fun naïve\u200bété"
    found = tokenizer.words([text, "", " \t\n"])
    assert [place for _, place in found[0]] == [[place] for place in range(16)]
    assert [[word for word, _ in row] for row in found] == [
        ["it's", "nice", "—", "really", "nice", "!", "!", "😀", "👍", "3", ".", "5", "#", "fun", "naïve", "été"],
        [],
        [],
    ]
    assert WordTokenizer(["Nice"], lowercase=False)(["Nice nice"]).numpy().tolist() == [[2, 1]]


def test_learning_takes_the_commonest_and_breaks_ties_by_name():
    tokenizer = WordTokenizer.learn(["b b a", "a c"], size=4)
    assert tokenizer.vocabulary == ["a", "b"] and tokenizer.size == 4
    assert WordTokenizer.learn(["b b a", "a c"], at_least=2).vocabulary == ["a", "b"]
    assert tokenizer(["c a", "b"]).numpy().tolist() == [[1, 2], [3, 0]]


def test_texts_that_are_long_empty_or_no_utf8_have_ids():
    tokenizer = WordTokenizer(["a"], length=5)
    ids = tokenizer(tf.constant([b"a " * 100_000, b"", b"\xff\xfe a", b"x" * 100_000])).numpy()
    assert tokenizer.ragged(["a " * 9, "a"]).row_lengths().numpy().tolist() == [5, 1]
    assert ids.tolist() == [[2] * 5, [0] * 5, [1, 1, 2, 0, 0], [1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": ["a", "a"]}, "every word once"),
        ({"vocabulary": [""]}, "none of them empty"),
        ({"vocabulary": ["a"], "length": 0}, "`length` must be None or a positive integer"),
    ],
)
def test_a_tokenizer_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        WordTokenizer(**arguments)


def test_a_model_with_its_tokenizer_is_one_artefact(tmp_path):
    tokenizer = WordTokenizer.learn(["so good , so far", "so bad 😀"])
    text = keras.Input((), dtype="string", name="text")
    core = smoke("textcnn", vocabulary_size=tokenizer.size, length=None)
    keras.Model(text, core(tokenizer(text))).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    wanted = core(tokenizer(["so far 😀", "bad"]))
    np.testing.assert_allclose(loaded(tf.constant(["so far 😀", "bad"])), wanted, atol=1e-6)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-3


# Batches.


def ragged(lengths):
    return tf.RaggedTensor.from_row_lengths(tf.range(2, 2 + sum(lengths)), lengths)


def test_every_text_is_in_one_batch_of_an_epoch():
    lengths = np.random.default_rng(0).integers(0, 40, 503)
    ids = ragged(lengths)
    data = text_batches(ids, np.arange(503), batch_size=16, training=True, seed=1)
    epochs = [[(tokens.numpy(), labels.numpy()) for tokens, labels in data] for _ in range(2)]
    assert len(data) == len(epochs[0]) == 32
    orders = [np.concatenate([labels for _, labels in epoch]) for epoch in epochs]
    assert all(sorted(order) == list(range(503)) for order in orders) and (orders[0] != orders[1]).any()
    for tokens, labels in epochs[0]:
        assert tokens.shape[1] % 8 == 0
        for row, label in zip(tokens, labels):
            np.testing.assert_array_equal(row[row > 0], ids[int(label)])
    tokens = [tokens for tokens, _ in epochs[0]]
    padding = sum((batch == 0).sum() for batch in tokens) / sum(batch.size for batch in tokens)
    assert padding < 0.3  # About half where texts come as they are.


def test_batches_in_order_are_cut_and_padded():
    batches = list(text_batches(ragged([2, 9, 0]), [0, 1, 2], batch_size=2, length=4).as_numpy_iterator())
    assert [tokens.tolist() for tokens, _ in batches] == [[[2, 3, 0, 0], [4, 5, 6, 7]], [[0, 0, 0, 0]]]
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [2]]
    open_ended = [tokens.shape for tokens, _ in text_batches(ragged([2, 9, 0]), [0, 1, 2], batch_size=2)]
    assert open_ended == [(2, 16), (1, 8)]


def test_hidden_words_are_others_each_epoch_and_padding_stays():
    data = text_batches(ragged([30] * 64), np.arange(64), batch_size=64, training=True, unknown=0.25, length=40)
    epochs = [next(iter(data))[0].numpy() for _ in range(2)]
    for tokens in epochs:
        assert (tokens[:, 30:] == 0).all() and 0.2 < (tokens[:, :30] == 1).mean() < 0.3
    assert (epochs[0] == 1).sum(axis=0).tolist() != (epochs[1] == 1).sum(axis=0).tolist()


@pytest.mark.parametrize(("labels", "unknown", "message"), [([0], 0.0, "a label for every"), ([0, 1], 1.0, "0, 1")])
def test_batches_refuse(labels, unknown, message):
    with pytest.raises(ValueError, match=message):
        text_batches(ragged([1, 2]), labels, batch_size=2, unknown=unknown)


# What drove an answer.


def test_influence_is_what_a_linear_classifier_weighs():
    weights = np.random.default_rng(0).normal(size=(20, 3))
    weights[:2] = 0  # Of padding and of the unknown.
    ids = np.array([[5, 6, 0, 0], [7, 8, 9, 10]])
    places = [[[0], [1]], [[0], [1, 2], [3]]]  # The second text's second word is in two pieces.
    logits, effects = influence(lambda rows: weights[rows].sum(axis=1), ids, 1, places, size=3)
    for row, words in enumerate(ids):
        best = logits[row].argmax()
        others = [index for index in range(3) if index != best]
        wanted = weights[words, best] - weights[words][:, others].mean(axis=1)
        np.testing.assert_allclose(effects[row], [wanted[at].sum() for at in places[row]])


# The endpoint that takes texts.


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    tokenizer = WordTokenizer.learn(["so good , so far", "so bad 😀"], length=12)
    model = smoke("textcnn", vocabulary_size=tokenizer.size)
    folder = tmp_path_factory.mktemp("texts")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        kerazoo.export(
            model,
            folder,
            formats=("saved_model",),
            signature="raw",
            tokenizer=tokenizer,
            metadata={"labels": ["a", "b", "c", "d"], "top_k": 2},
            representative_data=tokenizer(["so good", "far bad", "so", ""]).numpy(),
        )
    return model, tokenizer, folder


def test_a_saved_model_takes_texts(exported):
    model, tokenizer, folder = exported
    texts = ["so far 😀", "", "a text of unknown words " * 5_000]
    answer = kerazoo.load(folder, engine="saved_model").raw(texts)
    wanted = tf.nn.softmax(model(tokenizer(texts), training=False)).numpy()
    np.testing.assert_allclose(answer["scores"], np.sort(wanted)[:, :-3:-1], rtol=1e-5)
    best = np.array(["a", "b", "c", "d"])[wanted.argmax(axis=1)]
    assert answer["labels"][:, 0].tolist() == best.tolist()


def test_the_tokenizer_travels_with_the_files(exported):
    model, tokenizer, folder = exported
    text = (folder / "1" / "tokenizer.json").read_text(encoding="utf-8")
    loaded = keras.saving.deserialize_keras_object(json.loads(text), safe_mode=True)
    np.testing.assert_array_equal(loaded(["so 😀 bad , new"]), tokenizer(["so 😀 bad , new"]))


def test_texts_need_a_classifier_of_ids(exported, tmp_path):
    model, tokenizer, _ = exported
    with pytest.raises(ValueError, match="`length` must be the model's, 12. Received: 5"):
        kerazoo.export(model, tmp_path, signature="raw", tokenizer=WordTokenizer(["a"], length=5))
    with pytest.raises(ValueError, match=r"one input \(B, length\) of integers"):
        kerazoo.export(kerazoo.build("lenet5"), tmp_path, signature="raw", tokenizer=tokenizer)
    assert not list(tmp_path.iterdir())
