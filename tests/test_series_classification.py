"""Classifiers of series, the archives' files, the nearest neighbours that they have to beat, and the application."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.data import named_files, named_labelled_series
from kerazoo.data.labelled_files import from_files, read_rows, read_ts
from kerazoo.data.labelled_series import LabelledSeries, SeriesData
from kerazoo.data.locate import data_folder
from kerazoo.evaluate.nearest_neighbour import euclidean, series_baselines, warping
from kerazoo.layers.minirocket_features import KERNELS, MiniRocketFeatures, dilations_of

NAMES = ["fcn1d", "inception_time", "minirocket", "resnet1d"]


def answers(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs))


def smoke(name, **options):
    return kerazoo.build(name, seed=0, **(dict(catalog.entry(name).smoke) | options))


def shaken(model, seed=1):
    """The model with weights away from their start, variances positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "features" not in weight.path:
            noise = 0.2 * rng.normal(size=weight.shape)
            weight.assign(weight + (noise**2 if "variance" in weight.path else noise))
    return model


# Models.


@pytest.mark.parametrize(
    ("name", "channels", "classes", "count"),
    [
        ("inception_time", 1, 2, 420_450),
        ("inception_time", 4, 3, 490_627),
        ("fcn1d", 1, 2, 264_962),
        ("fcn1d", 4, 3, 268_163),
        ("resnet1d", 1, 2, 504_258),
        ("minirocket", 1, 2, 39_986),
    ],
)
def test_trainable_parameters_as_the_references(name, channels, classes, count):
    model = kerazoo.build(name, length=40, channels=channels, num_classes=classes)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == count


@pytest.mark.parametrize("name", NAMES)
def test_a_series_is_judged_by_itself_and_every_channel_counts(name):
    model, rng = shaken(smoke(name)), np.random.default_rng(2)
    series = rng.normal(size=(5, 24, 3)).astype("float32")
    whole = answers(model, series)
    np.testing.assert_allclose(answers(model, series[2:3])[0], whole[2], atol=1e-5)
    for channel in range(3):
        changed = series.copy()
        changed[2, 10:14, channel] += 3.0
        moved = np.abs(answers(model, changed) - whole).max(axis=1)
        assert moved[2] > 1e-3 and np.delete(moved, 2).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [(name, {"num_classes": 1}, "`num_classes` must be at least 2") for name in NAMES]
    + [(name, {"length": 0}, "`length` must be a positive integer") for name in NAMES]
    + [
        ("inception_time", {"kernels": ()}, "`kernels` must be positive integers"),
        ("inception_time", {"depth": 0}, "`depth` must be a positive integer"),
        ("fcn1d", {"filters": (8,)}, "as many `filters` as `kernels`"),
        ("resnet1d", {"kernels": (3, 0)}, "`kernels` must be positive integers"),
        ("minirocket", {"features": 83}, "`features` must be at least 84"),
        ("minirocket", {"length": 8}, "at least 9 steps"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


# MiniRocket's features.


def test_features_are_shares_of_time_above_a_quantile():
    series = np.random.default_rng(0).normal(size=(1, 60, 1)).astype("float32")
    layer = MiniRocketFeatures(features=84 * 6, dilations=4)
    layer.adapt(series)
    features, biases = answers(layer, series)[0], np.asarray(layer.biases)
    quantiles = np.arange(1, 84 * 6 + 1) * (np.sqrt(5) + 1) / 2 % 1
    # By hand: kernel 5 at the second dilation, where odd kernels see the edges too.
    first, step = 84 * layer.shares[0] + 5 * layer.shares[1], layer.steps[1]
    padded = np.pad(series[0, :, 0], 4 * step)
    kernel = np.array([sum(KERNELS[5][i] * padded[t + i * step] for i in range(9)) for t in range(60)])
    np.testing.assert_allclose(biases[first], np.quantile(kernel, quantiles[first]), atol=1e-5)
    assert features[first] == pytest.approx((kernel > biases[first]).mean(), abs=1e-6)
    # On the series that the biases come from, a feature is about one minus its quantile, where the edges count.
    whole = np.zeros(84 * 6, bool)
    for index, (_, _, share, place) in enumerate(layer._of_dilations()):
        whole[place] = np.repeat((np.arange(84) + index) % 2 == 0, share)
    np.testing.assert_allclose(features[whole], 1 - quantiles[whole], atol=1.01 / 60)


def test_adapting_survives_saving_and_is_repeatable(tmp_path):
    from kerazoo.models.timeseries.minirocket import adapt

    series = 5 + 3 * np.random.default_rng(0).normal(size=(6, 24, 3)).astype("float32")
    model = smoke("minirocket")
    before = np.asarray(model.get_layer("features").biases)
    adapt(model, series)
    after = np.asarray(model.get_layer("features").biases)
    assert np.abs(after - before).max() > 1
    again = smoke("minirocket")
    adapt(again, series)
    np.testing.assert_array_equal(np.asarray(again.get_layer("features").biases), after)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded.get_layer("features").biases), after)
    features = answers(keras.Model(model.input, model.get_layer("features").output), series)
    assert 0.2 < features.mean() < 0.8  # White noise's thresholds would leave it above or below all the time.
    with pytest.raises(ValueError, match=r"`series` must be \(N, T, C\)"):
        adapt(model, series[:, :20])


