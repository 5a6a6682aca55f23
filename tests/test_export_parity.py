"""What exported files are judged by: scores by log-probabilities, values by values, detectors box by box."""

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.exporters import parity
from kerazoo.exporters.detector import Detector

KINDS = list(parity.TOLERANCES)


def judged(received, wanted, form, kind=("tflite", None)):
    return parity.compare({"y": received}, {"y": wanted}, kind=kind, classifier={"y": form} if form else {})


def softmax(values):
    shares = np.exp(values - values.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(200, 50), (4, 50, 50), (2, 8, 8, 50)])
def test_scores_are_judged_alike_whatever_is_added_to_a_row(shape, kind):
    """Logits near -100 hid noise that changes half of the answers."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=shape)
    noisy = logits + 0.5 * rng.normal(size=shape)
    same = np.mean(noisy.argmax(-1) == logits.argmax(-1))
    for shift in (0.0, -100.0, 1e3, 50 * rng.normal(size=(*shape[:-1], 1))):
        found = judged((noisy + shift).astype("float32"), (logits + shift).astype("float32"), "softmax", kind)
        assert found.problem and "in its log-probabilities" in found.problem
        assert same <= found.agreement < same + 0.1 and found.agreement < 0.75
        other = judged((logits + shift + 7).astype("float32"), (logits - shift).astype("float32"), "softmax", kind)
        assert other.problem is None and other.agreement == 1
    assert judged(softmax(noisy), softmax(logits), "softmax", kind).problem
    assert judged(softmax(logits), softmax(logits), "softmax", kind).problem is None


def test_rounding_of_a_large_constant_is_no_difference():
    wanted = (np.random.default_rng(0).normal(0, 0.01, (50, 9)) - 100).astype("float32")
    rounded = np.nextafter(wanted, np.float32(0))
    assert judged(rounded, wanted, "softmax", ("saved_model", None)).problem is None
    assert judged(wanted + np.float32(0.01) * np.eye(9, dtype="float32")[0], wanted, "softmax").problem


def test_masked_classes_do_not_set_the_scale():
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=(50, 9)).astype("float32")
    for mask in (-65504.0, -1e9, np.finfo("float32").min):
        wanted[:, 4] = mask
        noisy = wanted + np.float32(0.01) * rng.normal(size=wanted.shape).astype("float32") * (wanted > -1e4)
        assert judged(wanted.copy(), wanted, "softmax").max_relative_error == 0
        assert judged(noisy, wanted, "softmax").problem
    assert judged(np.where(wanted < -1e4, np.float32(0), wanted), wanted, "softmax").problem


@pytest.mark.parametrize("form", [None, "sigmoid"])
def test_a_constant_is_an_error_where_values_mean_something(form):
    rng = np.random.default_rng(0)
    for wanted in (rng.normal(size=(50, 4)), rng.normal(size=(50, 1)), softmax(rng.normal(size=(50, 4)))):
        found = judged(wanted + 0.01, wanted, form)
        assert found.problem and "in its values" in found.problem
    wanted = rng.uniform(size=(50, 4))  # Of several labels each may be true: a row's sum means nothing.
    assert "in its values" in judged(wanted + 0.01, wanted, "softmax").problem
    assert judged(np.log(softmax(wanted)) + 0.01, np.log(softmax(wanted)), "softmax").problem, "no longer of sum 1"
    assert judged(0.99 * softmax(wanted), softmax(wanted), "softmax").problem
    assert judged(rng.normal(size=(50, 1)) - 1, np.ones((50, 1)), "softmax").problem


def test_units_agree_on_the_side_of_the_threshold():
    wanted = np.array([[3.0, -2.0], [0.001, 2.0]])
    assert parity.agreement_of_units(wanted * [1, -1], wanted) == 0.5
    assert parity.agreement_of_units(-wanted, wanted) == 0.25, "0.001 is near the threshold"
    assert parity.agreement_of_units(np.array([[0.6], [0.2]]), np.array([[0.9], [0.6]])) == 0.5
    several = judged(np.array([[5.0, 4.0, -3.0]]), np.array([[5.0, -4.0, -3.0]]), "sigmoid", ("tflite", "int8"))
    assert several.agreement == pytest.approx(2 / 3) and several.problem


def test_places_of_answers_are_judged_over_the_text():
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=(8, 30, 2)).astype("float32")
    assert judged(wanted + np.array([5, -70], "float32"), wanted, "span").problem is None
    assert judged(wanted + 0.01 * rng.normal(size=(8, 30, 1)), wanted, "span").problem, "of both columns alike"
    assert judged(wanted[:, ::-1], wanted, "span").agreement < 0.5


def test_a_good_head_does_not_excuse_another_one():
    """An 8-bit file whose classes agree passed with any values of a second output."""
    rng = np.random.default_rng(0)
    wanted = {"classes": rng.normal(size=(20, 5)), "value": rng.normal(size=(20, 1))}
    received = wanted | {"value": -wanted["value"]}
    found = parity.compare(received, wanted, kind=("tflite", "int8"), classifier={"classes": "softmax"})
    assert "'value' has a relative error" in found.problem and "same answer" not in found.problem


def test_scores_are_known_by_losses_and_labels():
    x = keras.Input((4,), name="x")
    heads = [keras.layers.Dense(units, name=name)(x) for name, units in (("kind", 3), ("price", 3), ("tags", 3))]
    model = keras.Model(x, dict(zip(("kind", "price", "tags"), heads)))
    sizes = dict.fromkeys(("kind", "price", "tags"), 3)
    losses = ("sparse_categorical_crossentropy", "mse", keras.losses.BinaryCrossentropy(from_logits=True))
    model.compile(loss=dict(zip(("kind", "price", "tags"), losses)))
    assert parity.score_outputs(model, {}, sizes) == {"kind": "softmax", "tags": "sigmoid"}
    several = keras.Model(x, heads)
    several.compile(loss=list(losses))
    assert parity.score_outputs(several, {}, sizes) == {"kind": "softmax", "tags": "sigmoid"}
    assert parity.score_outputs(keras.Model(x, heads[0]), {"labels": ["a", "b", "c"]}, {"kind": 3}) == {
        "kind": "softmax"
    }
    assert parity.score_outputs(keras.Model(x, heads[0]), {"labels": ["a", "b"]}, {"kind": 1}) == {"kind": "softmax"}
    assert parity.score_outputs(keras.Model(x, heads[0]), {"labels": ["a", "b"]}, {"kind": 3}) == {}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("lenet5", "softmax"),
        ("gpt_nano", "softmax"),
        ("transformer_tiny", "softmax"),
        ("pointer_generator", "softmax"),
        ("bidaf", "span"),
        ("bilstm_crf", None),
        ("dlinear", None),
    ],
)
def test_scores_of_kerazoos_models(name, form):
    model = kerazoo.build(name)
    (output,) = model.outputs
    assert parity.score_outputs(model, {}, {"y": output.shape[-1]}).get("y") == form


def detector(seed=0, **options):
    from kerazoo.decoding import with_boxes

    model = kerazoo.build("yolov8_n", num_classes=2, input_shape=(64, 64, 3), seed=seed)
    return with_boxes(model, **options)


@pytest.fixture(scope="module")
def untrained():
    """A detector whose scores are nearly equal, what it finds, and all that it chooses from."""
    model = detector(score_threshold=0.001, max_detections=20)
    x = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype("float32")
    parts = Detector(model)
    found, heads = (
        {name: np.array(value) for name, value in one(x, training=False).items()} for one in (model, parts.heads)
    )
    return parts, found, heads, {"image": x}


def test_boxes_may_be_chosen_otherwise_where_scores_are_nearly_equal(untrained):
    parts, found, heads, x = untrained
    kind = ("tflite", None)
    exact = parts.compare(found, heads, x, kind)
    assert exact.problem is None and exact.agreement == 1 and exact.max_relative_error < 1e-6
    rng = np.random.default_rng(1)
    for _ in range(5):  # Rounding by up to half the tolerance, before suppression.
        moved = {
            name: (value + 0.5e-4 * value.max() * rng.uniform(-1, 1, value.shape)).astype("float32")
            for name, value in heads.items()
        }
        again = {name: np.array(value) for name, value in parts.suppression(moved["boxes"], moved["scores"]).items()}
        assert parts.compare(again, heads, x, kind).problem is None


@pytest.mark.parametrize(
    "fault", ["box", "score", "class", "missing", "doubled", "threshold", "overlap", "nothing", "nan"]
)
def test_other_boxes_than_the_models_are_errors(untrained, fault):
    parts, found, heads, x = untrained
    wrong = {name: value.copy() for name, value in found.items()}
    if fault == "box":
        wrong["boxes"][0, 0] += 0.05
    if fault == "score":
        wrong["scores"][0, 0] *= 1.001
    if fault == "class":
        wrong["classes"][0, 0] = 1 - wrong["classes"][0, 0]
    if fault == "missing":
        for value in wrong.values():
            value[0, :-1] = value[0, 1:].copy()
        wrong["classes"][0, -1] = -1
    if fault == "doubled":
        for value in wrong.values():
            value[0, 1] = value[0, 0]
    if fault in ("threshold", "overlap"):
        from kerazoo.layers.non_maximum_suppression import NonMaximumSuppression

        options = {"score_threshold": 0.001, "iou_threshold": 0.5, "max_detections": 20}
        options |= {"score_threshold": 0.9} if fault == "threshold" else {"iou_threshold": 1.0}
        other = NonMaximumSuppression(**options)(heads["boxes"], heads["scores"])
        wrong = {name: np.array(value) for name, value in other.items()}
    if fault == "nothing":
        wrong["classes"][:] = -1
    if fault == "nan":
        wrong["scores"][0, 0] = np.nan
    assert parts.compare(wrong, heads, x, ("tflite", None)).problem


def test_an_untrained_detector_is_exported(tmp_path):
    """No box scores above the threshold: what comes before suppression is compared instead of nothing."""
    report = kerazoo.export(detector(score_threshold=0.9), tmp_path, formats="saved_model")
    assert "before suppression was compared" in report.files[0].notes[-1]
    assert report.files[0].max_relative_error is not None and report.files[0].agreement is None


def test_faults_before_suppression_are_found_where_no_box_is(tmp_path, monkeypatch):
    whole = kerazoo.exporters.writing.saved_model.write

    def other(interface, folder, **options):  # Every file is written of other weights.
        if interface.model.name.endswith("_heads"):
            interface = type(interface)(Detector(detector(seed=1)).heads)
        whole(interface, folder, **options)

    monkeypatch.setattr(kerazoo.exporters.writing.saved_model, "write", other)
    with pytest.raises(kerazoo.exporters.ExportError, match="Before suppression: .* relative error"):
        kerazoo.export(detector(score_threshold=0.9), tmp_path / "new", formats="saved_model")
    assert not (tmp_path / "new").exists()


def test_letterboxed_boxes_are_held_against_the_originals():
    model = detector(score_threshold=0.001, max_detections=20, letterboxed=True)
    parts, rng = Detector(model), np.random.default_rng(0)
    inputs = {
        "image": rng.uniform(0, 255, (2, 64, 64, 3)).astype("float32"),
        "sizes": np.array([[480, 640], [100, 50]], "float32"),
    }
    found = {name: np.array(value) for name, value in model(inputs).items()}
    heads = {name: np.array(value) for name, value in parts.heads(inputs["image"]).items()}
    assert parts.compare(found, heads, inputs, ("tflite", None)).problem is None
    found["boxes"][1, 0] += 0.5
    assert parts.compare(found, heads, inputs, ("tflite", None)).problem


def test_int8_of_a_detector_with_suppression_is_refused(tmp_path):
    """TensorFlow's converter dies of it, with no word on what to do."""
    x = np.zeros((2, 64, 64, 3), "float32")
    with pytest.raises(ValueError, match="export the detector itself, whose raw heads become boxes"):
        kerazoo.export(detector(), tmp_path / "new", formats=(), quantize="int8", representative_data=x)
    assert not (tmp_path / "new").exists()
