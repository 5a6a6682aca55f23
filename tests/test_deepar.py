"""DeepAR: likelihoods as SciPy has them, draws with their moments, and each step fed what it should be."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.layers.distribution import DISTRIBUTIONS, draw, rescale
from kerazoo.losses.likelihood import NegativeLogLikelihood, log_gamma

SIZES = {"lookback": 12, "horizon": 5, "channels": 2, "units": 8, "depth": 2}


def build(**arguments):
    return kerazoo.build("deepar", seed=0, **(SIZES | arguments))


def window(*, seed=0, **shapes):
    rng = np.random.default_rng(seed)
    past = rng.gamma(2.0, 1.0, (3, 12, 2)).astype("float32")
    return past, rng.gamma(2.0, 1.0, (3, 5, 2)).astype("float32")


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_log_gamma():
    special = pytest.importorskip("scipy.special")
    x = np.geomspace(1e-3, 1e4, 200).astype("float32")
    # float32 holds seven digits of the largest term.
    np.testing.assert_allclose(numpy(log_gamma(x)), special.gammaln(x), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_the_loss_is_the_likelihood(distribution):
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    mean, spread, degrees = rng.uniform(0.5, 9, 50), rng.uniform(0.2, 2, 50), rng.uniform(2.1, 30, 50)
    counts = rng.poisson(mean)
    theirs, ours, truth = {
        "gaussian": (stats.norm(mean, spread).logpdf, [mean, spread], rng.normal(mean, spread)),
        "student_t": (stats.t(degrees, mean, spread).logpdf, [mean, spread, degrees], rng.normal(mean, spread)),
        "negative_binomial": (stats.nbinom(1 / spread, 1 / (1 + mean * spread)).logpmf, [mean, spread], counts),
    }[distribution]
    received = NegativeLogLikelihood(distribution)(truth.astype("float32"), np.stack(ours, -1).astype("float32"))
    assert float(received) == pytest.approx(-theirs(truth).mean(), rel=1e-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_draws_have_the_moments(distribution):
    parameters = np.broadcast_to(
        np.float32([3.0, 0.5, 9.0][: len(DISTRIBUTIONS[distribution])]), (40_000, 2 + (distribution == "student_t"))
    )
    drawn = numpy(draw(distribution, parameters, seed=1))
    variance = {"gaussian": 0.25, "student_t": 0.25 * 9 / 7, "negative_binomial": 3 + 0.5 * 9}[distribution]
    # Five standard errors of 40,000 draws.
    assert drawn.mean() == pytest.approx(3, abs=5 * (variance / 40_000) ** 0.5)
    assert drawn.var() == pytest.approx(variance, rel=0.07)
    if distribution == "negative_binomial":
        assert (drawn == np.round(drawn)).all() and drawn.min() == 0


def test_rescaled_parameters_are_those_of_larger_values():
    parameters = np.float32([[2.0, 0.5, 7.0]])
    np.testing.assert_allclose(numpy(rescale("student_t", parameters, np.float32([[10.0]]))), [[20.0, 5.0, 7.0]])
    parameters = numpy(rescale("negative_binomial", parameters[:, :2], np.float32([[4.0]])))
    np.testing.assert_allclose(parameters, [[8.0, 0.25]])


def test_alone_it_is_fed_its_own_mean():
    model, (past, _) = build(), window()
    alone = numpy(model(past))
    fed = numpy(model.network(past, future=alone[..., 0]))
    assert fed.shape == (3, 12 + 5 - 1, 2, 3)
    np.testing.assert_allclose(fed[:, 11:], alone, rtol=1e-5, atol=1e-6)


def test_no_step_sees_its_own_value_or_a_later_one():
    model, (past, future) = build(), window()
    before = numpy(model.network(past, future=future))
    future[:, 2:] += 1.0
    after = numpy(model.network(past, future=future))
    np.testing.assert_allclose(after[:, : 11 + 3], before[:, : 11 + 3], rtol=1e-6)  # The third is fed the second.
    assert np.abs(after[:, 11 + 3] - before[:, 11 + 3]).max() > 1e-3


def test_what_is_known_counts_for_its_own_step():
    model, (past, _) = build(known=1), window()
    known = np.zeros((3, 17, 1), "float32")
    before = numpy(model({"past": past, "known": known}))
    known[:, 14] = 2.0  # The third step ahead.
    after = numpy(model({"past": past, "known": known}))
    np.testing.assert_allclose(after[:, :2], before[:, :2], rtol=1e-6)
    assert np.abs(after[:, 2] - before[:, 2]).max() > 1e-3


def test_the_size_of_the_past_is_that_of_the_forecast():
    model, (past, _) = build(distribution="gaussian"), window()
    np.testing.assert_allclose(numpy(model(past * 100)), numpy(model(past)) * 100, rtol=1e-4)
    assert np.isfinite(numpy(model(past * 0))).all()


def test_paths_follow_the_distribution_and_their_seed():
    model, (past, _) = build(distribution="gaussian"), window()
    paths = numpy(model.draw_paths(past, paths=4000, seed=1))
    assert paths.shape == (3, 4000, 5, 2)
    mean, deviation = np.moveaxis(numpy(model(past))[:, 0], -1, 0)
    np.testing.assert_allclose(paths[:, :, 0].mean(1), mean, atol=5 * deviation.max() / 4000**0.5)
    np.testing.assert_allclose(paths[:, :, 0].std(1), deviation, rtol=0.08)
    np.testing.assert_array_equal(paths, numpy(model.draw_paths(past, paths=4000, seed=1)))
    assert np.abs(paths - numpy(model.draw_paths(past, paths=4000, seed=2))).min(axis=1).max() > 0
    # Each draw is fed back: what comes second leans on what came first.
    first, second = paths[0, :, 0, 0], paths[0, :, 1, 0]
    fed = np.concatenate([past, np.full((3, 1, 2), first.max(), "float32")], axis=1)
    high = numpy(model.network(past, future=np.repeat(fed[:, -1:], 5, axis=1)))[0, 12, 0, 0]
    low = numpy(model.network(past, future=np.full((3, 5, 2), first.min(), "float32")))[0, 12, 0, 0]
    assert np.sign(np.corrcoef(first, second)[0, 1]) == np.sign(high - low)


def test_loaded_it_draws_the_same(tmp_path):
    model, (past, future) = build(), window()
    model.fit(past, future, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        numpy(loaded.draw_paths(past, paths=3, seed=5)), numpy(model.draw_paths(past, paths=3, seed=5))
    )
    assert loaded.evaluate(past, future, verbose=0) == pytest.approx(model.evaluate(past, future, verbose=0))


def test_counts_are_learnt():
    """A negative binomial fitted to the whole series is what it must beat: the rate here follows a wave."""
    rng = np.random.default_rng(0)
    rates = 6 + 5 * np.sin(np.arange(17) * 0.8 + rng.uniform(0, 6.3, (64, 1)))
    counts = rng.poisson(rates).astype("float32")[..., None]
    model = build(distribution="negative_binomial", channels=1, dropout=0.0, learning_rate=0.02, units=16)
    model.fit(counts[:, :12], counts[:, 12:], epochs=40, batch_size=32, verbose=0)
    mean, variance = counts.mean(), counts.var()
    same = np.broadcast_to(np.float32([mean, (variance - mean) / mean**2]), (64, 5, 1, 2))
    naive = float(NegativeLogLikelihood("negative_binomial")(counts[:, 12:], same))
    assert model.evaluate(counts[:, :12], counts[:, 12:], verbose=0) < naive - 0.15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"distribution": "gausian"}, "Did you mean 'gaussian'"), ({"units": 0}, "`units` must be a positive integer")],
)
def test_clear_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
