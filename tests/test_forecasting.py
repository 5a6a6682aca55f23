"""Forecasters: their layers, what the field expects of them, backtests that cannot look ahead."""

import json

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog
from kerazoo.data.calendar import calendar
from kerazoo.evaluate import forecasting
from kerazoo.layers.basis_expansion import BasisExpansion, harmonics, interpolation
from kerazoo.layers.interpretable_attention import InterpretableAttention
from kerazoo.layers.moving_average import MovingAverage
from kerazoo.layers.ordered_quantiles import OrderedQuantiles
from kerazoo.layers.patches import Patches
from kerazoo.layers.residual_attention import ResidualAttention
from kerazoo.layers.reversible_normalization import ReversibleNormalization
from kerazoo.layers.variable_embedding import VariableEmbedding
from kerazoo.layers.weight_normalized_conv import WeightNormalizedConv1D
from kerazoo.losses.pinball import Pinball
from kerazoo.training.schedules import HoldThenDecay

FORECASTERS = kerazoo.list_models(task="forecasting")
MIXING = ["itransformer", "lstm_seq2seq", "tcn", "tsmixer"]  # Whose channels know of each other.
LAYERS = [
    MovingAverage(3),
    Patches(4, 2),
    ResidualAttention(2),
    ReversibleNormalization(affine=True),
    BasisExpansion("polynomials", 6, {"degree": 3}),
    BasisExpansion("interpolation", 6, {"knots": 4}),
    InterpretableAttention(2, last=3),
    OrderedQuantiles(),
    VariableEmbedding(3),
    WeightNormalizedConv1D(5, 3, dilation=2),
]


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def first(outputs):
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def smoke(name):
    entry = catalog.entry(name)
    model = kerazoo.build(name, seed=0, **entry.smoke)
    rng = np.random.default_rng(0)
    model.set_weights([w + rng.uniform(0.05, 0.1, w.shape) for w in model.get_weights()])
    return model, entry.sample(rng, 4)[0]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layers_are_saved_and_loaded_in_safe_mode(tmp_path, layer):
    past = keras.Input((12, 4), name="past")
    model = keras.Model(past, first(type(layer).from_config(layer.get_config())(past)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    inputs = rng.normal(size=(3, 12, 4)).astype("float32")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(numpy(loaded(inputs)), numpy(model(inputs)))
    assert np.ptp(numpy(model(inputs))) > 0


def test_moving_average_is_the_mean_of_the_window_with_repeated_ends():
    series = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    padded = np.pad(series, ((0, 0), (2, 2), (0, 0)), mode="edge")
    expected = np.stack([padded[:, i : i + 5].mean(axis=1) for i in range(9)], axis=1)
    np.testing.assert_allclose(numpy(MovingAverage(5)(series)), expected, atol=1e-6)
    with pytest.raises(ValueError, match="must be odd"):
        MovingAverage(4)


def test_residual_attention_adds_the_scores_before():
    rng = np.random.default_rng(0)
    layer, x = ResidualAttention(2), rng.normal(size=(2, 5, 8)).astype("float32")
    alone, scores = layer(x)
    again, both = layer(x, scores)
    np.testing.assert_allclose(numpy(both), 2 * numpy(scores), rtol=1e-5)
    assert np.abs(numpy(again) - numpy(alone)).max() > 1e-4
    query, key, value = (
        numpy(getattr(layer, f"{part}_projection")(x)).reshape(2, 5, 2, 4).transpose(0, 2, 1, 3)
        for part in ("query", "key", "value")
    )
    expected = query @ key.transpose(0, 1, 3, 2) / 2
    np.testing.assert_allclose(numpy(scores), expected, atol=1e-5)
    weights = np.exp(expected) / np.exp(expected).sum(-1, keepdims=True)
    mixed = (weights @ value).transpose(0, 2, 1, 3).reshape(2, 5, 8)
    np.testing.assert_allclose(numpy(alone), numpy(layer.output_projection(mixed)), atol=1e-5)
    with pytest.raises(ValueError, match="`heads` must divide"):
        ResidualAttention(3)(x)


def test_bases():
    np.testing.assert_allclose(interpolation(6, knots=3).sum(axis=0), 1)
    np.testing.assert_allclose([0, 2, 4] @ interpolation(6, knots=3), [0, 0.5, 1.5, 2.5, 3.5, 4])
    waves = harmonics(8, horizon=8, harmonics=1)
    assert waves.shape == (2 * 4, 8)  # Frequencies 0, 1, 2, 3: cosines, then sines.
    np.testing.assert_allclose(waves[1], np.cos(2 * np.pi * np.arange(8) / 8), atol=1e-12)
    np.testing.assert_allclose(harmonics(8, horizon=8, harmonics=1, backward=True)[4:], -waves[4:], atol=1e-12)
    with pytest.raises(ValueError, match="takes 4 coefficients"):
        BasisExpansion("polynomials", 6, {"degree": 3})(np.zeros((1, 5)))
    with pytest.raises(ValueError, match="`basis` must be one of"):
        BasisExpansion("wavelets", 6, {})


def test_interpretable_attention_is_causal():
    layer, x = InterpretableAttention(2), np.random.default_rng(0).normal(size=(2, 6, 8)).astype("float32")
    outputs, weights = layer(x)
    assert np.abs(np.triu(numpy(weights), 1)).max() == 0
    np.testing.assert_allclose(numpy(weights).sum(-1), 1, atol=1e-6)
    changed = x.copy()
    changed[:, 4:] += 1
    again = numpy(layer(changed)[0])
    np.testing.assert_array_equal(again[:, :4], numpy(outputs)[:, :4])
    assert np.abs(again[:, 4:] - numpy(outputs)[:, 4:]).max() > 1e-3
    short = InterpretableAttention(2, last=2)
    short.build(x.shape)
    short.set_weights(layer.get_weights())
    for part, whole in zip(short(x), (outputs, weights)):
        np.testing.assert_allclose(numpy(part), numpy(whole)[:, -2:], atol=1e-6)


def test_weight_normalized_convolution_is_causal_and_starts_as_a_plain_one():
    x = np.random.default_rng(0).normal(size=(2, 12, 3)).astype("float32")
    layer = WeightNormalizedConv1D(4, 3, dilation=2)
    outputs = numpy(layer(x))
    plain = keras.layers.Conv1D(4, 3, padding="causal", dilation_rate=2)
    plain.build(x.shape)
    plain.set_weights([numpy(layer.direction), np.zeros(4)])
    np.testing.assert_allclose(outputs, numpy(plain(x)), atol=1e-5)
    changed = x.copy()
    changed[:, 7:] += 1
    assert np.array_equal(numpy(layer(changed))[:, :7], outputs[:, :7])
    layer.direction.assign(3 * layer.direction)  # Its length does not count, the gain's does.
    np.testing.assert_allclose(numpy(layer(x)), outputs, atol=1e-5)
    layer.gain.assign(2 * layer.gain)
    np.testing.assert_allclose(numpy(layer(x)), 2 * outputs, atol=1e-5)


def test_tcn_sees_the_whole_past_and_no_more_blocks_than_that_takes():
    model = kerazoo.build("tcn", lookback=24, horizon=8, channels=3, filters=8, kernel=3)
    assert sum(layer.name.endswith("_out") for layer in model.layers) == 3  # 1 + 4 * (1 + 2 + 4) = 29 steps.
    model.set_weights([np.abs(w) + 0.1 for w in model.get_weights()])  # No rectified unit is off for all inputs.
    body = keras.Model(model.input, model.get_layer("last_step").output)
    past = np.random.default_rng(0).normal(size=(1, 24, 3)).astype("float32")
    swapped = past.copy()
    swapped[:, [0, 1]] = past[:, [1, 0]]  # The mean and the deviation stay.
    assert np.abs(numpy(body(swapped)) - numpy(body(past))).max() > 1e-4


def test_pinball_is_least_at_the_quantile():
    truth = np.random.default_rng(0).normal(size=(1, 4000)).astype("float32")
    loss = Pinball([0.9])
    tries = np.linspace(-1, 3, 81)
    losses = [float(loss(truth, np.full((1, 4000, 1), value, "float32"))) for value in tries]
    assert abs(tries[np.argmin(losses)] - np.quantile(truth, 0.9)) < 0.06
    for wrong in ([], [0.5, 0.1], [0.0, 0.5], [0.5, 0.5]):
        with pytest.raises(ValueError, match="must be ascending"):
            Pinball(wrong)


def test_quantiles_never_cross():
    model, inputs = smoke("tft")
    forecast = numpy(model(inputs))
    assert forecast.shape == (4, 8, 2, 3) and (np.diff(forecast, axis=-1) > 0).all()


def test_what_is_known_of_the_future_counts_and_what_comes_later_does_not():
    model, inputs = smoke("tft")
    forecast = numpy(model(inputs))
    for step in (3, 7):
        known = inputs["known"].copy()
        known[:, 24 + step] += 1
        moved = np.abs(numpy(model(inputs | {"known": known})) - forecast).max(axis=(0, 2, 3))
        assert moved[:step].max(initial=0) < 1e-5 and moved[step] > 1e-4


@pytest.mark.parametrize("affine", [False, True])
def test_reversible_normalization_normalises_and_undoes_it(affine):
    layer = ReversibleNormalization(affine=affine)
    window = np.random.default_rng(0).normal(7, 3, (4, 20, 2)).astype("float32")
    layer(window)
    if affine:
        layer.set_weights([np.array([2.0, -0.5]), np.array([0.3, 1.0])])
    normalised, mean, deviation = layer(window)
    np.testing.assert_allclose(numpy(layer(normalised, statistics=(mean, deviation))), window, atol=1e-4)
    if not affine:
        np.testing.assert_allclose(numpy(normalised).mean(axis=1), 0, atol=1e-5)
        np.testing.assert_allclose(numpy(normalised).std(axis=1), 1, atol=1e-4)


def past_of(inputs):
    return inputs["past"] if isinstance(inputs, dict) else inputs


def with_past(inputs, past):
    return inputs | {"past": past} if isinstance(inputs, dict) else past


@pytest.mark.parametrize("name", [name for name in FORECASTERS if name not in MIXING])
def test_channels_are_forecast_by_themselves(name):
    """Another channel's past changes nothing, and the order of channels goes along."""
    model, inputs = smoke(name)
    past, forecast = past_of(inputs), numpy(model(inputs))
    changed = past.copy()
    changed[:, :, 0] += np.random.default_rng(1).normal(size=changed.shape[:2])
    moved = (
        np.abs(numpy(model(with_past(inputs, changed))) - forecast).reshape(4 * 8, past.shape[-1], -1).max(axis=(0, 2))
    )
    assert moved[0] > 1e-3 and moved[1:].max() < 1e-5
    received = numpy(model(with_past(inputs, past[:, :, ::-1])))
    np.testing.assert_allclose(received, forecast[:, :, ::-1], atol=1e-3 * np.abs(forecast).max())


@pytest.mark.parametrize("name", MIXING)
def test_channels_are_forecast_together(name):
    model, past = smoke(name)
    changed = past.copy()
    changed[:, :, 0] += np.random.default_rng(1).normal(size=changed.shape[:2])
    moved = np.abs(numpy(model(changed)) - numpy(model(past))).max(axis=(0, 1))
    assert moved[1:].min() > 1e-4


def test_a_normalized_tft_forecasts_in_the_scale_of_its_past():
    sizes = {"width": 8, "lookback": 24, "horizon": 6, "channels": 2, "quantiles": (0.1, 0.5, 0.9)}
    x = np.random.default_rng(0).normal(size=(3, 24, 2)).astype("float32")
    scale, shift = np.array([10, 0.2], "float32"), np.array([-50, 3], "float32")
    plain, normalized = (kerazoo.build("tft", normalize=way, **sizes) for way in (False, True))
    expected = numpy(normalized(x)) * scale[:, None] + shift[:, None]
    np.testing.assert_allclose(numpy(normalized(x * scale + shift)), expected, rtol=1e-3, atol=1e-3)
    assert (np.diff(expected) >= 0).all()
    assert np.abs(numpy(plain(x * scale + shift)) - (numpy(plain(x)) * scale[:, None] + shift[:, None])).max() > 1


@pytest.mark.parametrize("name", ["nlinear", "patchtst", "patchtst_small", *MIXING])
def test_the_level_of_the_past_is_the_level_of_the_forecast(name):
    model, past = smoke(name)
    np.testing.assert_allclose(numpy(model(past + 5)), numpy(model(past)) + 5, atol=2e-3)


def test_individual_layers_are_a_layer_for_each_channel():
    model = kerazoo.build("dlinear", lookback=24, horizon=8, channels=3, individual=True)
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 3 * 2 * (24 * 8 + 8)
    past = np.random.default_rng(0).normal(size=(2, 24, 1)).astype("float32").repeat(3, axis=2)
    forecast = numpy(model(past))
    assert np.abs(forecast[:, :, 0] - forecast[:, :, 1]).max() > 1e-3


def test_dlinear_is_two_linear_layers_on_trend_and_rest():
    model, past = smoke("dlinear")
    trend = numpy(model.get_layer("trend")(past))
    expected = 0
    for part, series in (("seasonal", past - trend), ("trend", trend)):
        kernel, bias = model.get_layer(f"{part}_linear").get_weights()
        expected = expected + np.einsum("btc,th->bhc", series, kernel) + bias[:, None]
    np.testing.assert_allclose(numpy(model(past)), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("dlinear", {"kind": "linear"}, "`kind` must be one of"),
        ("dlinear", {"horizon": 0}, "`horizon` must be a positive integer"),
        ("dlinear", {"window": 24}, "must be odd"),
        ("patchtst", {"patch": 400}, "needs as many in the input"),
        ("patchtst", {"heads": 5}, "`heads` must divide"),
    ],
)
def test_clear_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.build(name, **arguments)


def test_errors_by_step_and_channel():
    truth = np.zeros((2, 3, 2))
    forecast = np.zeros((2, 3, 2))
    forecast[:, 1, 0] = 2.0
    judged = forecasting.errors(forecast, truth)
    assert judged.mse == pytest.approx(4 / 6) and judged.mae == pytest.approx(2 / 6)
    assert judged.mse_by_step.tolist() == [0, 2, 0] and judged.mse_by_channel.tolist() == [4 / 3, 0]
    assert judged.record(["a", "b"])["by_channel"]["b"] == {"mse": 0.0, "mae": 0.0}
    with pytest.raises(ValueError, match="one shape"):
        forecasting.errors(forecast, truth[:1])
    with pytest.raises(ValueError, match="must be finite"):
        forecasting.errors(forecast * np.nan, truth)


def test_backtest_sees_the_past_alone():
    values = np.random.default_rng(0).normal(size=(30, 2))
    seen = []

    def forecast(past):
        seen.append(past.copy())
        past[:] = 0  # A copy: the series stays.
        return np.zeros((len(past), 3, 2))

    before = values.copy()
    _, truth = forecasting.backtest(forecast, values, [10, 20, 27], lookback=5, horizon=3, batch_size=2)
    assert np.array_equal(values, before)
    assert np.array_equal(np.concatenate(seen), np.stack([values[i - 5 : i] for i in (10, 20, 27)]))
    assert np.array_equal(truth, np.stack([values[i : i + 3] for i in (10, 20, 27)]))
    for origins in ([4], [28], []):
        with pytest.raises(ValueError, match="Origins must lie from 5 to 27"):
            forecasting.backtest(forecast, values, origins, lookback=5, horizon=3)
    with pytest.raises(ValueError, match="A forecast must be"):
        forecasting.backtest(lambda past: past, values, [10], lookback=5, horizon=3)


def test_backtest_hands_over_what_is_known_in_advance():
    values, known = np.arange(20.0)[:, None], np.arange(40.0).reshape(20, 2)

    def forecast(inputs):
        assert inputs["past"].shape == (2, 4, 1)
        assert np.array_equal(inputs["known"], np.stack([known[i - 4 : i + 3] for i in (6, 17)]))
        return np.zeros((2, 3, 1, 5))  # Quantiles.

    answers, _ = forecasting.backtest(forecast, values, [6, 17], lookback=4, horizon=3, known=known)
    assert answers.shape == (2, 3, 1, 5)


def test_quantile_scores_of_the_true_quantiles():
    rng, levels = np.random.default_rng(0), [0.1, 0.25, 0.5, 0.75, 0.9]
    truth = rng.normal(size=(200, 10, 2))
    forecast = np.broadcast_to(np.quantile(rng.normal(size=100_000), levels), (*truth.shape, 5))
    scores = forecasting.quantile_scores(forecast, truth, levels)
    np.testing.assert_allclose(scores.below, levels, atol=0.02)
    assert scores.coverage == pytest.approx({0.8: 0.8, 0.5: 0.5}, abs=0.02)
    assert scores.crps < forecasting.quantile_scores(forecast + 0.3, truth, levels).crps
    assert scores.crps < forecasting.quantile_scores(forecast * 2, truth, levels).crps
    assert json.dumps(scores.record())
    with pytest.raises(ValueError, match="Forecasts must be"):
        forecasting.quantile_scores(forecast[..., 0], truth, levels)


def test_error_quantiles_come_from_the_origins_given():
    values = np.concatenate([np.random.default_rng(0).normal(size=400), np.full(50, 1e6)])[:, None]
    spread = forecasting.with_error_quantiles(
        forecasting.last_value(2), values, np.arange(10, 390), [0.1, 0.9], lookback=10, horizon=2
    )
    quantiles = spread(np.zeros((3, 10, 1)))
    assert quantiles.shape == (3, 2, 1, 2)
    np.testing.assert_allclose(quantiles[0, 0, 0], [-1.28 * 2**0.5, 1.28 * 2**0.5], atol=0.3)


def test_calendar_knows_days_weeks_and_years():
    hourly = np.datetime64("2024-01-01T00:00:00") + np.arange(24 * 14) * np.timedelta64(1, "h")
    values, names = calendar(hourly)
    assert names == ["day_sine", "day_cosine", "week_sine", "week_cosine", "year_sine", "year_cosine"]
    np.testing.assert_allclose(values[:24, :2], values[24:48, :2], atol=1e-5)
    np.testing.assert_allclose(values[: 24 * 7, 2:4], values[24 * 7 :, 2:4], atol=1e-5)
    assert values[0].round(4).tolist() == [0, 1, 0, 1, 0, 1]  # A Monday, the first of January.
    assert calendar(hourly[::24])[1] == names[2:]
    assert calendar(hourly, learned_from=24 * 13)[1] == names[:2], "a week seen once teaches nothing"
    assert calendar(hourly, learned_from=24 * 14)[1] == names[:4]
    with pytest.raises(ValueError, match="at least two of them. Received: 47 rows of 3600 s"):
        calendar(hourly, learned_from=47)


def test_naive_forecasters():
    past = np.arange(6.0).reshape(1, 6, 1)
    assert forecasting.last_value(2)(past)[0, :, 0].tolist() == [5, 5]
    assert forecasting.seasonal_naive(4, 3)(past)[0, :, 0].tolist() == [3, 4, 5, 3]
    with pytest.raises(ValueError, match="A season of 7 rows"):
        forecasting.seasonal_naive(4, 7)(past)


def test_exponential_smoothing_follows_a_season():
    pytest.importorskip("statsmodels")
    time = np.arange(84)
    past = np.stack([10 + np.sin(2 * np.pi * time / 12), np.full(84, 3.0)], axis=1)[None]
    forecast = forecasting.exponential_smoothing(12, 12)(past)
    np.testing.assert_allclose(forecast[0, :, 0], 10 + np.sin(2 * np.pi * (84 + np.arange(12)) / 12), atol=0.05)
    assert forecast[0, :, 1].tolist() == [3.0] * 12


def test_the_rate_is_held_and_then_falls():
    schedule = HoldThenDecay(1.0, steps=4, hold=3, factor=0.9)
    assert [round(float(schedule(4 * epoch)), 4) for epoch in range(6)] == [1, 1, 1, 0.9, 0.81, 0.729]
    with pytest.raises(ValueError, match="`factor` in"):
        HoldThenDecay(1.0, steps=4, hold=0, factor=1.5)
