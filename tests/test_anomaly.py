"""Detectors of anomalies: their layers, losses and training steps, what they answer; NAB's files and score."""

import json
import zipfile

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.data import nab
from kerazoo.evaluate import anomaly
from kerazoo.evaluate.anomaly import Scored
from kerazoo.layers.anomaly_attention import AnomalyAttention
from kerazoo.layers.sinusoidal_positions import SinusoidalPositions
from kerazoo.layers.squared_distance import SquaredDistance
from kerazoo.losses.deviation import Deviation
from kerazoo.models.anomaly.dev_net import balanced_batches
from kerazoo.models.anomaly.residual import residual_scorer

SERIES = ["anomaly_transformer", "lstm_autoencoder", "usad"]
ROWS = ["deep_autoencoder", "deep_svdd", "dev_net"]
LAYERS = [AnomalyAttention(2), SinusoidalPositions(), SquaredDistance(correlated=True)]


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def smoke(name, **options):
    entry = catalog.entry(name)
    return kerazoo.build(name, seed=0, jit_compile=False, **(dict(entry.smoke) | options)), entry.sample


# Layers and losses.


@pytest.mark.parametrize(
    "layer",
    [AnomalyAttention(2), SinusoidalPositions(), SquaredDistance(correlated=True)],
    ids=lambda x: type(x).__name__,
)
def test_layers_are_saved_and_loaded_in_safe_mode(tmp_path, layer):
    window = keras.Input((12, 4), name="window")
    model = keras.Model(window, type(layer).from_config(layer.get_config())(window))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    inputs = rng.normal(size=(3, 12, 4)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    for got, wanted in zip(keras.tree.flatten(loaded(inputs)), keras.tree.flatten(model(inputs))):
        np.testing.assert_array_equal(numpy(got), numpy(wanted))
        assert np.ptp(numpy(got)) > 0


def test_squared_distance_is_mahalanobis():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + [1, 2, 3]
    layer = SquaredDistance(correlated=True)
    layer.build((None, 3))
    layer.set_from(known)
    away = known[:5] - known.mean(axis=0)
    expected = np.einsum("ni,ij,nj->n", away, np.linalg.inv(np.cov(known.T, bias=True)), away)
    np.testing.assert_allclose(numpy(layer(known[:5].astype("float32"))), expected, rtol=1e-3)
    layer.set_from(np.ones((20, 3)))  # Errors that never vary have no inverse covariance; the answer stays finite.
    assert np.isfinite(numpy(layer(np.ones((2, 3), "float32")))).all()


def test_the_discrepancy_is_that_of_attention_and_bell_curves():
    rng, layer = np.random.default_rng(0), AnomalyAttention(2)
    x = rng.normal(size=(2, 7, 8)).astype("float32")
    layer(x)
    layer.set_weights([rng.normal(0, 0.4, weight.shape) for weight in layer.get_weights()])
    query, key, value = (
        numpy(getattr(layer, part)(x)).reshape(2, 7, 2, 4).transpose(0, 2, 1, 3) for part in ("query", "key", "value")
    )
    series = np.exp(query @ key.transpose(0, 1, 3, 2) / 2)
    series /= series.sum(-1, keepdims=True)
    sigma = 3 ** (1 / (1 + np.exp(-5 * numpy(layer.width(x)))) + 1e-5) - 1
    distance = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    sigma = sigma.transpose(0, 2, 1)[..., None]
    prior = np.exp(-(distance**2) / 2 / sigma**2) / np.sqrt(2 * np.pi) / sigma
    prior /= prior.sum(-1, keepdims=True)

    def divergence(p, q):
        return (p * (np.log(p + 1e-4) - np.log(q + 1e-4))).sum(-1).mean(1)

    outputs, discrepancy = layer(x)
    np.testing.assert_allclose(numpy(discrepancy), divergence(series, prior) + divergence(prior, series), rtol=1e-4)
    np.testing.assert_allclose(numpy(layer(x, training=True)[1]), numpy(discrepancy), rtol=1e-5)
    mixed = (series @ value).transpose(0, 2, 1, 3).reshape(2, 7, 8)
    np.testing.assert_allclose(numpy(outputs), numpy(layer.out(mixed.astype("float32"))), atol=1e-5)


def test_the_minimax_game_pulls_the_prior_and_pushes_the_attention():
    tf = pytest.importorskip("tensorflow")
    rng, layer = np.random.default_rng(0), AnomalyAttention(2)
    x = rng.normal(size=(4, 7, 8)).astype("float32")
    layer(x)
    layer.set_weights([rng.normal(0, 0.4, weight.shape) for weight in layer.get_weights()])
    gradients = {}
    for training in (True, False):  # Outside training the gradient is the plain one.
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(layer(x, training=training)[1])
        gradients[training] = tape.gradient(value, [layer.width.kernel.value, layer.query.kernel.value])
    np.testing.assert_allclose(gradients[True][0], gradients[False][0], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(gradients[True][1], -gradients[False][1], rtol=1e-3, atol=1e-6)
    assert np.abs(gradients[True][1]).max() > 1e-3
    with pytest.raises(ValueError, match="`heads` divide"):
        AnomalyAttention(3)(x)


def test_the_deviation_loss():
    labels, scores = np.array([0.0, 0.0, 1.0, 1.0]), np.array([-2.0, 1.0, 7.0, -1.0], "float32")
    np.testing.assert_allclose(numpy(Deviation(5.0, reduction=None)(labels, scores)), [2, 1, 0, 6])


# The contract of all detectors.


@pytest.mark.parametrize("name", SERIES + ROWS)
def test_one_score_a_row_or_step_and_the_scorer_gives_it(tmp_path, name):
    model, sample = smoke(name)
    inputs, targets = sample(np.random.default_rng(0), 16)
    model.fit(inputs, targets, epochs=2, batch_size=8, verbose=0)
    scores = numpy(model(inputs)["score"])
    assert scores.shape == (inputs.shape[:2] if name in SERIES else (16,)) and scores.dtype == "float32"
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(numpy(loaded.scorer()(inputs)), scores)
    before = loaded.evaluate(inputs, targets, verbose=0)
    assert before == pytest.approx(model.evaluate(inputs, targets, verbose=0), rel=1e-5)


@pytest.mark.parametrize("name", ["lstm_autoencoder", "usad", "deep_autoencoder", "deep_svdd", "dev_net"])
def test_what_was_never_seen_scores_higher(name):
    rng = np.random.default_rng(0)
    options = {"learning_rate": 3e-3}
    if name in SERIES:
        # Alone the first of USAD's autoencoders: the second is soon set on errors, not on answers.
        options |= {"alpha": 1.0} if name == "usad" else {}
        model, _ = smoke(name, lookback=16, channels=1, **options)
        phase = rng.uniform(0, 1.5, (256, 1, 1))
        normal = (0.5 + 0.3 * np.sin(phase + 0.6 * np.arange(16)[:, None])).astype("float32")
        strange = rng.uniform(0.2, 0.8, normal.shape).astype("float32")
    else:
        model, _ = smoke(name, **options)
        normal = rng.normal(size=(256, 2)).astype("float32") @ rng.normal(size=(2, 6)).astype("float32")
        strange = 3 * rng.normal(size=(256, 6)).astype("float32")
    if name == "dev_net":
        rows, labels = np.concatenate([normal, strange[:10]]), np.repeat([0, 1], [256, 10])
        batches = balanced_batches(rows, labels, batch_size=32)
        model.fit(batches, steps_per_epoch=32, epochs=6, verbose=0, shuffle=False)
    else:
        passes = np.tile(normal[:200], (6,) + (1,) * (normal.ndim - 1))
        model.fit(passes, epochs=5, batch_size=20, verbose=0)
    model.calibrate(normal[200:])
    scorer = model.scorer()
    usual, odd = (numpy(scorer(part)).reshape(len(part), -1).mean(axis=1) for part in (normal[200:], strange[100:]))
    assert (odd[:, None] > usual).mean() > 0.9


def test_mahalanobis_of_calibrated_errors_averages_to_the_channels():
    model, sample = smoke("lstm_autoencoder")
    windows, _ = sample(np.random.default_rng(0), 200)
    model.calibrate(windows)
    assert numpy(model(windows)["score"]).mean() == pytest.approx(3, rel=1e-2)


def test_usads_step_is_two_updates_with_weights_of_the_epoch():
    tf = pytest.importorskip("tensorflow")
    rate = 20.0
    model, sample = smoke("usad", optimizer=keras.optimizers.SGD(rate))
    twin, _ = smoke("usad")
    windows, _ = sample(np.random.default_rng(0), 8)
    twin.set_weights(model.get_weights())
    start = model.get_weights()
    model.fit(windows, batch_size=8, epochs=3, initial_epoch=2, verbose=0)
    parts = {
        part: [v for layer in twin.layers if layer.name.startswith(part) for v in layer.trainable_variables]
        for part in ("encoder", "decoder1", "decoder2")
    }
    for own, sign in (("reconstruction", 1), ("second", -1)):
        trained = parts["encoder"] + parts["decoder1" if sign > 0 else "decoder2"]
        with tf.GradientTape() as tape:
            answers = twin(windows)
            error, other = (tf.reduce_mean((windows - answers[key]) ** 2) for key in (own, "again"))
            loss = error / 3 + sign * 2 / 3 * other
        for variable, gradient in zip(trained, tape.gradient(loss, [v.value for v in trained])):
            variable.assign_sub(rate * gradient)
    assert float(model.epoch) == 3
    for got, wanted in zip(model.trainable_variables, twin.trainable_variables):
        np.testing.assert_allclose(numpy(got), numpy(wanted), atol=1e-6)
    moved = max(np.abs(a - b).max() for a, b in zip(start, model.get_weights()))
    assert moved > 1e-2


def test_the_sphere_has_no_biases_and_a_fixed_centre():
    model, sample = smoke("deep_svdd", boundary="soft", warm_up=2, nu=0.25)
    assert not any(variable.name == "bias" for variable in model.trainable_variables)
    rows, _ = sample(np.random.default_rng(0), 64)
    answers = numpy(model(rows)["embedding"])
    radii, sphere = [], model.get_layer("distance")
    for epoch in range(4):
        model.fit(rows, batch_size=64, epochs=epoch + 1, initial_epoch=epoch, verbose=0)
        if not epoch:
            centre = numpy(sphere.centre)
        radii.append(float(model.radius))
    mean = answers.mean(axis=0)
    far = np.abs(mean) >= 0.1
    np.testing.assert_allclose(centre[far], mean[far], rtol=1e-4)
    assert np.abs(centre[~far]).tolist() == pytest.approx([0.1] * (~far).sum())
    np.testing.assert_array_equal(numpy(sphere.centre), centre)
    assert radii[0] == radii[1] == 0 < radii[2]
    assert (numpy(model(rows)["score"]) > radii[3] ** 2).mean() == pytest.approx(0.25, abs=0.1)


def test_a_forecasters_errors_are_standardised():
    forecaster = kerazoo.build("dlinear", lookback=8, horizon=1, channels=2, window=3)
    rng = np.random.default_rng(0)
    windows, errors = rng.normal(size=(5, 9, 2)).astype("float32"), rng.normal([1, -2], [0.5, 3], size=(400, 2))
    found = windows[:, -1] - numpy(forecaster(windows[:, :-1]))[:, 0]
    expected = np.sqrt((((found - errors.mean(0)) / errors.std(0)) ** 2).mean(-1))
    np.testing.assert_allclose(numpy(residual_scorer(forecaster, errors)(windows)), expected, rtol=1e-4)
    with pytest.raises(ValueError, match="same channels"):
        residual_scorer(forecaster, errors[:, :1])
    with pytest.raises(ValueError, match="one past to one forecast"):
        residual_scorer(kerazoo.build("tab_mlp"), errors)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("usad", {"alpha": 1.5}, "`alpha` be in"),
        ("usad", {"latent": 0}, "`latent` must be a positive integer"),
        ("anomaly_transformer", {"heads": 5}, "`heads` must divide"),
        ("lstm_autoencoder", {"lookback": 0}, "`lookback` must be"),
        ("deep_autoencoder", {"hidden": ()}, "`hidden` must be"),
        ("deep_svdd", {"boundary": "hard"}, "`boundary` must be one of"),
        ("deep_svdd", {"nu": 0}, "`nu` in"),
        ("dev_net", {"numeric": -1}, "`numeric` must be"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


def test_a_deviation_network_needs_labels():
    model, sample = smoke("dev_net")
    with pytest.raises(ValueError, match="trained with labels"):
        model.fit(sample(np.random.default_rng(0), 8)[0], verbose=0)
    with pytest.raises(ValueError, match="Both labels"):
        next(balanced_batches(np.zeros((4, 2)), np.zeros(4)))


# Judging.


def spikes(rows, *places):
    scores = np.zeros(rows)
    scores[list(places)] = 1
    return scores


def test_nab_scores_as_published():
    windows = ((20, 29), (60, 69))
    assert anomaly.nab_score([Scored(spikes(100, 20, 60), windows)], 0.5) == pytest.approx(100)  # Perfect.
    assert anomaly.nab_score([Scored(np.zeros(100), windows)], 0.5) == 0  # Silent.
    weights = anomaly.nab_weights(Scored(np.zeros(100), windows))
    # NAB's scaled sigmoid: 0.98661 at a window's start, 0.84828 in its middle, 0 behind it; -1 far from windows.
    assert weights[20] == pytest.approx(1) and weights[25] == pytest.approx(0.84828 / 0.98661, rel=1e-4)
    assert weights[0] == weights[59] == pytest.approx(-0.11)
    assert weights[29 + 9] == pytest.approx(-0.11 * 0.98661, rel=1e-4)  # One window's width behind it.
    # Only the earliest detection of a window counts, of false alarms every one.
    both = anomaly.nab_points(Scored(spikes(100, 22, 27, 60), windows), 0.5)
    assert both == pytest.approx(anomaly.nab_points(Scored(spikes(100, 22, 60), windows), 0.5))
    one, two = (anomaly.nab_points(Scored(spikes(100, 20, 60, *range(n)), windows), 0.5) for n in (1, 2))
    assert (one, two) == (pytest.approx(2 - 0.11), pytest.approx(2 - 0.22))
    # Learning rows cost nothing and count nothing.
    assert anomaly.nab_points(Scored(spikes(100, 3, 20, 60), windows, learning=10), 0.5) == pytest.approx(2)
    assert anomaly.nab_score([Scored(np.zeros(9), ())], 0.5) is None


def test_f1_of_points_adjusted_points_and_windows():
    scored = Scored(spikes(100, 5, 22, 40, 41, 80), ((20, 29), (60, 69)), learning=10)
    assert anomaly.point_counts(scored, 0.5) == (1, 3, 19)
    assert anomaly.point_counts(scored, 0.5, adjusted=True) == (10, 3, 10)
    assert anomaly.window_counts(scored, 0.5) == (1, 2, 1)
    found = anomaly.figures([scored, scored], 0.5)
    assert found["adjusted_f1"] == pytest.approx(20 / 33) and found["window_f1"] == pytest.approx(2 / 5)
    assert (found["windows_found"], found["windows"], found["false_runs"]) == (2, 4, 4)


def test_the_best_threshold_is_kept_apart_and_never_worse():
    rng = np.random.default_rng(0)
    scores = rng.exponential(size=1000)
    scores[500:520] += 2
    scored = Scored(scores, ((495, 525),), learning=100)
    bound = anomaly.best([scored])
    for threshold in (0.5, 1.0, 2.0, 4.0):
        reached = anomaly.figures([scored], threshold)
        assert all(bound[key]["value"] >= reached[key] - 0.05 * abs(reached[key]) for key in bound)
    for key, row in bound.items():
        assert anomaly.figures([scored], row["threshold"])[key] == row["value"]


def test_tails():
    rng = np.random.default_rng(0)
    for draw in (rng.normal, rng.exponential):
        scores = draw(size=20_000)
        threshold = anomaly.tail_threshold(scores[:5_000], risk=1e-3)
        assert 2e-4 < (scores > threshold).mean() < 4e-3
    assert 0.99 < anomaly.tail_threshold(rng.uniform(size=5_000), risk=1e-3) < 1.01  # A tail that ends.
    assert anomaly.tail_threshold(np.ones(50)) == 1
    assert np.isfinite(anomaly.tail_threshold(spikes(50, 3)))
    with pytest.raises(ValueError, match="at least 10 scores"):
        anomaly.tail_threshold(np.ones(5))


def test_baselines_look_back_only():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 2))
    values[150] = 9
    scores = anomaly.rolling_z_score(values, lookback=20, least=np.full(2, 1e-3))
    before = values[130:150]
    assert scores[150] == pytest.approx((np.abs(9 - before.mean(0)) / before.std(0)).mean())
    assert scores.argmax() == 150 and (scores[:20] == 0).all()
    changed = values.copy()
    changed[160:] += 5
    again = anomaly.rolling_z_score(changed, lookback=20, least=np.full(2, 1e-3))
    np.testing.assert_array_equal(again[:160], scores[:160])
    forest = anomaly.isolation_forest(rng.normal(size=(100, 4, 1)))
    assert forest(np.full((1, 4, 1), 5.0))[0] > forest(rng.normal(size=(20, 4, 1))).mean()
    assert anomaly.ranking(Scored(scores, ((150, 150),)))["auroc"] == 1
    assert anomaly.ranking(Scored(scores, ())) is None


# NAB's files.


def archive(folder, *, rows=200, windows=None):
    windows = [["2024-01-01 13:20:00.000000", "2024-01-01 13:29:00.000000"]] if windows is None else windows
    start = np.datetime64("2024-01-01T10:00:00")
    lines = [f"{str(start + np.timedelta64(i, 'm')).replace('T', ' ')},{i % 7}" for i in range(rows)]
    text = "timestamp,value\n" + "\n".join(lines) + "\n"
    with zipfile.ZipFile(folder / "nab.zip", "w") as target:
        for name in ("small/one.csv", "small/two.csv", "quiet/none.csv"):
            target.writestr(f"data/{name}", text)
        labels = {"small/one.csv": windows, "small/two.csv": windows, "quiet/none.csv": []}
        target.writestr("labels/combined_windows.json", json.dumps(labels))


def test_nab_is_read_with_its_windows(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    archive(tmp_path, rows=300)
    found = nab.load_nab("small")
    assert list(found) == ["small/one.csv", "small/two.csv"] and len(nab.load_nab()) == 3
    one = found["small/one.csv"]
    assert one.windows == ((200, 209),) and one.learning == 45 and one.labels().sum() == 10
    assert nab.load_nab("quiet/none.csv")["quiet/none.csv"].windows == ()
    with pytest.raises(ValueError, match="Did you mean 'small/one.csv'"):
        nab.load_nab("small/on.csv")


def test_nab_that_is_not_there_or_damaged(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    for folder, match, error in (
        ("absent", "KERAZOO_DATA_DIR", FileNotFoundError),
        ("late", "begin and end", ValueError),
    ):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path / folder))
        if folder == "late":
            archive(tmp_path / folder, rows=205)  # The window ends behind the file.
        with pytest.raises(error, match=match):
            nab.load_nab()


def test_the_benchmark_as_published():
    from kerazoo.data.locate import data_folder

    if not (data_folder() / "nab.zip").is_file():
        pytest.skip("nab.zip is not in KERAZOO_DATA_DIR")
    pytest.importorskip("pandas")
    found = nab.load_nab()
    assert len(found) == 58 and sum(len(labelled.windows) for labelled in found.values()) == 116
    assert len(nab.load_nab("realKnownCause")) == 7
    taxi = found["realKnownCause/nyc_taxi.csv"]
    assert len(taxi.series) == 10_320 and len(taxi.windows) == 5 and taxi.learning == 750
    assert str(taxi.series.stamps[taxi.windows[0][0]]) == "2014-10-30T15:30:00"
    assert all(first >= labelled.learning for labelled in found.values() for first, _ in labelled.windows)
