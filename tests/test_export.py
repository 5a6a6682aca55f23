"""Exports: what is written, that it answers as the model does, and that failures leave nothing."""

import json
import os
import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo
from kerazoo.exporters import ExportError, parity, process, versions
from kerazoo.exporters.precision import in_float32


def small_classifier(size=8, classes=3):
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(classes, dtype="float32", name="logits")(x), name="small")
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def pixels(count=8, size=8):
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype("float32")


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """One export of every kind that runs without optional packages, and what it was made from."""
    model, folder, data = small_classifier(), tmp_path_factory.mktemp("export"), pixels(16)
    report = kerazoo.export(
        model,
        folder,
        quantize=("float16", "dynamic", "int8"),
        representative_data=tf.data.Dataset.from_tensor_slices((data, np.zeros(16))).batch(5),
        signature="raw",
        metadata={"labels": ["red", "green", "blue"], "top_k": 2},
    )
    return model, folder, report


def test_layout_is_tensorflow_servings(everything):
    _, folder, report = everything
    assert os.listdir(folder) == ["1"]
    assert report.path == str(folder / "1") and report.version == 1
    assert {"saved_model.pb", "variables", "assets", "model.tflite", "model_int8.tflite", "export.json"} <= set(
        os.listdir(folder / "1")
    )
    assert (folder / "1" / "assets" / "labels.txt").read_text().split() == ["red", "green", "blue"]
    assert json.loads((folder / "1" / "metadata.json").read_text())["top_k"] == 2
    signatures = tf.saved_model.load(folder / "1").signatures
    assert set(signatures) == {"serve", "serving_default", "raw"}


@pytest.mark.parametrize("kind", ["functional", "sequential", "subclassed"])
def test_a_saved_model_holds_its_weights_once(tmp_path, kind):
    class Wide(keras.Model):
        def __init__(self):
            super().__init__()
            self.wide = keras.layers.Dense(2000, name="wide")
            self.normalised = keras.layers.BatchNormalization()

        def call(self, inputs):
            return self.normalised(self.wide(inputs))

    rows = np.random.default_rng(0).normal(size=(4, 100)).astype("float32")
    if kind == "functional":
        inputs = keras.Input((100,), name="x")
        model = keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Dense(2000)(inputs)))
    elif kind == "sequential":
        model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(2000), keras.layers.BatchNormalization()])
    else:
        model = Wide()
    expected = np.asarray(model(rows, training=False))
    kerazoo.export(model, tmp_path / "root", formats="saved_model", representative_data=rows)
    version = tmp_path / "root" / "1"
    held = sum(file.stat().st_size for file in (version / "variables").glob("variables.data*"))
    weights = sum(4 * int(np.prod(variable.shape)) for variable in model.variables)
    assert weights <= held < 1.1 * weights + 20_000
    loaded = tf.saved_model.load(version)
    assert len(loaded.variables) == len(model.variables)
    (answer,) = loaded.signatures["serving_default"](tf.constant(rows)).values()
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)
    (answer,) = keras.layers.TFSMLayer(str(version), call_endpoint="serve")(rows).values()
    np.testing.assert_allclose(answer, expected, rtol=1e-5, atol=1e-5)


def test_report_says_what_was_measured(everything):
    _, folder, report = everything
    assert not report.failures and report.verified
    for file in report.files:
        assert file.bytes > 0 and file.latency_ms > 0 and not file.notes, file
        assert file.max_relative_error <= parity.TOLERANCES[file.format, file.quantization]
        assert file.agreement == 1.0
    assert report.file("tflite").ops["CONV_2D"] == 1
    assert report.file("tflite_int8").float_ops == {}
    assert report.file("saved_model").bytes == sum(
        os.path.getsize(os.path.join(parent, name))
        for part in ("saved_model.pb", "fingerprint.pb", "variables", "assets")
        for parent, _, names in (
            [(folder / "1", None, [part])] if part.endswith(".pb") else os.walk(folder / "1" / part)
        )
        for name in names
    )
    stored = json.loads((folder / "1" / "export.json").read_text())
    assert stored["ranking"] == report.ranking and stored["fastest"] == report.fastest
    assert set(report.ranking) == {"saved_model", "tflite"}
    assert "model_int8.tflite" in str(report)