def test_every_feature_has_its_place_at_any_length():
    for length in (9, 10, 24, 150, 1000):
        for features in (84, 1000, 9_996):
            dilations, shares = dilations_of(length, features, 32)
            assert sum(shares) == features // 84 and min(shares) >= 1
            assert dilations[0] == 1 and dilations == sorted(set(dilations)) and 8 * dilations[-1] < length


def test_minirocket_features_are_aeons():
    pytest.importorskip("numba")
    transform = pytest.importorskip("aeon.transformations.collection.convolution_based").MiniRocket
    rng = np.random.default_rng(0)
    for channels, length in ((1, 50), (1, 151), (3, 60)):
        # Short binary fractions: answers are exact, so that a comparison never hangs on their rounding.
        series = (np.round(64 * rng.normal(size=(5, length, channels))) / 64).astype("float32")
        reference = transform(n_kernels=2_000, random_state=0).fit(series[:1].transpose(0, 2, 1))
        counts, indices, _, _, biases = reference.parameters
        layer = MiniRocketFeatures(2_000)
        layer.adapt(series[:1])
        if channels > 1:
            chosen = np.zeros((len(counts), channels), "float32")
            chosen[np.repeat(np.arange(len(counts)), counts), indices] = 1
            layer.channels.assign(chosen)
            layer.adapt(series[:1])
        np.testing.assert_allclose(np.asarray(layer.biases), biases, atol=1e-4)
        layer.biases.assign(biases)
        np.testing.assert_array_equal(answers(layer, series), reference.transform(series.transpose(0, 2, 1)))


# The convolutional ones beside PyTorch's layers.


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


