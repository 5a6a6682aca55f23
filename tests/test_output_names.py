"""The output of a model with one output says what it is: its name is the endpoint's of every export."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import catalog

# Task -> what the one output may be called.
NAMES = {
    "forecasting": {"forecast", "distribution"},
    "question_answering": {"span_logits"},
    "sentence_embedding": {"embedding"},
    "series_classification": {"logits"},
    "summarisation": {"logits", "log_probabilities"},
    "tabular": {"logits"},
}


def one_of_each_file():
    """The first name of every file with models of these tasks."""
    found = {}
    for name in kerazoo.list_models():
        facts = kerazoo.info(name)
        if facts["task"] in NAMES:
            found.setdefault((facts["task"], facts["module"], facts["builder"]), name)
    return list(found.values())


@pytest.mark.parametrize("name", one_of_each_file())
def test_an_output_is_called_what_it_is(name):
    entry = catalog.entry(name)
    if entry.module.rpartition(".")[2] in ("keras_hub_span", "sentence_encoder"):
        pytest.importorskip("keras_hub")
    model = kerazoo.build(name, **entry.smoke)
    assert set(model.output_names) <= NAMES[entry.task]


def test_a_forecaster_saved_under_the_earlier_names_still_loads(tmp_path):
    """Files without the naming layer at the end: what a saved graph holds counts, not what is built today."""
    model = kerazoo.build("tcn", seed=0, **catalog.entry("tcn").smoke)
    earlier = keras.Model(model.input, model.get_layer("forecast").input, name="tcn")
    earlier.save(tmp_path / "earlier.keras")
    earlier.save_weights(tmp_path / "earlier.weights.h5")
    past = np.random.default_rng(0).normal(size=(2, 24, 3)).astype("float32")
    loaded = keras.saving.load_model(tmp_path / "earlier.keras", compile=False)
    assert loaded.output_names == ["reversible_normalization"]
    np.testing.assert_array_equal(loaded(past), model(past))
    again = kerazoo.build("tcn", weights=tmp_path / "earlier.weights.h5", **catalog.entry("tcn").smoke)
    np.testing.assert_allclose(again(past), model(past), atol=1e-6)


def test_the_exports_of_a_forecaster_name_the_forecast(tmp_path):
    model = kerazoo.build("tcn", seed=0, **catalog.entry("tcn").smoke)
    path = kerazoo.export(model, tmp_path / "tcn", formats=("saved_model",), verify=False).path
    assert list(kerazoo.load(path).signature.outputs) == ["forecast"]
