"""Loading: every engine behind one callable, and what it refuses."""

import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import engines
from kerazoo.engines import files, tflite, timing


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(model, root) of an export with everything that can be installed."""
    image = keras.Input((6, 6, 3), name="image")
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    outputs = keras.layers.Dense(3, name="logits")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, outputs, name="small")
    root = tmp_path_factory.mktemp("root")
    has_onnx = all(files.find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
    kerazoo.export(
        model,
        root,
        formats=("saved_model", "tflite", "onnx") if has_onnx else ("saved_model", "tflite"),
        batch_size=2,
        metadata={"labels": ["a", "b", "c"]},
    )
    return model, root


def images(count):
    return np.random.default_rng(count).uniform(0, 255, (count, 6, 6, 3)).astype("float32")


@pytest.mark.parametrize("engine", ["saved_model", "tflite", "onnx", "openvino"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_every_engine_answers_as_the_model_for_any_batch(exported, engine, batch):
    model, root = exported
    if engine in ("onnx", "openvino"):
        pytest.importorskip("tf2onnx")
        pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine))
    served = kerazoo.load(root, engine, threads=None if engine == "saved_model" else 1)
    answer = served(images(batch))
    assert isinstance(answer, np.ndarray) and answer.dtype == np.float32
    # Float32 in another order of operations; inputs up to 255 leave outputs of about 100.
    np.testing.assert_allclose(answer, model(images(batch), training=False), rtol=1e-4, atol=1e-3)
    assert served.engine == engine and served.labels == ["a", "b", "c"]
    assert served.signature.inputs["image"].shape[1:] == (6, 6, 3)
    assert list(served.signature.outputs) == ["logits"]
    np.testing.assert_array_equal(served(image=images(batch)), answer)
    np.testing.assert_array_equal(served({"image": images(batch)}), answer)


def test_a_file_that_xnnpack_cannot_prepare_runs_without_it(exported, monkeypatch):
    real, opened = tflite.interpreter_module(), []

    class Interpreter(real.Interpreter):
        def __init__(self, **options):
            opened.append(options.get("experimental_op_resolver_type"))
            super().__init__(**options)

        def allocate_tensors(self):
            if opened[-1] is None:
                raise RuntimeError("failed to create XNNPACK runtime. Node number 77 failed to prepare.")
            super().allocate_tensors()

    module = SimpleNamespace(Interpreter=Interpreter, OpResolverType=real.OpResolverType)
    monkeypatch.setattr(tflite, "interpreter_module", lambda: module)
    with pytest.warns(UserWarning, match="XNNPACK cannot run .*it runs without"):
        served = kerazoo.load(exported[1], "tflite")
    assert opened == [None, real.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES]
    np.testing.assert_allclose(served(images(3)), exported[0](images(3), training=False), rtol=1e-4, atol=1e-3)


def test_answers_stay_when_the_engine_runs_again(exported):
    served = kerazoo.load(exported[1], "tflite")
    first = served(images(2))
    kept = first.copy()
    served(images(2) * 0.1)
    np.testing.assert_array_equal(first, kept)


def test_auto_takes_the_fastest_measured(exported, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(exported[1], root)
    report = root / "1" / files.REPORT
    for ranking in (["tflite", "saved_model"], ["saved_model", "tflite"]):
        report.write_text(json.dumps(json.loads(report.read_text()) | {"ranking": ranking}))
        assert kerazoo.load(root).engine == ranking[0]


def test_auto_says_when_the_fastest_is_not_installed(exported, tmp_path, monkeypatch):
    root = tmp_path / "root"
    shutil.copytree(exported[1], root)
    (root / "1" / "model.onnx").touch()
    report = root / "1" / files.REPORT
    report.write_text(json.dumps(json.loads(report.read_text()) | {"ranking": ["onnx", "tflite", "saved_model"]}))
    monkeypatch.setattr(engines, "requirement", lambda name: "pip install X" if name == "onnx" else None)
    with pytest.warns(UserWarning, match="'onnx' was the fastest.*'tflite' is used.*pip install X"):
        assert kerazoo.load(root).engine == "tflite"
    with pytest.raises(ImportError, match="pip install X"):
        kerazoo.load(root, "onnx")


def test_auto_never_takes_a_quantised_file(exported, tmp_path):
    shutil.copy(exported[1] / "1" / "model.tflite", tmp_path / "model_int8.tflite")
    with pytest.raises(ValueError, match="float32 engines only"):
        kerazoo.load(tmp_path)
    assert kerazoo.load(tmp_path, "tflite_int8").engine == "tflite_int8"


def test_newest_version_a_folder_or_a_file(exported, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(exported[1] / "1", root / "2")
    shutil.copytree(exported[1] / "1", root / "10")
    (root / "11").mkdir()  # Empty: nothing was exported there.
    assert kerazoo.load(root, "tflite").path == root / "10" / "model.tflite"
    assert kerazoo.load(root / "2", "tflite").path == root / "2" / "model.tflite"
    assert kerazoo.load(root / "2" / "model.tflite").engine == "tflite"


def test_keras_file(exported, tmp_path):
    model, _ = exported
    model.save(tmp_path / "small.keras")
    served = kerazoo.load(tmp_path / "small.keras")
    assert served.engine == "keras"
    # The frozen graph folds batch normalisation into the convolution.
    np.testing.assert_allclose(served(images(3)), model(images(3), training=False), rtol=1e-4, atol=1e-3)


def test_keras_file_is_read_in_safe_mode(tmp_path):
    inputs = keras.Input((2,), name="x")
    keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2, output_shape=(2,))(inputs)).save(tmp_path / "x.keras")
    with pytest.raises(ValueError, match="[Ll]ambda"):
        kerazoo.load(tmp_path / "x.keras")


@pytest.mark.parametrize("engine", ["saved_model", "tflite"])
@pytest.mark.parametrize(
    ("value", "error", "rule"),
    [
        (np.zeros((1, 5, 6, 3), "float32"), ValueError, r"\(None, 6, 6, 3\).*Received: \(1, 5, 6, 3\)"),
        (np.zeros((6, 6, 3), "float32"), ValueError, "must have shape"),
        (np.zeros((0, 6, 6, 3), "float32"), ValueError, "at least one"),
        (np.zeros((1, 6, 6, 3), "complex64"), TypeError, "must be float32"),
        (np.full((1, 6, 6, 3), "x"), TypeError, "must be float32"),
        ({"picture": np.zeros((1, 6, 6, 3), "float32")}, ValueError, "named.*image.*picture"),
    ],
)
def test_inputs_are_checked(exported, engine, value, error, rule):
    with pytest.raises(error, match=rule):
        kerazoo.load(exported[1], engine)(value)


def test_integers_become_pixels(exported):
    served = kerazoo.load(exported[1], "tflite")
    np.testing.assert_array_equal(
        served(images(1).astype("uint8")), served(images(1).astype("uint8").astype("float32"))
    )


@pytest.mark.parametrize("content", [b"", b"not a model"])
@pytest.mark.parametrize("name", ["model.tflite", "model.onnx"])
def test_broken_files_are_refused(tmp_path, name, content):
    if name.endswith("onnx"):
        pytest.importorskip("onnxruntime")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        kerazoo.load(tmp_path / name)


def test_wrong_paths_and_names(exported, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        kerazoo.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="model.tflite"):
        kerazoo.load(tmp_path)
    with pytest.raises(ValueError, match="Did you mean 'tflite'"):
        kerazoo.load(exported[1], "tflit")
    with pytest.raises(ValueError, match="has no 'tflite_int8'. It holds: .*saved_model"):
        kerazoo.load(exported[1], "tflite_int8")
    with pytest.raises(ValueError, match="threads"):
        kerazoo.load(exported[1], "tflite", threads=0)
    with pytest.warns(UserWarning, match="threads=2 has no effect"):
        kerazoo.load(exported[1], "saved_model", threads=2)
    (tmp_path / "model.txt").touch()
    with pytest.raises(ValueError, match="must end in"):
        kerazoo.load(tmp_path / "model.txt")
    (tmp_path / "model.tflite").touch()
    (tmp_path / files.REPORT).write_text("[1")
    with pytest.raises(ValueError, match="must be JSON"):
        kerazoo.load(tmp_path)


def test_interleaved_times_every_call_in_turns():
    order = []
    times = timing.interleaved({name: lambda name=name: order.append(name) for name in "ab"}, seconds=0, rounds=2)
    assert order == list("aabbaabb")  # The first of each burst is not timed.
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2}


def test_a_damaged_keras_file_is_not_a_missing_one(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(FileNotFoundError):
        kerazoo.load(path)
    kerazoo.build("mlp", jit_compile=False).save(path)
    whole = path.read_bytes()
    for content in (b"", b"no archive", whole[: len(whole) // 2], whole.replace(b"dtype", b"dtypo", 3)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.keras (is damaged|cannot be read)") as caught:
            kerazoo.load(path)
        assert "\n" not in str(caught.value) and "File not found" not in str(caught.value)
