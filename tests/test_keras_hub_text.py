"""Heads on keras-hub's encoders: padding, pairs of texts, presets, counts, errors; parity is in tests/parity."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.losses.span_entropy import SpanEntropy
from kerazoo.models.text.keras_hub_encoders import second_of_two
from kerazoo.models.text.keras_hub_sizes import FAMILIES, SIZES

keras_hub = pytest.importorskip("keras_hub")

ONE_OF_EACH = ("bert_tiny", "distil_bert_base", "roberta_base", "albert_base", "electra_small", "deberta_v3_base")


def smoke(name, **arguments):
    return kerazoo.build(name, **(dict(catalog.entry(name).smoke) | arguments))


def padding_of(name):
    return FAMILIES[catalog.entry(name).arguments["family"]]["padding"]


def spread(model, seed=0):
    """Gives a model weights that are so far apart that everything in it has an effect."""
    rng = np.random.default_rng(seed)
    model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def saved_classifier(folder, name="bert_tiny", classes=4):
    """keras-hub's own classifier of the smoke size, in a folder; it."""
    entry = catalog.entry(name)
    sizes = dict(entry.smoke)
    backbone = getattr(keras_hub.models, FAMILIES[entry.arguments["family"]]["backbone"])(
        vocabulary_size=sizes["vocabulary_size"],
        num_layers=sizes["depth"],
        num_heads=sizes["heads"],
        hidden_dim=sizes["width"],
        intermediate_dim=sizes["hidden"],
        max_sequence_length=sizes["context"],
        dropout=0.0,
    )
    kind = {"bert_tiny": "BertTextClassifier", "roberta_base": "RobertaTextClassifier"}[name]
    classifier = spread(getattr(keras_hub.models, kind)(backbone, num_classes=classes))
    classifier.save_to_preset(folder)
    return classifier


def test_every_promised_name_is_there():
    tasks = {"_tagger": "token_classification", "_span": "question_answering"}
    for suffix, task in tasks.items():
        assert {name + suffix for name in SIZES} <= set(kerazoo.list_models(task=task))
    classifiers = {f"{name}_classifier" if name.startswith("minilm") else name for name in SIZES}
    assert classifiers <= set(kerazoo.list_models(task="text_classification"))
    assert {"minilm_l6", "minilm_l12"} <= set(kerazoo.list_models(task="sentence_embedding"))


@pytest.mark.parametrize("suffix", ["", "_tagger", "_span"])
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_more_padding_changes_no_answer(name, suffix):
    model = spread(smoke(name + suffix, length=None))
    rng = np.random.default_rng(0)
    tokens = rng.integers(5, 50, (3, 7)).astype("int32")
    padded = np.pad(tokens, ((0, 0), (0, 5)), constant_values=padding_of(name))
    wanted, received = model(tokens).numpy(), model(padded).numpy()
    assert np.ptp(wanted, axis=0).max() > 0.1
    if suffix:
        received = received[:, :7]
    np.testing.assert_allclose(received, wanted, atol=1e-5 * np.abs(wanted).max())


def test_the_second_of_two_texts_is_told_from_the_first():
    tokens = np.array([[2, 7, 3, 8, 9, 3, 0, 0], [2, 7, 8, 9, 3, 0, 0, 0]])
    received = keras.ops.convert_to_numpy(second_of_two(tokens, tokens != 0, 3))
    assert received.tolist() == [[0, 0, 0, 1, 1, 1, 0, 0], [0] * 8]
    model = spread(smoke("bert_tiny"))
    one, other = (np.pad(np.array([[2, 7, mark, 8, 9, 3]], "int32"), ((0, 0), (0, 6))) for mark in (3, 4))
    same = model.get_layer("token_embedding")
    table = same.get_weights()[0]
    table[4] = table[3]
    same.set_weights([table])
    assert np.abs(model(one).numpy() - model(other).numpy()).max() > 1e-3


@pytest.mark.parametrize("name", ["bert_tiny", "albert_base", "electra_small", "electra_small_tagger"])
def test_published_parameters(name):
    assert kerazoo.build(name).count_params() == kerazoo.info(name)["params"]


def test_the_counts_that_transformers_has():
    for name, params in {
        "bert_base": 109_483_778,
        "distil_bert_base": 66_955_010,
        "albert_base": 11_685_122,
        "deberta_v3_base": 184_423_682,
        "roberta_base": 124_647_170 - 2304,
    }.items():
        assert kerazoo.info(name)["params"] == params, name


def test_a_cased_tagger_has_as_many_parameters_as_that_of_transformers(monkeypatch):
    asked = []

    def offline(preset):
        asked.append(preset)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", offline)
    with pytest.raises(ConnectionError, match="'bert_base_en' could not be downloaded.*save_to_preset"):
        kerazoo.build("bert_base_tagger", weights="en")
    assert asked == ["bert_base_en"]
    monkeypatch.setattr("kerazoo.models.text.keras_hub_encoders.load_encoder", lambda *given, **options: None)
    assert kerazoo.build("bert_base_tagger", weights="en").count_params() == 107_726_601


@pytest.mark.parametrize("name", ["bert_tiny", "roberta_base"])
def test_a_saved_classifier_brings_its_head(name, tmp_path):
    theirs = saved_classifier(tmp_path / "preset", name)
    ours = smoke(name, weights=str(tmp_path / "preset"))
    tokens = np.random.default_rng(0).integers(5, 50, (4, 12)).astype("int32")
    tokens[:, 9:] = padding_of(name)
    inputs = {"token_ids": tokens, "padding_mask": (tokens != padding_of(name)).astype("int32")}
    if name == "bert_tiny":
        inputs["segment_ids"] = np.zeros_like(tokens)
    wanted = keras.ops.convert_to_numpy(theirs(inputs))
    assert np.ptp(wanted, axis=0).max() > 0.1
    np.testing.assert_allclose(ours(tokens).numpy(), wanted, atol=1e-4 * np.abs(wanted).max())