def test_raw_endpoint_reads_image_files(everything):
    model, folder, _ = everything
    served = kerazoo.load(folder, engine="saved_model")
    image = pixels(1)[0].astype("uint8")
    answer = served.raw([tf.io.encode_png(image).numpy(), tf.io.encode_jpeg(image).numpy()])
    wanted = tf.nn.softmax(model(image[None].astype("float32"), training=False)).numpy()[0]
    assert answer["scores"].shape == (2, 2)
    # The PNG is lossless and of the model's own size: only the order of operations differs.
    np.testing.assert_allclose(answer["scores"][0], np.sort(wanted)[::-1][:2], rtol=1e-5)
    assert list(answer["labels"][0]) == [("red", "green", "blue")[i] for i in np.argsort(-wanted)[:2]]


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "JPEG, PNG, BMP, GIF"),
        (b"GIF89a\x01\x00\x01\x00", "must have an image"),
        # A valid header that promises 100,000 x 100,000 pixels.
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x86\xa0\x00\x01\x86\xa0\x08\x02\x00\x00\x00", "pixels"),
    ],
)
def test_raw_endpoint_refuses(everything, file, rule):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
        kerazoo.load(everything[1], engine="saved_model").raw([file])


def test_mixed_precision_gets_a_float32_twin():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small_classifier()
    finally:
        keras.config.set_dtype_policy(before)
    twin = in_float32(model)
    assert {layer.compute_dtype for layer in twin.layers} == {"float32"}
    assert model.layers[2].compute_dtype == "bfloat16"
    x = pixels(4)
    # bfloat16 keeps 8 bits: a few of its roundings remain between the two.
    assert parity.relative_error(np.asarray(twin(x)), np.asarray(model(x))) < 0.1
    for mine, theirs in zip(twin.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(mine, theirs)
    assert in_float32(twin) is twin


def test_several_named_inputs_and_outputs(tmp_path):
    ids, extra = keras.Input((5,), dtype="int32", name="ids"), keras.Input((2,), name="extra")
    x = keras.layers.LSTM(4)(keras.layers.Embedding(11, 6)(ids))
    x = keras.layers.Concatenate()([x, extra])
    heads = {"value": keras.layers.Dense(1)(x), "class": keras.layers.Dense(3)(x)}
    model = keras.Model({"ids": ids, "extra": extra}, heads, name="two")
    report = kerazoo.export(model, tmp_path)
    assert {file.engine for file in report.files} == {"saved_model", "tflite"}
    inputs = {"ids": np.arange(15).reshape(3, 5) % 11, "extra": np.ones((3, 2), "float32")}
    for engine in ("saved_model", "tflite"):
        answer = kerazoo.load(tmp_path, engine)(inputs)
        assert set(answer) == {"value", "class"}
        np.testing.assert_allclose(answer["class"], model(inputs)["class"], atol=1e-5)


def test_onnx(tmp_path):
    for package in ("tf2onnx", "onnx", "onnxruntime"):
        pytest.importorskip(package)
    report = kerazoo.export(small_classifier(), tmp_path, formats="onnx")
    assert os.listdir(report.path).count("model.onnx") == 1
    assert report.file("onnx").max_relative_error <= 1e-4
    assert report.file("onnx").ops["Conv"] == 1


def test_parity_failure_raises_and_leaves_nothing(tmp_path, monkeypatch):
    """The fault: a file that answers with one class moved by a thousandth of its range."""
    right = parity.compare

    def wrong(received, reference, **kind):
        first = np.eye(3, dtype="float32")[0]
        return right(
            {name: value + 4e-3 * np.ptp(value) * first for name, value in received.items()}, reference, **kind
        )

    monkeypatch.setattr(parity, "compare", wrong)
    root = tmp_path / "new" / "root"
    with pytest.raises(ExportError, match="relative error of .*e-0[23] in its log-probabilities"):
        kerazoo.export(small_classifier(), root, formats="saved_model")
    assert os.listdir(tmp_path) == []
    report = kerazoo.export(small_classifier(), root, formats="saved_model", on_error="record")
    assert report.path is None and "relative error" in report.failures["saved_model"]
    assert os.listdir(tmp_path) == []


def test_flex_operations_are_named_and_recorded(tmp_path):
    inputs = keras.Input((4, 4), name="matrix")

    @keras.saving.register_keras_serializable("test_export")
    class Determinant(keras.layers.Layer):
        def call(self, x):
            return keras.ops.det(x)

    model = keras.Model(inputs, Determinant()(inputs))
    report = kerazoo.export(model, tmp_path, on_error="record")
    assert "MatrixDeterminant" in report.failures["tflite"]
    assert sorted(os.listdir(report.path)) == [
        "assets",
        "export.json",
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    ]


def test_a_crashing_converter_is_an_error_with_its_signal(tmp_path, monkeypatch):
    script = tmp_path / "crash.py"
    script.write_text("import os, sys\nsys.stderr.write('about to go')\nsys.stderr.flush()\nos.kill(os.getpid(), 11)\n")
    monkeypatch.setattr(process, "SCRIPT", script)
    outcome = process.run({"a": {}, "b": {}}, tmp_path)
    assert set(outcome) == {"a", "b"}
    assert "SIGSEGV" in outcome["a"]["error"] and "about to go" in outcome["a"]["error"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_version_leaves_nothing(tmp_path, error):
    with pytest.raises(error), versions.new_version(tmp_path / "a" / "b") as (folder, _):
        (folder / "file").write_text("half")
        raise error
    assert os.listdir(tmp_path) == []


def test_exporters_at_once_take_different_versions(tmp_path, monkeypatch):
    # Every exporter lists the folder before any other has moved its version in.
    monkeypatch.setattr(versions, "versions", lambda root: [7])
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "old").write_text("old")
    barrier, taken = threading.Barrier(8), []

    def write(index):
        with versions.new_version(tmp_path) as (folder, move):
            (folder / "content").write_text(str(index))
            barrier.wait()
            taken.append((move()[0], index))

    threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, _ in taken) == list(range(8, 16))
    assert all((tmp_path / str(number) / "content").read_text() == str(index) for number, index in taken)
    assert os.listdir(tmp_path / "7") == ["old"]


