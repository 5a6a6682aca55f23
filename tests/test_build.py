"""The contract of `kerazoo.build`: what comes back, what is left alone, what is refused."""

import json
import random
import warnings
import zipfile

import keras
import numpy as np
import pytest

import kerazoo

SMALL = {"block": "basic", "depths": (1, 1), "width": 4, "stem": "small", "input_shape": (16, 16, 3)}


def small(**arguments):
    """A ResNet of a few thousand weights."""
    return kerazoo.build("resnet18", **(SMALL | {"num_classes": 5} | arguments))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")


def test_returns_a_compiled_model_under_its_name(images):
    model = small()
    assert model.compiled
    assert model.name == "resnet18"
    assert model(images).shape == (4, 5)
    history = model.fit(images, np.array([0, 1, 2, 3]), verbose=0, epochs=2)
    assert set(history.history) == {"loss", "accuracy"}


def test_importable_and_compiled_the_same_way(images):
    from kerazoo.models.vision.resnet import resnet

    model = resnet(**SMALL, num_classes=5)
    assert model.compiled
    assert model(images).shape == (4, 5)


def test_variants_are_rows_that_keywords_override():
    assert kerazoo.build("mlp", input_shape=(2, 2, 3), hidden=(4, 4, 4)).get_layer("hidden3").units == 4
    arguments = {"depths": [1, 1], "width": 4}
    kerazoo.build("resnet18", **arguments, stem="small", input_shape=(16, 16, 3))
    assert arguments == {"depths": [1, 1], "width": 4}, "arguments are not mutated"


def test_compile_overrides_keep_the_rest():
    model = small(loss="mse", learning_rate=0.25, steps_per_execution=4)
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.optimizer.nesterov
    assert model.loss == "mse"
    assert model.steps_per_execution == 4
    model = small(optimizer="adam", learning_rate=0.5, metrics=[])
    assert (type(model.optimizer).__name__, float(model.optimizer.learning_rate)) == ("Adam", 0.5)
    assert isinstance(model.loss, keras.losses.SparseCategoricalCrossentropy)
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    assert small(learning_rate=schedule).optimizer._learning_rate.get_config() == schedule.get_config()


def test_a_rate_for_a_finished_optimizer_is_refused():
    with pytest.raises(ValueError, match="`learning_rate` goes with the model's own optimizer"):
        small(optimizer=keras.optimizers.Adam(), learning_rate=0.1)


def test_seed_repeats_the_weights_and_leaves_the_program_alone():
    random.seed(7)
    expected = random.random()
    random.seed(7)
    first, second, other = small(seed=1), small(seed=1), small(seed=2)
    assert random.random() == expected
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights()))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_precision_is_the_models_own(precision, images):
    before = keras.config.dtype_policy().name
    model = small(precision=precision)
    assert keras.config.dtype_policy().name == before == "float32"
    assert model.dtype_policy.name == precision
    assert model.get_layer("stem_conv").compute_dtype == precision.removeprefix("mixed_")
    assert model.output.dtype == "float32"
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")
    scaled = small(precision=precision, optimizer="adam").optimizer
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer) == (precision == "mixed_float16")


