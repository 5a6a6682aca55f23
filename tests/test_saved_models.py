"""The committed export is served as a user would serve it, and answers as its card says."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import kerazoo

FOLDER = Path(__file__).parents[1] / "saved_models" / "digits"


@pytest.fixture(scope="module")
def test_split():
    """(images, labels) of the digits' test split."""
    pytest.importorskip("sklearn")
    from kerazoo.data.named import load
    from kerazoo.data.pipeline import batches

    data = load("digits", size=(32, 32))
    images, labels = zip(*batches(data.test, size=(32, 32), batch_size=64).as_numpy_iterator())
    return np.concatenate(images), np.concatenate(labels)


@pytest.mark.parametrize("engine", ["saved_model", "tflite", "tflite_int8"])
def test_every_engine_scores_what_the_card_says(engine, test_split):
    images, labels = test_split
    serve = kerazoo.load(FOLDER, engine=engine)
    accuracy = (serve(images).argmax(-1) == labels).mean()
    # One image of 359: the quantised kernels differ between processors.
    assert accuracy == pytest.approx(0.9833, abs=0.003)
    assert serve.labels == [str(digit) for digit in range(10)]


def test_engines_agree(test_split):
    images, _ = test_split
    expected = kerazoo.load(FOLDER, engine="saved_model")(images)
    received = kerazoo.load(FOLDER)(images)
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())


def test_raw_endpoint_reads_a_png(test_split):
    """Bytes in, labels and scores out, as TensorFlow Serving calls it."""
    tf = pytest.importorskip("tensorflow")
    images, labels = test_split
    loaded = tf.saved_model.load(str(FOLDER / "1"))
    raw = loaded.signatures["raw"]
    encoded = tf.io.encode_png(tf.cast(images[0], "uint8")).numpy()
    answer = raw(**{next(iter(raw.structured_input_signature[1])): tf.constant([encoded])})
    best = {key: value for key, value in answer.items() if value.dtype == tf.string}
    assert next(iter(best.values())).numpy()[0][0].decode() == str(labels[0])


def test_a_copy_elsewhere_is_enough(tmp_path, test_split):
    images, _ = test_split
    shutil.copy(FOLDER / "1" / "model.tflite", tmp_path / "model.tflite")
    np.testing.assert_array_equal(
        kerazoo.load(tmp_path / "model.tflite")(images[:3]), kerazoo.load(FOLDER, engine="tflite")(images[:3])
    )