def test_vacuous_parity_is_noted(tmp_path):
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="zeros", bias_initializer="ones")(inputs))
    report = kerazoo.export(model, tmp_path, formats="saved_model")
    assert "vacuous" in report.files[0].notes[0]


def test_agreement_and_error():
    wanted = np.array([[5.0, 1.0], [1.0, 5.0], [2.0, 2.01]])
    assert parity.agreement(np.array([[4.0, 2.0], [2.0, 4.0], [3.0, 2.0]]), wanted) == 1.0  # The last is a tie.
    assert parity.agreement(np.array([[4.0, 2.0], [2.0, 4.0], [3.0, 2.0]]) - 100, wanted - 100) == 1.0
    assert parity.agreement(np.array([[0.0, 2.0], [2.0, 4.0], [3.0, 2.0]]), wanted) == pytest.approx(2 / 3)
    assert parity.relative_error(wanted + 0.05, wanted) == pytest.approx(0.01)
    assert parity.relative_error(np.full((3, 2), np.nan), wanted) == np.inf
    found = parity.compare({"y": wanted * 1.5}, {"y": wanted}, kind=("tflite", "int8"), classifier=True)
    assert found.problem is None and found.max_relative_error > 0.4  # Another scale, the same answers.
    assert parity.compare({"y": wanted * 1.5}, {"y": wanted}, kind=("tflite", "int8"), classifier=False).problem


def test_open_length_is_an_error_or_taken_from_the_data(tmp_path):
    inputs = keras.Input((None, 3), name="series")
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GRU(4)(inputs)))
    with pytest.raises(ValueError, match="fixed length.*series"):
        kerazoo.export(model, tmp_path)
    data = np.random.default_rng(0).normal(size=(4, 6, 3)).astype("float32")
    kerazoo.export(model, tmp_path, representative_data=data)
    assert kerazoo.load(tmp_path, "tflite").signature.inputs["series"].shape == (1, 6, 3)
    assert kerazoo.load(tmp_path, "saved_model").signature.inputs["series"].shape == (None, None, 3)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"formats": "tflit"}, "Did you mean 'tflite'"),
        ({"quantize": "int4"}, "quantization"),
        ({"quantize": "int8"}, "representative_data"),
        ({"batch_size": 0}, "positive whole number"),
        ({"signature": "jpeg"}, "raw"),
        ({"metadata": {"labels": [1, 2]}}, "list of strings"),
        ({"metadata": {"when": object()}}, "JSON-able"),
        ({"signature": "raw", "metadata": {"labels": ["a"]}}, "each of the 3 classes"),
        ({"representative_data": np.zeros((2, 9, 9, 3))}, "must have shape"),
        ({"formats": ()}, "at least one"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, arguments, rule):
    with pytest.raises(ValueError, match=rule):
        kerazoo.export(small_classifier(), tmp_path / "root", **arguments)
    assert os.listdir(tmp_path) == []


