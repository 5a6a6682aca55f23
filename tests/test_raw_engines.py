"""`raw` of whatever engine was loaded, and what is said of texts and bytes that a model of numbers is given."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kerazoo

FILE = tf.io.encode_png(np.zeros((8, 8, 3), "uint8")).numpy()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    image = keras.Input((8, 8, 3), name="image")
    logits = keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling2D()(image))
    root = tmp_path_factory.mktemp("root")
    kerazoo.export(
        keras.Model(image, logits), root, quantize="dynamic", signature="raw", metadata={"labels": ["dark", "light"]}
    )
    return root


@pytest.mark.parametrize("engine", ["auto", "saved_model", "tflite"])
def test_raw_answers_whichever_engine_is_loaded(exported, engine, monkeypatch):
    if engine == "auto":
        monkeypatch.setattr("kerazoo.engines._choose", lambda found: "tflite")
    served = kerazoo.load(exported, engine)
    assert served.raw([FILE])["labels"].shape == (1, 2) == served(np.zeros((1, 8, 8, 3), "float32")).shape
    assert kerazoo.load(served.path, "auto").raw([FILE])["labels"].shape == (1, 2)


def test_raw_names_the_engine_where_it_cannot_choose_one(exported, tmp_path):
    quantised = kerazoo.load(exported, "tflite_dynamic")
    with pytest.raises(ValueError, match=r'engine="saved_model".*Received: .*tflite_dynamic'):
        quantised.raw([FILE])
    alone = tmp_path / "model.tflite"
    alone.write_bytes(Path(exported, "1", "model.tflite").read_bytes())
    with pytest.raises(ValueError, match=r'signature="raw"'):
        kerazoo.load(alone).raw([FILE])


@pytest.mark.parametrize("engine", ["saved_model", "tflite"])
@pytest.mark.parametrize(
    "given",
    [
        FILE,
        [FILE],
        "a film",
        ["a film"],
        np.array(["a", "b"]),
        np.array([FILE], object),
        {"image": [FILE]},
        Path("x.png"),
    ],
)
def test_texts_and_bytes_are_sent_to_raw(exported, engine, given):
    with pytest.raises(ValueError, match=r"takes numbers.*`\.raw`.*Received: ") as raised:
        kerazoo.load(exported, engine)(given)
    assert "\n" not in str(raised.value)
    if isinstance(given, dict):
        with pytest.raises(ValueError, match=r"`\.raw`"):
            kerazoo.load(exported, engine)(**given)


@pytest.mark.parametrize("given", [FILE, "a film", [1, 2], np.zeros((1, 8, 8, 3), "float32"), 3, [[FILE]]])
def test_raw_refuses_what_is_no_list_of_files(exported, given):
    with pytest.raises(ValueError, match="must be a list of texts, or of image files' bytes. Received: "):
        kerazoo.load(exported).raw(given)
