"""The wrapped families answer as Keras's own model after its own preprocessing, and take its files."""

import json
import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.models.vision import keras_applications as wrapped

# Seconds each: their code is that of a smaller family, or is built from the same blocks.
LARGE = {"InceptionResNetV2", "NASNet", "EfficientNetV2"}
EVERY_FAMILY = [pytest.param(key, marks=pytest.mark.slow if key in LARGE else ()) for key in wrapped.FAMILIES]
STRIDES = {"VGG": [1, 2, 4, 8, 16, 32], "ConvNeXt": [4, 8, 16, 32]}
MODULES = {
    "Xception": "xception",
    "VGG": "vgg16",
    "ResNet": "resnet",
    "ResNetV2": "resnet_v2",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3": "mobilenet_v3",
    "DenseNet": "densenet",
    "NASNet": "nasnet",
    "EfficientNet": "efficientnet",
    "EfficientNetV2 B": "efficientnet_v2",
    "EfficientNetV2": "efficientnet_v2",
    "ConvNeXt": "convnext",
}


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def first_name(family):
    return next(iter(wrapped.FAMILIES[family]["variants"]))


def randomize(model, rng):
    """Vectors (biases, norms and their statistics, layer scales) away from where they cancel out."""
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in model.get_weights()])


def calibrate(model, inputs):
    """Batch norms take the statistics of these inputs: random ones leave nothing of the image after a few layers."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    before = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(inputs, training=True)
    for layer, momentum in zip(norms, before):
        layer.momentum = momentum


def pixels(rng, side, batch):
    """Images that differ in brightness and colour, so that an answer that ignores them shows."""
    tint = rng.uniform(0.1, 1.0, (batch, 1, 1, 3))
    return (rng.uniform(0, 255, (batch, side, side, 3)) * tint).astype("float32")


def assert_same_answers(received, expected):
    scale = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 1e-3 * scale, "the answers do not depend on the image"
    # Up to 200 layers of float32, and preprocessing in another order of operations.
    np.testing.assert_allclose(received, expected, atol=2e-4 * scale, rtol=0)


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_answers_as_keras_after_its_own_preprocessing(family):
    rng = np.random.default_rng(0)
    entry = catalog.entry(first_name(family))
    application, side = wrapped.FAMILIES[family]["smoke"]
    model = kerazoo.build(entry.name, **entry.smoke)
    original = getattr(keras.applications, application)(
        weights=None, input_shape=(side, side, 3), classes=4, classifier_activation=None
    )
    randomize(original, rng)
    inside = [layer for layer in original.layers if isinstance(layer, keras.layers.Normalization) and layer.weights]
    if inside:  # EfficientNet's, which its ImageNet file fills; its square root is taken once here.
        mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        inside[0].set_weights([mean, deviation**2, np.array(0)])
        inside[0].finalize_state()
    images = pixels(rng, side, 16)  # Enough that no variance of a batch norm is near zero by chance.
    preprocess = getattr(keras.applications, MODULES[family]).preprocess_input
    calibrate(original, preprocess(images.copy()))
    skipped = {id(variable) for layer in inside for variable in layer.weights}
    model.set_weights([variable.numpy() for variable in original.weights if id(variable) not in skipped])

    images = images[:4]
    expected = original(preprocess(images.copy()), training=False).numpy()
    logits = model(np.concatenate([images, images[..., ::-1]]))
    assert logits.dtype == "float32"
    received, swapped = np.split(keras.ops.convert_to_numpy(logits), 2)
    assert_same_answers(received, expected)
    assert np.abs(swapped - received).max() > 1e-3 * np.abs(expected).max(), "red and blue are alike to the model"

    assert model.name == entry.name and model.input.name == "image"
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    assert trainable(model) == trainable(original)
    assert set(entry.features(model)) <= {1, 2, 4, 8, 16, 32}


def test_every_application_of_keras_is_wrapped():
    theirs = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {row["application"] for row in wrapped.VARIANTS.values()} == theirs
    assert set(kerazoo.list_models("keras_*")) == set(wrapped.VARIANTS)


@pytest.mark.parametrize(
    "name", ["keras_mobilenet", "keras_mobilenet_v2", "keras_mobilenet_v3_small", "keras_efficientnet_b0"]
)
def test_published_parameters(name):
    assert trainable(kerazoo.build(name)) == kerazoo.info(name)["params"]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(wrapped.VARIANTS))
def test_published_parameters_and_features_of_every_variant(name):
    entry = catalog.entry(name)
    model = kerazoo.build(name)
    assert trainable(model) == entry.params
    family, side = wrapped._DEFAULTS[entry.arguments["application"]]["family"], model.input_shape[1]
    features = entry.features(model)
    assert sorted(features) == STRIDES.get(family, [2, 4, 8, 16, 32])
    for stride, tensor in features.items():  # Unpadded convolutions take some pixels off the edge.
        assert abs(tensor.shape[1] - side / stride) <= 4, (stride, tensor)


@pytest.mark.parametrize("name", ["keras_mobilenet_v3_small", "keras_resnet50_v2"])
def test_float32_head_under_mixed_precision(name):
    entry = catalog.entry(name)
    model = kerazoo.build(name, precision="mixed_float16", **entry.smoke)
    assert model.dtype_policy.name == "mixed_float16"
    assert model.get_layer("logits").compute_dtype == "float32"
    assert model.get_layer("normalize").compute_dtype == "float32"
    convolutions = [layer for layer in model.layers if "Conv" in type(layer).__name__ and layer.name != "logits"]
    assert {layer.compute_dtype for layer in convolutions} == {"float16"}
    images, _ = entry.sample(np.random.default_rng(0), 2)
    assert model(images).dtype == "float32"


@pytest.mark.parametrize("name", ["keras_vgg16", "keras_mobilenet_v3_small"])
def test_round_trip_in_safe_mode(name, tmp_path):
    entry = catalog.entry(name)
    model = kerazoo.build(name, **entry.smoke)
    images, _ = entry.sample(np.random.default_rng(0), 2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again.predict_on_batch(images), model.predict_on_batch(images))


def test_names_do_not_depend_on_what_was_built_before():
    entry = catalog.entry("keras_inception_v3")
    first, second = (kerazoo.build(entry.name, **entry.smoke) for _ in range(2))
    assert [operation.name for operation in first.operations] == [operation.name for operation in second.operations]


def test_backbone():
    backbone = kerazoo.backbone("keras_resnet50", input_shape=(64, 96, 3))
    assert {name: tuple(tensor.shape) for name, tensor in backbone.output.items()} == {
        "stride_2": (None, 32, 48, 64),
        "stride_4": (None, 16, 24, 256),
        "stride_8": (None, 8, 12, 512),
        "stride_16": (None, 4, 6, 1024),
        "stride_32": (None, 2, 3, 2048),
    }


def test_clear_errors():
    with pytest.raises(ValueError, match="Did you mean 'ResNet50'"):
        wrapped.keras_application(application="Resnet50")
    with pytest.raises(ValueError, match="must be None or 'imagenet'"):
        wrapped.keras_application(application="ResNet50", weights="coco")
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        wrapped.keras_application(application="ResNet50", input_shape=(32, 32, 1))


# Keras reads KERAS_HOME when it is imported, and MobileNet's file is one that it checks no hash of.
CACHED = """
import json, os, sys, warnings
import keras, numpy as np
import kerazoo
models = os.path.join(os.environ["KERAS_HOME"], "models")
os.makedirs(models)
rng = np.random.default_rng(0)
answers = {}
def same(full, **arguments):
    original = keras.applications.MobileNet(weights=None, include_top=full)
    original.set_weights([rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in original.get_weights()])
    original.save(os.path.join(models, "mobilenet_1_0_224_tf.h5" if full else "mobilenet_1_0_224_tf_no_top.h5"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = kerazoo.build("keras_mobilenet", weights="imagenet", **arguments)
    said = [str(w.message) for w in said if "start fresh" in str(w.message)]
    received = model.get_weights()[: len(original.weights)]
    return all(np.array_equal(a, b) for a, b in zip(original.get_weights(), received)), model.output_shape[-1], said
answers["full"] = same(True, input_shape=(64, 64, 3))
answers["no_top"] = same(False, num_classes=5, input_shape=(64, 64, 3), precision="mixed_bfloat16")
try:
    kerazoo.build("keras_nasnet_mobile", weights="imagenet")
except ConnectionError as error:
    answers["offline"] = str(error)
json.dump(answers, sys.stdout)
"""


def test_imagenet_files_from_the_cache_and_without_a_network(tmp_path):
    refused = {
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "no_proxy": "",
    }  # A closed port.
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CACHED)],
        env=os.environ | refused | {"KERAS_HOME": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout[result.stdout.index('{"full"') :])
    assert answers["full"] == [True, 1000, []]
    same, classes, said = answers["no_top"]
    assert same and classes == 5
    assert said == ["1000 classes are in the ImageNet file; these layers start fresh: logits."]
    assert "NASNet-mobile.h5" in answers["offline"]
    assert str(tmp_path / "models" / "nasnet_mobile.h5") in answers["offline"]


@pytest.fixture
def keras_files(monkeypatch, tmp_path):
    """Serves random weights, saved as Keras saves them, in place of each file that Keras asks for."""
    from keras.src.utils import file_utils

    def serve(original):
        path = str(tmp_path / "weights.h5")
        original.save(path)
        monkeypatch.setattr(file_utils, "get_file", lambda *args, **kwargs: path)

    return serve


def test_efficientnet_as_keras_builds_it_for_imagenet(keras_files):
    """Keras adds a layer to this graph for ImageNet weights only; ours is the same graph always."""
    rng = np.random.default_rng(0)
    original = keras.applications.EfficientNetB0(weights=None, classifier_activation=None)
    randomize(original, rng)
    normalization = next(layer for layer in original.layers if isinstance(layer, keras.layers.Normalization))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalization.set_weights([mean, deviation, np.array(0)])  # The published file has deviations for variances.
    images = pixels(rng, 224, 2)
    calibrate(original, images)
    keras_files(original)
    model = kerazoo.build("keras_efficientnet_b0", weights="imagenet")
    expected = keras.applications.EfficientNetB0(weights="imagenet", classifier_activation=None)(images, training=False)
    assert_same_answers(model(images).numpy(), expected.numpy())

    normalization.set_weights([mean, deviation**2, np.array(0)])
    keras_files(original)
    with pytest.raises(ValueError, match="normalises pixels otherwise"):
        kerazoo.build("keras_efficientnet_b0", weights="imagenet")


@pytest.mark.slow
@pytest.mark.parametrize("family", list(wrapped.FAMILIES))
@pytest.mark.parametrize("full", [True, False])
def test_imagenet_file_of_every_family(family, full, keras_files):
    """Each family takes the file that Keras makes of it, and answers as Keras with that file does."""
    rng = np.random.default_rng(0)
    application, _ = wrapped.FAMILIES[family]["smoke"]
    name = next(name for name, row in wrapped.VARIANTS.items() if row["application"] == application)
    shape = wrapped.VARIANTS[name]["input_shape"]
    build = getattr(keras.applications, application)
    original = build(weights=None, include_top=full, input_shape=shape)
    randomize(original, rng)
    for layer in original.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)])
    images = pixels(rng, shape[0], 2)
    preprocess = getattr(keras.applications, MODULES[family]).preprocess_input
    calibrate(original, preprocess(images.copy()))
    keras_files(original)
    if not full:
        with pytest.warns(UserWarning, match="start fresh: .*logits"):
            model = kerazoo.build(name, weights="imagenet", num_classes=7)
        # Every weight of the body, compared by value in the order of the graph.
        skipped = {id(w) for m in original.layers if isinstance(m, keras.layers.Normalization) for w in m.weights}
        theirs = [w.numpy() for w in original.weights if id(w) not in skipped]
        assert all(np.array_equal(a, b) for a, b in zip(theirs, model.get_weights()))
        assert len(theirs) < len(model.weights)
        return
    model = kerazoo.build(name, weights="imagenet")
    reference = build(weights="imagenet", classifier_activation=None)
    expected = reference(preprocess(images.copy()), training=False).numpy()
    assert_same_answers(model(images).numpy(), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(wrapped.VARIANTS))
@pytest.mark.parametrize("num_classes", [1000, 4])
def test_the_place_named_for_a_file_is_where_keras_looks(name, num_classes, monkeypatch):
    from keras.src.utils import file_utils

    asked = []

    def refuse(file, address, **_):
        asked.append(file)
        raise Exception(f"URL fetch failure on {address}: None -- refused")

    monkeypatch.setattr(file_utils, "get_file", refuse)
    with pytest.raises(ConnectionError) as error:
        kerazoo.build(name, weights="imagenet", num_classes=num_classes)
    assert str(error.value).endswith(f"models/{asked[0]}.")