def test_missing_onnx_names_the_install_line(tmp_path, monkeypatch):
    from kerazoo.exporters import onnx

    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "kerazoo\[onnx\]"'):
        kerazoo.export(small_classifier(), tmp_path, formats="onnx")


def test_onnx_of_grouped_convolution_and_exact_gelu(tmp_path):
    """Keras compiles the first by XLA on a CPU; ONNX has no erfc, which the second uses."""
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    image = keras.Input((8, 8, 4), name="image")
    x = keras.layers.Conv2D(4, 3, groups=4, padding="same")(image)
    x = keras.ops.gelu(x, approximate=False)
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x), name="grouped")
    (file,) = kerazoo.export(model, tmp_path, formats=("onnx",)).files
    assert file.max_relative_error < 1e-4 and "Erfc" not in file.ops


@pytest.mark.parametrize("horizon, channels", [(4, 1), (1, 3)])
@pytest.mark.parametrize("name", ["dlinear", "tsmixer", "tft", "nhits"])
def test_tflite_of_forecasters_of_one_series_or_one_step(name, horizon, channels, tmp_path):
    """With a batch of one Keras writes some of their sums as a channels-first bias, which the converter refuses."""
    options = {"width": 8, "heads": 2} if name == "tft" else {}
    model = kerazoo.build(name, lookback=24, horizon=horizon, channels=channels, **options)
    (file,) = kerazoo.export(model, tmp_path, formats=("tflite",)).files
    assert file.max_relative_error < 1e-4


def test_only_squeezed_channels_first_biases_become_additions(tmp_path):
    """A sum of (1, 8, 1) and (1, 8, 1) is one; a layer's bias is not."""
    from tensorflow.core.protobuf import saved_model_pb2

    from kerazoo.engines.interface import Interface
    from kerazoo.exporters import saved_model, tflite

    x = keras.Input((8, 4))
    total = keras.layers.Add()([keras.layers.Dense(1)(x), keras.layers.Dense(1)(x)])
    model = keras.Model(x, keras.layers.Dense(3)(keras.layers.Flatten()(total)))
    saved_model.write(Interface(model, None), tmp_path, batch_size=1)

    def operations():
        saved = saved_model_pb2.SavedModel.FromString((tmp_path / "saved_model.pb").read_bytes())
        functions = saved.meta_graphs[0].graph_def.library.function
        return [node.op for function in functions for node in function.node_def]

    before = operations()
    tflite.add_plainly(tmp_path)
    after = operations()
    changed = before.count("BiasAdd") - after.count("BiasAdd")
    assert changed > 0 and after.count("AddV2") - before.count("AddV2") == changed
    assert after.count("BiasAdd") == changed  # The last layer's own, in each traced function.


def test_what_a_killed_export_left_is_removed_and_a_living_ones_folder_is_not(tmp_path):
    script = (
        "import sys; from kerazoo.exporters.versions import new_version\n"
        "with new_version(sys.argv[1]) as (folder, move):\n"
        "    (folder / 'saved_model.pb').write_text('half'); print(folder.name, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    elsewhere = tmp_path / ".export-other.machine-abc"
    elsewhere.mkdir()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as other:
        theirs = tmp_path / other.stdout.readline().strip()
        with versions.new_version(tmp_path) as (mine, move):
            with versions.new_version(tmp_path):
                assert mine.is_dir() and theirs.is_dir() and elsewhere.is_dir()
            assert move() == (1, tmp_path / "1")
        other.kill()
    assert theirs.is_dir()
    with versions.new_version(tmp_path):
        assert elsewhere.is_dir() and not theirs.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [elsewhere.name, "1"]