def test_other_classes_bring_the_encoder_alone(tmp_path):
    saved_classifier(tmp_path / "preset", classes=3)
    with pytest.warns(UserWarning, match="fresh: logits"):
        classifier = smoke("bert_tiny", weights=str(tmp_path / "preset"))
    with pytest.warns(UserWarning, match="fresh: logits"):
        tagger = smoke("bert_tiny_tagger", weights=str(tmp_path / "preset"), num_classes=5)
    tokens = np.arange(5, 17, dtype="int32")[None]
    bodies = [keras.Model(m.input, m.get_layer("transformer_layer_1").output)(tokens) for m in (classifier, tagger)]
    np.testing.assert_array_equal(*bodies)


def test_a_preset_that_does_not_fit_is_refused(tmp_path):
    saved_classifier(tmp_path / "preset")
    with pytest.raises(ValueError, match="does not fit 'bert_tiny'.*'hidden_dim': 16.*Received other layers: embed"):
        smoke("bert_tiny", width=8, weights=str(tmp_path / "preset"))
    with pytest.raises(ValueError, match="does not fit.*transformer_layer_2"):
        smoke("bert_tiny", depth=3, weights=str(tmp_path / "preset"))
    with pytest.raises(ValueError, match="does not fit.*transformer_layer_1"):
        smoke("bert_tiny", depth=1, weights=str(tmp_path / "preset"))
    with pytest.raises(ValueError, match="must be a RobertaBackbone. Received: BertBackbone"):
        smoke("roberta_base", weights=str(tmp_path / "preset"))


def test_a_folder_of_transformers_without_pooling_is_refused(tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    sizes = {"vocab_size": 50, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
    sizes |= {"intermediate_size": 32, "max_position_embeddings": 16}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]} | sizes))
    numpy_files.save_file(
        {"embeddings.word_embeddings.weight": np.zeros((50, 16), "float32")}, tmp_path / "model.safetensors"
    )
    with pytest.raises(ValueError, match="with the encoder's pooling alone. Received: .*does not contain tensor"):
        smoke("bert_tiny", weights=str(tmp_path))


def test_electras_head_is_not_the_encoders_pooling(tmp_path):
    ours = smoke("electra_small")
    sizes = dict(catalog.entry("electra_small").smoke)
    backbone = keras_hub.models.ElectraBackbone(
        vocab_size=50,
        num_layers=sizes["depth"],
        num_heads=sizes["heads"],
        hidden_dim=sizes["width"],
        embedding_dim=sizes["embedding_size"],
        intermediate_dim=sizes["hidden"],
        max_sequence_length=sizes["context"],
    )
    backbone.save_to_preset(tmp_path / "preset")
    with pytest.warns(UserWarning, match="fresh: pooled_dense, logits"):
        ours = smoke("electra_small", weights=str(tmp_path / "preset"))
    np.testing.assert_array_equal(
        ours.get_layer("token_embedding").get_weights()[0], backbone.get_layer("token_embedding").get_weights()[0]
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"family": "elmo"}, "Unknown family.*'elmo'"),
        ({"heads": 3}, "`width` must be a multiple of `heads`.*16, 3"),
        ({"length": 17}, "`length` at most `context`.*17, 16"),
        ({"depth": 0}, "`depth` must be an integer of at least 1. Received: 0"),
    ],
)
def test_wrong_sizes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        smoke("bert_tiny", **wrong)


def test_a_saved_model_loads_where_keras_hub_was_not_imported(tmp_path):
    model = spread(smoke("deberta_v3_base_tagger"))  # The family with a layer of ours in keras-hub's graph.
    tokens = np.random.default_rng(0).integers(5, 50, (2, 12)).astype("int32")
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "tokens.npy", tokens)
    script = (
        "import sys, numpy, keras, kerazoo; folder = sys.argv[1]; assert 'keras_hub' not in sys.modules; "
        "model = keras.saving.load_model(folder + '/m.keras'); "
        "numpy.save(folder + '/answer.npy', model(numpy.load(folder + '/tokens.npy')))"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=300)
    np.testing.assert_allclose(np.load(tmp_path / "answer.npy"), model(tokens).numpy(), atol=1e-5)


def test_what_is_judged_by_nothing_does_not_count():
    model = smoke("bert_tiny_tagger")
    tokens = np.random.default_rng(0).integers(5, 50, (2, 12)).astype("int32")
    tags = np.zeros((2, 12), "int32")
    tags[:, 6:] = -1
    wanted = model.loss(tags[:, :6], model(tokens)[:, :6])
    np.testing.assert_allclose(model.loss(tags, model(tokens)), wanted, rtol=1e-6)


def test_span_entropy_by_hand():
    logits = np.log(np.array([[[0.2, 0.1], [0.5, 0.3], [0.3, 0.6]]], "float32"))
    assert float(SpanEntropy()(np.array([[1, 2]]), logits)) == pytest.approx(-(np.log(0.5) + np.log(0.6)) / 2, rel=1e-5)


def test_no_answer_is_where_padding_is():
    model = smoke("bert_tiny_span")
    tokens = np.array([[2, 7, 3, 8, 9, 3, 0, 0, 0, 0, 0, 0]], "int32")
    chances = keras.ops.convert_to_numpy(keras.ops.softmax(model(tokens), axis=1))
    assert (chances[0, 6:] == 0).all() and (chances[0, :6] > 0).all()
