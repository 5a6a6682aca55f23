"""MTCNN: equal to the package mtcnn, its weights read without running a pickle, faces found and aligned."""

import importlib.util
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

import kerazoo
from kerazoo.faces import detector as detection
from kerazoo.faces.alignment import align, template

NETWORKS = {"mtcnn_pnet": 12, "mtcnn_rnet": 24, "mtcnn_onet": 48}


@pytest.fixture(scope="module")
def package():
    """The package, which reads its own weights by joblib."""
    pytest.importorskip("lz4")
    return pytest.importorskip("mtcnn")


@pytest.fixture(scope="module")
def astronaut():
    """Eileen Collins (NASA, in the public domain), a file of scikit-image, which is not imported."""
    spec = importlib.util.find_spec("skimage")
    path = spec and Path(spec.submodule_search_locations[0]) / "data" / "astronaut.png"
    if not path or not path.is_file():
        pytest.skip("scikit-image's astronaut.png is not installed")
    from kerazoo.data.decode import decode

    return decode(path)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_answer_as_the_package(package, name):
    from mtcnn import stages

    stage = {"p": stages.StagePNet, "r": stages.StageRNet, "o": stages.StageONet}[name[6]]()
    side = NETWORKS[name] if name != "mtcnn_pnet" else 40
    rng = np.random.default_rng(0)
    images = (rng.uniform(0, 255, (6, 1, 1, 3)) + rng.uniform(-60, 60, (6, side, side, 3))).clip(0, 255)
    wanted = stage.model(((images - 127.5) / 128).astype("float32"))
    received = kerazoo.build(name, weights="mtcnn")(images.astype("float32"))
    keys = ("box", "face") if len(wanted) == 2 else ("box", "landmarks", "face")
    for key, value in zip(keys, wanted):
        value = np.asarray(value)[..., 1] if key == "face" else np.asarray(value)
        assert np.ptp(value) > 1e-3
        np.testing.assert_allclose(received[key], value, atol=1e-4 * max(np.abs(value).max(), 1))


def test_boxes_are_the_packages(package, astronaut):
    for image in (astronaut, astronaut[20:320, 90:420]):
        wanted = package.MTCNN().detect_faces(image, box_format="xyxy", output_type="numpy")
        received = detection.FaceDetector().detect(image)
        assert len(received) == len(wanted) >= 1
        for face, row in zip(received, wanted):
            np.testing.assert_allclose(face.box, row[1:5], atol=0.01)
            np.testing.assert_allclose(face.score, row[5], atol=1e-4)
            np.testing.assert_allclose(face.landmarks, row[6:].reshape(2, 5).T, atol=0.01)


def test_a_face_is_found_and_aligned(package, astronaut):
    finder = detection.FaceDetector()
    (face,) = finder.detect(astronaut)
    left, top, right, bottom = face.box
    assert 150 < left < 200 and 50 < top < 90 and 250 < right < 290 and 160 < bottom < 210 and face.score > 0.99
    eye, other = face.landmarks[:2]
    assert left < eye[0] < other[0] < right and top < eye[1] < face.landmarks[2, 1] < face.landmarks[3, 1] < bottom
    found = finder.detect(align(astronaut, face.landmarks, size=(224, 224)))
    np.testing.assert_allclose(found[0].landmarks, template((224, 224)), atol=14)
    assert finder.detect(np.full((64, 80, 3), 127)) == [] and finder.detect(np.zeros((8, 8, 3))) == []


def untrained(monkeypatch):
    """A detector without the package's weights."""
    build = kerazoo.build
    monkeypatch.setattr(kerazoo, "build", lambda name, weights: build(name, seed=0))
    return detection.FaceDetector()


def test_what_a_detector_refuses(monkeypatch):
    finder = untrained(monkeypatch)
    with pytest.raises(ValueError, match=r"`image` must be \(H, W, 3\)"):
        finder.detect(np.zeros((32, 32)))
    for wrong in ({"smallest": 4}, {"thresholds": (0.5, 0.5)}, {"thresholds": (0, 1, 2)}):
        with pytest.raises(ValueError, match="`smallest` must be at least 12"):
            detection.FaceDetector(**wrong)


def test_of_two_that_overlap_the_surer_stays():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [2, 2, 8, 8]], float)
    scores = np.array([0.8, 0.9, 0.7, 0.6])
    assert detection._apart(boxes, scores, 0.5).tolist() == [1, 2, 3]
    assert detection._apart(boxes, scores, 0.5, smaller=True).tolist() == [1, 2]
    assert detection._square(np.array([[0.0, 0, 4, 10]])).tolist() == [[-3, 0, 7, 10]]


def test_absent_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    find = importlib.util.find_spec
    from kerazoo.data import named_files

    monkeypatch.setattr(named_files, "find_spec", lambda name: None if name == "mtcnn" else find(name))
    with pytest.raises(FileNotFoundError, match="pip install --no-deps mtcnn==1.0.0"):
        kerazoo.build("mtcnn_pnet", weights="mtcnn")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "pnet.lz4").write_bytes(b"something else")
    with pytest.raises(ValueError, match="must have sha256 ea6b0c3e"):
        kerazoo.build("mtcnn_pnet", weights="mtcnn")


class Evil:
    """A pickle of this asks for a command to be run."""

    def __reduce__(self):
        return print, ("it ran",)


@pytest.mark.parametrize("content", [[Evil()], [1, 2], {"a": 1}, "torn"])
def test_a_pickle_with_anything_else_is_refused(content, tmp_path, capsys):
    frame = pytest.importorskip("lz4.frame")
    from kerazoo.weights.joblib_arrays import read_arrays

    raw = frame.compress(pickle.dumps(content))
    path = tmp_path / "weights.lz4"
    path.write_bytes(raw[: len(raw) // 2] if content == "torn" else raw)
    with pytest.raises(ValueError, match="damaged or refused"):
        read_arrays(path)
    assert "it ran" not in capsys.readouterr().out


def test_arrays_come_back_as_joblib_wrote_them(tmp_path):
    frame, joblib = pytest.importorskip("lz4.frame"), pytest.importorskip("joblib")
    from kerazoo.weights.joblib_arrays import read_arrays

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype("float32") for shape in ((3, 3, 2), (5,), (1, 1, 4))]
    buffer = io.BytesIO()
    joblib.dump(arrays, buffer)
    (tmp_path / "weights.lz4").write_bytes(frame.compress(buffer.getvalue()))
    for wanted, received in zip(arrays, read_arrays(tmp_path / "weights.lz4"), strict=True):
        np.testing.assert_array_equal(wanted, received)


def test_every_window_teaches_what_its_kind_can():
    model = kerazoo.build("mtcnn_onet", seed=0)
    answers = {"face": np.full(1, 0.25, "float32"), "box": np.full((1, 4), 0.5, "float32")}
    answers["landmarks"] = np.full((1, 10), 0.5, "float32")
    row = np.zeros((1, 15), "float32")
    wanted = {1: -np.log(0.25) + 0.5 * 0.25, 0: -np.log(0.75), -1: 0.5 * 0.25, -2: 0.25}
    for kind, loss in wanted.items():
        row[0, 0] = kind
        np.testing.assert_allclose(float(model.compute_loss(y=row, y_pred=answers)), loss, rtol=1e-5)