class Reference:
    """The papers' networks on PyTorch's functions, with the weights of a Keras model by their names."""

    def __init__(self, torch, model):
        self.torch, self.functional = torch, torch.nn.functional
        self.weights = {
            layer.name: [torch.tensor(weight) for weight in layer.get_weights()]
            for layer in model.layers
            if layer.weights
        }

    def conv(self, x, name):
        kernel, *bias = self.weights[name]
        kernel = kernel.permute(2, 1, 0)
        reach = kernel.shape[-1] - 1
        x = self.functional.pad(x, (reach // 2, reach - reach // 2))
        return self.functional.conv1d(x, kernel, *bias)

    def norm(self, x, name):
        gamma, beta, mean, variance = self.weights[name]
        return self.functional.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)

    def head(self, x):
        kernel, bias = self.weights["logits"]
        return x.mean(dim=2) @ kernel + bias

    def inception_time(self, x):
        relu, shortcut = self.torch.relu, x
        for index in range(1, 7):
            name = f"module{index}"
            narrow = self.conv(x, f"{name}_bottleneck") if f"{name}_bottleneck" in self.weights else x
            parts = [self.conv(narrow, f"{name}_conv{i}") for i in (1, 2, 3)]
            parts.append(self.conv(self.functional.max_pool1d(x, 3, 1, 1), f"{name}_pool_conv"))
            x = relu(self.norm(self.torch.cat(parts, dim=1), f"{name}_norm"))
            if index % 3 == 0:
                around = self.norm(self.conv(shortcut, f"shortcut{index // 3}"), f"shortcut{index // 3}_norm")
                x = shortcut = relu(around + x)
        return self.head(x)

    def fcn1d(self, x):
        for index in (1, 2, 3):
            x = self.torch.relu(self.norm(self.conv(x, f"layer{index}_conv"), f"layer{index}_norm"))
        return self.head(x)

    def resnet1d(self, x):
        for block in (1, 2, 3):
            y, name = x, f"block{block}"
            for index in (1, 2, 3):
                y = self.norm(self.conv(y, f"{name}_{index}_conv"), f"{name}_{index}_norm")
                y = self.torch.relu(y) if index < 3 else y
            around = self.conv(x, f"{name}_shortcut_conv") if block < 3 else x
            x = self.torch.relu(self.norm(around, f"{name}_shortcut_norm") + y)
        return self.head(x)


@pytest.mark.parametrize("name", ["fcn1d", "inception_time", "resnet1d"])
@pytest.mark.parametrize("channels", [1, 3])
def test_answers_as_the_papers_description_in_pytorch(torch, name, channels):
    model = shaken(kerazoo.build(name, length=60, channels=channels, num_classes=3, seed=0))
    series = np.random.default_rng(3).normal(size=(4, 60, channels)).astype("float32")
    expected = getattr(Reference(torch, model), name)(torch.tensor(series).permute(0, 2, 1)).numpy()
    assert np.ptp(expected, axis=0).max() > 1e-2
    np.testing.assert_allclose(answers(model, series), expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


# Files.


def write(tmp_path, text, name="Waves_TRAIN.ts"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_ts_files_of_one_and_of_several_channels(tmp_path):
    one = read_ts(write(tmp_path, "# says\n@problemName W\n@classLabel true b a\n@data\n1,2.5,3:a\n-1,0,1e1:b\n"))
    assert one.classes == ("b", "a") and one.labels.tolist() == [1, 0] and one.values.dtype == "float32"
    assert one.values[:, :, 0].tolist() == [[1, 2.5, 3], [-1, 0, 10]]
    header = "@dimensions 2\n@equalLength true\n@seriesLength 2\n@classLabel true x y\n@data\n"
    two = read_ts(write(tmp_path, header + "1,2:3,4:y\n\n5,6:7,8:x\n"))
    assert two.values[0].tolist() == [[1, 3], [2, 4]] and two.labels.tolist() == [1, 0]


HEADER = "@classLabel true a b\n@data\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "line 1: before @data, a line must start with # or @"),
        ("@classLabel true a\n", "must have a line @data"),
        ("@timeStamps true\n" + HEADER, "without stamps"),
        ("@targetLabel true\n@data\n1,2:3\n", "every series must have a class"),
        (HEADER, "must have a series"),
        (HEADER + "1,2:a\n1,x:b\n", "line 4: value 2 must be a number. Received: 'x'"),
        (HEADER + "1,inf:a\n", "line 3: values must be finite"),
        (HEADER + "1,2:c\n", r"line 3: the class must be one of \['a', 'b'\]. Received: 'c'"),
        (HEADER + "1,2:a\n1,2:3,4:b\n", "line 4: a series must have 1 channels. Received: 2"),
        (HEADER + "1,2:a\n1,2,3:b\n", "line 4: a series must have 2 steps. Received: 3"),
        (HEADER + "1,?,3:a\n", "line 3: a series must have all its values. Received: 1 missing. With missing 'linear'"),
        ("@seriesLength 3\n" + HEADER + "1,2:a\n", "line 4: a series must have 3 steps. Received: 2"),
        ("@dimensions 2\n" + HEADER + "1,2:a\n", "line 4: a series must have 2 channels. Received: 1"),
    ],
)
def test_ts_files_are_refused_with_the_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_ts(write(tmp_path, text))


def test_short_series_and_gaps_are_mended_where_that_is_asked_for(tmp_path):
    path = write(tmp_path, HEADER + "1,2,3,4:a\n?,?,6,?,10,?:b\n")
    mended = read_ts(path, lengths="pad", missing="linear")
    assert mended.values[:, :, 0].tolist() == [[1, 2, 3, 4, 4, 4], [6, 6, 6, 8, 10, 10]]
    assert mended.notes == (
        "1 channels of series were short: each repeats its last value to 6 steps.",
        "4 missing values lie on a line between their neighbours.",
    )
    with pytest.raises(ValueError, match="`lengths` must be one of"):
        read_ts(path, lengths="cut")
    with pytest.raises(ValueError, match="all its values. Received: 2 missing.$"):
        read_ts(write(tmp_path, HEADER + "?,?:b\n"), missing="linear")


def test_rows_of_a_table(tmp_path):
    tabs = read_rows(write(tmp_path, "2\t1\t2\n1\t3\t4\n", "W_TRAIN.tsv"))
    assert tabs.classes == ("1", "2") and tabs.labels.tolist() == [1, 0] and tabs.values[1, :, 0].tolist() == [3, 4]
    headed = read_rows(write(tmp_path, "class,t0,t1\nup,1,2\ndown,2,1\n", "w.csv"))
    assert headed.classes == ("down", "up") and headed.values.shape == (2, 2, 1)
    ragged = write(tmp_path, "up,1,2,3\ndown,2,1,\n", "r.csv")
    with pytest.raises(ValueError, match="line 2: a series must have 3 steps. Received: 2"):
        read_rows(ragged)
    assert read_rows(ragged, lengths="pad").values[1, :, 0].tolist() == [2, 1, 1]


def test_folders_and_single_files(tmp_path):
    write(tmp_path, HEADER + "1,2:a\n2,1:b\n", "W_TRAIN.ts")
    with pytest.raises(ValueError, match=r"one file X_TEST.ts, .csv or .tsv. Received: none"):
        from_files(tmp_path)
    write(tmp_path, HEADER + "1,2,3:a\n", "W_TEST.ts")
    with pytest.raises(ValueError, match="W_TEST.ts, line 3: a series must have 2 steps. Received: 3"):
        from_files(tmp_path)
    write(tmp_path, "@classLabel true b c\n@data\n1,2:c\n", "W_TEST.ts")
    with pytest.raises(ValueError, match=r"the class must be one of \['a', 'b'\]. Received: 'c'"):
        from_files(tmp_path)
    write(tmp_path, "@classLabel true b a\n@data\n3,1:b\n", "W_TEST.ts")
    data = from_files(tmp_path)
    assert data.name == "W" and data.test.labels.tolist() == [1] and data.validation is None
    rows = write(tmp_path, "".join(f"{'ab'[i % 2]},{i},{i + 1}\n" for i in range(20)), "rows.csv")
    drawn = from_files(rows, seed=3)
    assert len(drawn.test) == 6 and len(drawn.train) == 14 and "seed 3" in drawn.split
    assert np.bincount(drawn.test.labels).tolist() == [3, 3]
    with pytest.raises(FileNotFoundError):
        from_files(tmp_path / "absent")
    with pytest.raises(ValueError, match="training series of two classes"):
        from_files(write(tmp_path, "a,1,2\na,2,3\n", "same.csv"))


def test_validation_is_spared_where_every_class_has_fifty():
    def data(counts):
        labels = np.repeat(np.arange(len(counts)), counts).astype("int32")
        part = LabelledSeries(np.zeros((len(labels), 9, 1), "float32"), labels, ("a", "b"))
        return SeriesData("d", part, part, split="own").with_validation()

    few, enough = data([49, 200]), data([50, 200])
    assert few.validation is None and "fewer than 50" in few.split and len(few.train) == 249
    assert np.bincount(enough.validation.labels).tolist() == [10, 40] and len(enough.train) == 200


# Named sets.


def named(name):
    """A named set, or a skip where its files are not on this machine."""
    title = named_labelled_series.SETS[name]["title"]
    here = any((data_folder() / title).glob("*.ts")) or find_spec("aeon")
    if not here:
        pytest.skip(f"{title} is neither in KERAZOO_DATA_DIR nor in an installed aeon")
    return named_labelled_series.load_labelled_series(name)


@pytest.mark.parametrize(
    ("name", "train", "test", "classes"),
    [
        ("gunpoint", (50, 150, 1), 150, 2),
        ("arrowhead", (36, 251, 1), 175, 3),
        ("italy_power_demand", (67, 24, 1), 1_029, 2),
        ("basic_motions", (40, 100, 6), 40, 4),
    ],
)
def test_named_sets(name, train, test, classes):
    data = named(name)
    assert data.train.values.shape == train and len(data.test) == test and len(data.classes) == classes
    assert len(np.unique(data.test.labels)) == classes
    assert "aeon" not in sys.modules or "numba" in sys.modules, "its files are read without importing it"
    assert json.dumps(data.record())


def test_a_set_that_is_nowhere_is_downloaded_by_its_checksum(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(named_files, "find_spec", lambda name: None)
    asked = []

    def download(url, path, *, sha256, size):
        asked.append((url, path, sha256, size))
        raise ConnectionError(url)

    monkeypatch.setattr(named_files, "download", download)
    with pytest.raises(ConnectionError):
        named_labelled_series.load_labelled_series("gunpoint")
    url, path, sha256, size = asked[0]
    assert url.endswith("/GunPoint/GunPoint_TRAIN.ts") and path == tmp_path / "GunPoint" / "GunPoint_TRAIN.ts"
    assert len(sha256) == 64 and size == 84_188
    (tmp_path / "GunPoint").mkdir()
    write(tmp_path / "GunPoint", "damaged", "GunPoint_TRAIN.ts")
    with pytest.raises(ValueError, match="must have sha256"):
        named_labelled_series.load_labelled_series("gunpoint")
    with pytest.raises(ValueError, match="Did you mean 'gunpoint'"):
        named_labelled_series.load_labelled_series("gunpont")


# Baselines.


def test_dynamic_time_warping_is_the_textbooks_table():
    def table(a, b):
        cells = np.full((len(a) + 1, len(b) + 1), np.inf)
        cells[0, 0] = 0
        for i in range(len(a)):
            for j in range(len(b)):
                best = min(cells[i, j], cells[i + 1, j], cells[i, j + 1])
                cells[i + 1, j + 1] = np.square(a[i] - b[j]).sum() + best
        return cells[-1, -1]

    rng = np.random.default_rng(0)
    for steps, channels in ((1, 1), (2, 3), (9, 2)):
        query, series = rng.normal(size=(steps, channels)), rng.normal(size=(5, steps, channels))
        np.testing.assert_allclose(warping(query, series), [table(query, other) for other in series])
        assert (warping(query, series) <= euclidean(query, series) + 1e-12).all()


def test_nearest_neighbours_score_as_the_archive_says():
    data = named("gunpoint")
    scores = {row["name"]: row["accuracy"] for row in series_baselines(data.train, data.test)}
    assert scores["nearest neighbour, Euclidean"] == pytest.approx(1 - 0.0867, abs=1e-4)
    assert scores["nearest neighbour, dynamic time warping"] == pytest.approx(1 - 0.0933, abs=1e-4)


def test_dynamic_time_warping_takes_a_sample_where_all_would_take_hours(monkeypatch):
    from kerazoo.evaluate import nearest_neighbour

    rng = np.random.default_rng(0)
    part = LabelledSeries(rng.normal(size=(20, 9, 1)).astype("float32"), np.arange(20, dtype="int32") % 2, ("a", "b"))
    monkeypatch.setattr(nearest_neighbour, "MOST_CELLS", 20 * 81 * 6)
    rows = series_baselines(part, part)
    assert [row["fitted_on"] for row in rows] == [20, 20, 6]
    monkeypatch.setattr(nearest_neighbour, "MOST_CELLS", 0)
    assert len(series_baselines(part, part)) == 2


# The application.

SMALL = ["--epochs=10", "--learning-rate=0.01", "--option=depth=3", "--option=filters=4", "--option=bottleneck=4"]


def waves(tmp_path, channels=1):
    """A folder with sines and saw teeth of random phase, twelve of each to train and to test with."""
    rng, folder = np.random.default_rng(0), tmp_path / "waves"
    folder.mkdir()
    for part in ("TRAIN", "TEST"):
        lines = ["@classLabel true <sine> saw", "@data"]
        for i in range(24):
            time = np.arange(40) / 10 + rng.uniform(0, 1, (channels, 1))
            series = 7 + 30 * (np.sin(2 * np.pi * time) if i % 2 else 2 * (time % 1) - 1)
            series = series + rng.normal(0, 2, series.shape)
            text = ":".join(",".join(f"{value:.3f}" for value in channel) for channel in series)
            lines.append(f"{text}:{'<sine>' if i % 2 else 'saw'}")
        write(folder, "\n".join(lines) + "\n", f"Waves_{part}.ts")
    return folder


def test_an_ensemble_is_stopped_gone_on_with_and_exported_as_one(tmp_path, monkeypatch, capsys):
    for needed in ("matplotlib", "ai_edge_litert"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    argv = [f"--data={waves(tmp_path)}", "--ensemble=2", *SMALL]
    original = keras.callbacks.CallbackList.on_epoch_begin
    begun = []

    def stop(self, index, logs=None):
        begun.append(index)
        if len(begun) == 13:  # The second network's third epoch.
            raise KeyboardInterrupt
        return original(self, index, logs)

    with monkeypatch.context() as stopped:
        stopped.setattr(keras.callbacks.CallbackList, "on_epoch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            kerazoo.run("series_classification", argv)
    again = capsys.readouterr().out.strip().splitlines()[-1].split()
    assert again[:3] == ["kerazoo", "run", "series_classification"] and "--resume" in again
    record = kerazoo.run("series_classification", again[3:])
    folder = tmp_path / "runs" / "series_classification" / "Waves-inception_time-1"
    journals = [json.loads((place / "journal.json").read_text()) for place in (folder, folder / "network-2")]
    assert [len(journal["history"]) for journal in journals] == [10, 10]
    first, second = [[epoch["loss"] for epoch in journal["history"]] for journal in journals]
    assert first != second, "networks differ in their seeds"
    assert record["test"]["accuracy"] >= 0.9 and len(record["test"]["of_each_network"]) == 2
    assert record["training"]["validated"] is False and record["dataset"]["classes"] == ["<sine>", "saw"]
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite"]
    assert all(row["difference"] < 1e-4 and row["same_answers"] == 1 for row in record["exports"])
    assert [row["name"] for row in record["baselines"]][1:] == [
        "nearest neighbour, Euclidean",
        "nearest neighbour, dynamic time warping",
    ]
    page = (folder / "report.html").read_text()
    assert page.count("data:image/svg+xml") >= 5 and "<sine>" not in page and "&lt;sine&gt;" in page
    printed = capsys.readouterr().out
    assert "Accuracy on the 24 test series of Waves" in printed and "Report: " in printed
    served = kerazoo.load(record["exports"][0]["folder"])
    assert list(served.signature.outputs) == ["logits"]
    logits = np.asarray(served(read_ts(tmp_path / "waves" / "Waves_TEST.ts").values))
    assert served.labels == ["<sine>", "saw"]
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, atol=1e-5)  # Logarithms of mean probabilities.


def test_minirocket_on_channels_of_a_users_folder(tmp_path, monkeypatch):
    for needed in ("matplotlib", "ai_edge_litert"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kerazoo.data.labelled_series.ENOUGH_TO_VALIDATE", 12)
    argv = [f"--data={waves(tmp_path, channels=2)}", "--model=minirocket", "--epochs=20", "--option=features=420"]
    record = kerazoo.run("series_classification", [*argv, "--learning-rate=0.01"])
    assert record["training"]["validated"] and record["dataset"]["validation"] == 4
    losses = [epoch["val_loss"] for epoch in record["training"]["history"]]
    assert losses[record["training"]["best_epoch"] - 1] == min(losses)
    assert record["settings"]["scale"] == "train" and record["dataset"]["channels"] == 2
    assert record["test"]["accuracy"] >= 0.9
    assert all(row["same_answers"] == 1 for row in record["exports"])
    page = Path("runs/series_classification/Waves-minirocket-1/report.html").read_text()
    assert "a colour for each channel" in page


def test_the_command_of_a_record_repeats_the_run():
    import shlex

    from kerazoo.applications import running
    from kerazoo.applications.timeseries import series_classification

    def given(argv):
        return running.given(series_classification.parse_args(argv), series_classification.parse_args([]))

    options = given(["--as-authors", "--dataset=arrowhead", "--option=depth=3", "--option=filters=8"])
    command = shlex.split(running.command("series_classification", options))
    assert command[:3] == ["kerazoo", "run", "series_classification"] and "--as-authors" in command
    assert given(command[3:]) == options


@pytest.mark.parametrize(
    ("argv", "error", "message"),
    [
        (["--dataset=gunpont"], ValueError, "Did you mean 'gunpoint'"),
        (["--data=nowhere"], FileNotFoundError, "nowhere"),
        (["--model=resnet20"], ValueError, "`--model` must be one for series_classification"),
        (["--ensemble=0"], ValueError, "`--ensemble` must be at least 1"),
        (["--epochs=0"], ValueError, "`--epochs` must be at least 1"),
        (["--warm-up=1"], ValueError, "`--warm-up` must be between 0 and 1"),
    ],
)
def test_what_a_user_gets_wrong(argv, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        kerazoo.run("series_classification", argv)


def test_raw_values_are_scaled_inside_the_exported_model():
    from kerazoo.applications.timeseries import series_classification

    rng = np.random.default_rng(0)
    values = (1000 + np.array([1.0, 50.0]) * rng.normal(size=(12, 30, 2))).astype("float32")
    part = LabelledSeries(values, np.arange(12, dtype="int32") % 2, ("a", "b"))
    data = SeriesData("d", part, part)
    arguments = series_classification.parse_args(["--scale=train"])
    np.testing.assert_allclose(answers(series_classification.scaler(arguments, data), values).std(axis=(0, 1)), 1, 1e-3)
    arguments.scale = "series"
    each = answers(series_classification.scaler(arguments, data), values)
    np.testing.assert_allclose(each.mean(axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(each.std(axis=1), 1, rtol=1e-3)
    arguments.scale = "none"
    np.testing.assert_array_equal(answers(series_classification.scaler(arguments, data), values), values)


def test_the_rate_falls_as_keras_lets_it_fall_and_needs_the_history_alone(tmp_path):
    from kerazoo.training.callbacks import Journal
    from kerazoo.training.plateau import FallOnPlateau

    journal = Journal(tmp_path, configuration={}, monitor="loss", mode="min")
    ours = FallOnPlateau(journal, 0.01, patience=3, least=1e-3)
    model = smoke("fcn1d", learning_rate=0.01)
    theirs = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=3, min_lr=1e-3)
    for callback in (ours, theirs):
        callback.set_model(model)
    theirs.on_train_begin()
    rates = []
    for epoch, loss in enumerate(np.random.default_rng(0).uniform(0, 1, 40) / np.arange(1, 41) ** 0.3):
        journal.history.append({"loss": float(loss)})
        theirs.on_epoch_end(epoch, {"loss": float(loss)})
        rates.append(float(model.optimizer.learning_rate))
        assert ours.after([past["loss"] for past in journal.history]) == pytest.approx(rates[-1], rel=1e-6)
    assert len(set(rates)) >= 4 and rates[-1] == pytest.approx(1e-3)
    model.optimizer.learning_rate = 0.5
    ours.on_epoch_begin(40)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)


@pytest.mark.slow
def test_gunpoint_within_two_points_of_the_published_accuracy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    named("gunpoint")
    record = kerazoo.run("series_classification", [])
    assert record["test"]["accuracy"] >= record["published"][0]["score"] - 0.02
