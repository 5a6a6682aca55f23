"""Models on keras-hub's backbones answer as keras-hub's own, take its presets and load without it."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.models.vision import keras_hub as wrapped
from kerazoo.verification import plan
from kerazoo.weights.keras_hub_presets import load_preset

keras_hub = pytest.importorskip("keras_hub")

FIRST = {"ResNet-vd": "hub_resnet_vd_50", "CSPNet": "hub_csp_resnet_50"}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]) * 255, np.array([0.229, 0.224, 0.225]) * 255


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def smoke(name, **arguments):
    entry = catalog.entry(name)
    return kerazoo.build(name, **(dict(entry.smoke) | arguments)), entry


def images(entry, batch=4):
    return entry.sample(np.random.default_rng(0), batch)[0]


def hub_classifier(entry, *, classes=1000, mean=MEAN, deviation=DEVIATION):
    """keras-hub's own classifier at smoke size, its vectors random, its statistics those of some images."""
    hub = keras_hub.models
    kind = entry.arguments["backbone"].removesuffix("Backbone")
    backbone = getattr(hub, f"{kind}Backbone")(image_shape=(64, 64, 3), **entry.smoke["options"])
    converter = getattr(keras_hub.layers, f"{kind}ImageConverter")(
        scale=list(map(float, 1 / deviation)), offset=list(map(float, -mean / deviation))
    )
    preprocessor = getattr(hub, f"{kind}ImageClassifierPreprocessor")(converter)
    classifier = getattr(hub, f"{kind}ImageClassifier")(backbone, num_classes=classes, preprocessor=preprocessor)
    rng = np.random.default_rng(1)
    classifier.set_weights([rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in classifier.get_weights()])
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    classifier((images(entry, 16) - mean) / deviation, training=True)
    return classifier


# The others are the same model at smoke size.
@pytest.mark.parametrize("name", [group[0] for group in plan.groups(list(wrapped.VARIANTS))])
def test_answers_as_keras_hub(name, tmp_path):
    model, entry = smoke(name)
    classifier = hub_classifier(entry, classes=4)
    classifier.save_to_preset(tmp_path / "preset")
    load_preset(model, str(tmp_path / "preset"))
    expected = keras.ops.convert_to_numpy(classifier((images(entry) - MEAN) / DEVIATION, training=False))
    received = keras.ops.convert_to_numpy(model(images(entry)))
    assert np.ptp(expected, axis=0).max() > 1e-3 * np.abs(expected).max(), "the answers do not depend on the image"
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
    assert trainable(model) == trainable(classifier)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)


@pytest.mark.parametrize("name", ["hub_resnet_vd_18", "hub_csp_resnext_50"])
def test_published_parameters(name):
    assert trainable(kerazoo.build(name)) == kerazoo.info(name)["params"]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(wrapped.VARIANTS))
def test_published_parameters_and_features_of_every_variant(name):
    model, entry = kerazoo.build(name), catalog.entry(name)
    assert trainable(model) == entry.params
    for stride, tensor in entry.features(model).items():
        assert tensor.shape[1] == 224 // stride


@pytest.mark.parametrize("name", FIRST.values())
def test_names_do_not_depend_on_what_was_built_before(name):
    first, second = (smoke(name)[0] for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


@pytest.mark.parametrize("name", FIRST.values())
def test_a_preset_with_other_classes_brings_the_body(name, tmp_path):
    _, entry = smoke(name)
    classifier = hub_classifier(entry)
    classifier.save_to_preset(tmp_path / "preset")
    arguments = dict(entry.arguments) | dict(entry.smoke) | {"weights": str(tmp_path / "preset")}
    with pytest.warns(UserWarning, match="1000 classes are in the preset.*starts fresh: logits"):
        model = wrapped.keras_hub_classifier(**arguments)
    body = keras.Model(model.input, model.get_layer("pool").input)
    expected = keras.ops.convert_to_numpy(classifier.backbone((images(entry) - MEAN) / DEVIATION, training=False))
    np.testing.assert_allclose(body(images(entry)), expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def test_a_preset_that_does_not_fit_changes_nothing(tmp_path):
    model, entry = smoke("hub_resnet_vd_50")
    before = model.get_weights()
    other = catalog.entry("hub_resnet_vd_18")
    hub_classifier(other, classes=4).save_to_preset(tmp_path / "basic")
    with pytest.raises(ValueError, match="does not fit 'hub_resnet_vd_50'.*stack0_block0"):
        load_preset(model, str(tmp_path / "basic"))
    hub_classifier(entry, classes=4, mean=np.zeros(3), deviation=np.full(3, 255.0)).save_to_preset(tmp_path / "unit")
    with pytest.raises(ValueError, match="normalises pixels otherwise"):
        load_preset(model, str(tmp_path / "unit"))
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))


def test_a_tag_asks_keras_hub_for_its_preset_and_says_when_there_is_no_network(monkeypatch):
    asked = []

    def offline(preset):
        asked.append(preset)
        raise ConnectionError("no route to host")

    monkeypatch.setattr(keras_hub.models.ImageClassifier, "from_preset", offline)
    with pytest.raises(ConnectionError, match="resnet_vd_50_ssld_v2_.* could not be downloaded.*save_to_preset"):
        kerazoo.build("hub_resnet_vd_50", weights="imagenet_ssld_v2")
    assert asked == ["resnet_vd_50_ssld_v2_imagenet"]


def test_every_tag_names_a_preset_of_keras_hub():
    known = set(keras_hub.models.ResNetBackbone.presets) | set(keras_hub.models.CSPNetBackbone.presets)
    tags = [facts["preset"] for name in wrapped.VARIANTS for facts in catalog.entry(name).weights.values()]
    assert len(tags) == 13 and set(tags) <= known


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ImportError, match=r'pip install "kerazoo\[cv\]"'):
        kerazoo.build("hub_resnet_vd_18")
    assert "hub_resnet_vd_18" in kerazoo.list_models("hub_*")


def test_a_saved_model_loads_without_keras_hub(tmp_path):
    model, entry = smoke("hub_csp_resnet_50")
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images(entry))
    np.save(tmp_path / "answers.npy", model(images(entry)))
    program = """
import sys, numpy as np, kerazoo, keras
folder = sys.argv[1]
model = keras.saving.load_model(folder + "/model.keras", safe_mode=True)
np.testing.assert_array_equal(model(np.load(folder + "/images.npy")), np.load(folder + "/answers.npy"))
assert not {"keras_hub", "kerazoo.models.vision.keras_hub"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=120)


def test_clear_errors():
    with pytest.raises(ValueError, match="Did you mean 'ResNetBackbone'"):
        wrapped.keras_hub_classifier(backbone="ResnetBackbone", options={})
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        kerazoo.build("hub_resnet_vd_18", input_shape=(64, 64, 1))