def test_policy_is_restored_after_an_error():
    with pytest.raises(ValueError, match="`block` must be one of"):
        small(block="nonsense", precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(ValueError, match="`precision` must be one of.*Received: 'half'"):
        small(precision="half")


def test_xla_is_an_error_where_it_cannot_compile(monkeypatch):
    from kerazoo.training import xla

    image = keras.Input((8, 8, 3))
    angled = keras.layers.RandomRotation(0.1)(image, training=True)
    model = keras.Model(image, keras.layers.Conv2D(2, 3)(angled))
    assert "ImageProjectiveTransformV3" in xla.unsupported_operation(model)
    with pytest.raises(ValueError, match="XLA cannot compile 'rotating': .*ImageProjectiveTransformV3"):
        xla.resolve(model, "rotating", True)
    assert small(jit_compile=True).jit_compile is True
    assert small(jit_compile=False).jit_compile is False
    with pytest.raises(ValueError, match="`jit_compile` must be"):
        small(jit_compile="yes")


@pytest.mark.parametrize("faster", [True, False])
def test_xla_auto_is_what_was_measured_on_this_device_in_this_precision(monkeypatch, faster):
    from kerazoo import catalog
    from kerazoo.training import xla

    found = {"A chip": {"float32": faster}, "B chip": {"float32": not faster}, "gpu": not faster}
    known = {"models": {"resnet18": {"module": "-", "measured": {"xla_faster": found}}}}
    models = {precision: small(precision=precision) for precision in ("float32", "mixed_bfloat16")}
    monkeypatch.setattr(catalog, "read", lambda: known)
    monkeypatch.setattr(xla.hardware, "device", lambda: "A chip")
    assert small().jit_compile is faster
    assert xla.resolve(models["mixed_bfloat16"], "resnet18", "auto") == "auto"
    monkeypatch.setattr(xla.hardware, "device", lambda: "C chip")
    assert xla.resolve(models["float32"], "resnet18", "auto") == "auto", "nothing was measured: Keras's own"


@pytest.mark.parametrize("found", [{"cpu": True}, {"A chip": True}, {"A chip": {"float32": "yes"}}, None, [], {}])
def test_findings_of_another_form_say_nothing(monkeypatch, found):
    from kerazoo import catalog
    from kerazoo.training import xla

    known = {"models": {"resnet18": {"module": "-", "measured": {"xla_faster": found}}}}
    model = small()
    monkeypatch.setattr(catalog, "read", lambda: known)
    monkeypatch.setattr(xla.hardware, "device", lambda: "A chip")
    assert xla.resolve(model, "resnet18", "auto") == "auto"
    assert xla.resolve(model, "resnet18", False) is False


def test_unknown_arguments_get_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown argument for 'resnet18'. Did you mean 'num_classes'"):
        small(num_clases=3)


# Weights


@pytest.fixture(scope="module")
def saved(tmp_path_factory, images):
    """(model, its .keras file, its .weights.h5 file), trained a little so that the statistics moved."""
    model = small(seed=3)
    model.fit(images, np.array([0, 1, 2, 3]), verbose=0)
    folder = tmp_path_factory.mktemp("weights")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return model, folder / "model.keras", folder / "model.weights.h5"


@pytest.mark.parametrize("kind", [1, 2], ids=["keras", "h5"])
def test_weights_from_a_file(saved, images, kind):
    model = small(weights=saved[kind], seed=4)
    np.testing.assert_array_equal(model(images), saved[0](images))
    np.testing.assert_array_equal(small(weights=str(saved[kind]))(images), saved[0](images))


@pytest.mark.parametrize("kind", [1, 2], ids=["keras", "h5"])
def test_another_head_starts_fresh_and_says_so(saved, images, kind):
    with pytest.warns(UserWarning, match="start fresh: logits"):
        model = small(weights=saved[kind], num_classes=7)
    assert model(images).shape == (4, 7)
    body = [keras.Model(m.input, m.get_layer("pool").output) for m in (model, saved[0])]
    np.testing.assert_array_equal(body[0](images), body[1](images))


def test_weights_of_another_architecture_are_refused(saved):
    with pytest.raises(ValueError, match=r"does not fit the model: .*of another shape.*Nothing was loaded"):
        small(weights=saved[1], width=8)
    with pytest.raises(ValueError, match=r"does not fit the model: .*missing"):
        small(weights=saved[2], depths=(1, 2))
    with pytest.raises(ValueError, match=r"does not fit the model: .*unexpected"):
        small(weights=saved[2], depths=(1,))


def test_a_refused_file_leaves_the_model_as_it_was(saved, tmp_path):
    from kerazoo.weights import load_file

    model = small(width=8)
    before = model.get_weights()
    with pytest.raises(ValueError):
        load_file(model, saved[1])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
@pytest.mark.parametrize("kind", [1, 2], ids=["keras", "h5"])
def test_damaged_files_are_refused(saved, tmp_path, kind, damage):
    whole = saved[kind].read_bytes()
    path = tmp_path / saved[kind].name
    path.write_bytes({"truncated": whole[: len(whole) // 2], "garbage": b"garbage" * 99, "empty": b""}[damage])
    with pytest.raises(ValueError, match="is damaged or no"):
        small(weights=path)


def test_an_archive_is_data(saved, tmp_path):
    """Only the weights member of a .keras archive is read: its configuration could name anything."""
    path = tmp_path / "hostile.keras"
    with zipfile.ZipFile(saved[1]) as source, zipfile.ZipFile(path, "w") as target:
        target.writestr("config.json", json.dumps({"module": "os", "class_name": "system", "config": {}}))
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        small(weights=path)
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("../outside.txt", "outside")
    with pytest.raises(ValueError, match="hostile.keras has a member that leaves its folder"):
        small(weights=path)
    assert not (tmp_path.parent / "outside.txt").exists()


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="Unknown weights for 'resnet18'"):
        small(weights="imagnet")
    with pytest.raises(ValueError, match=r"Models that have 'imagenet': keras_resnet50, .* \(\d\d in all\)\.$"):
        kerazoo.build("resnet50", weights="imagenet")
    with pytest.raises(ValueError, match=r"one of: cnn_dailymail, en\. Received: 'imagenet'\.$"):  # Nothing of images.
        kerazoo.build("gpt2_base", weights="imagenet")
    with pytest.raises(FileNotFoundError, match="must be a tag or an existing file"):
        small(weights="nowhere/model.keras")


# Backbones


def test_backbone_gives_each_stage_with_its_stride():
    body = kerazoo.backbone("resnet50", input_shape=(64, 64, 3), depths=(1, 1, 1, 1), precision="mixed_bfloat16")
    assert {k: v.shape[1:] for k, v in body.output.items()} == {
        "stride_2": (32, 32, 64),
        "stride_4": (16, 16, 256),
        "stride_8": (8, 8, 512),
        "stride_16": (4, 4, 1024),
        "stride_32": (2, 2, 2048),
    }
    assert keras.config.dtype_policy().name == "float32"
    assert body.dtype_policy.name == "mixed_bfloat16"


def test_backbone_is_the_body_of_the_model(saved, images):
    with pytest.warns(UserWarning, match="start fresh: logits"):
        body = small(weights=saved[1], num_classes=2, features_only=True)
    expected = keras.Model(saved[0].input, saved[0].get_layer("stage2_block1_out").output)(images)
    np.testing.assert_array_equal(body(images)["stride_2"], expected)


def test_backbone_refusals():
    with pytest.raises(ValueError, match="A backbone needs a model with feature maps. Received: 'mlp'"):
        kerazoo.backbone("mlp")
    with pytest.raises(ValueError, match="takes no compile arguments. Received: ."):
        kerazoo.build("resnet18", features_only=True, loss="mse")


def test_everything_works_under_a_strategy(images):
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = small(precision="mixed_bfloat16", seed=1)
        with pytest.warns(UserWarning, match="jit_compile=True is switched off under a strategy"):
            assert small(jit_compile=True).jit_compile is False
        with pytest.warns(UserWarning, match="steps_per_execution=8 is switched off under a strategy"):
            assert small(steps_per_execution=8).steps_per_execution == 1
    dataset = tf.data.Dataset.from_tensors((images, np.array([0, 1, 2, 3])))
    assert np.isfinite(model.fit(dataset, shuffle=False, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("name, tag", [("resnet20", "cifar10"), ("mobilenet_v2", "imagenet")])
def test_published_weights_of_other_channels_are_refused_with_advice(name, tag, channels):
    """Before anything is downloaded."""
    rule = rf"take images of 3 channels.*repeat grey images.*Received: input_shape=\(32, 32, {channels}\)"
    for features_only in (False, True):
        with pytest.raises(ValueError, match=rule):
            kerazoo.build(name, weights=tag, input_shape=(32, 32, channels), features_only=features_only)
