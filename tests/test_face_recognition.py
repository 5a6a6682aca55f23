"""Faces by identity, pairs files, figures of verification and identification, the gallery."""

import numpy as np
import pytest

from kerazoo.data.face_pipeline import change, face_batches
from kerazoo.data.faces import Faces, faces_in, load_faces, read_pairs
from kerazoo.data.locate import data_folder
from kerazoo.evaluate.identification import cumulative_match, one_image_each, ranks, unknown_threshold
from kerazoo.evaluate.verification import (
    accepted,
    all_pairs,
    cosines,
    equal_error_rate,
    fold_accuracy,
    roc,
    threshold_at,
    verification,
)
from kerazoo.faces.alignment import align, similarity, template
from kerazoo.faces.gallery import Gallery

pytest.importorskip("PIL")


def write_face(path, value, *, size=(20, 16)):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, "uint8")).save(path)


@pytest.fixture
def folder(tmp_path):
    for person, count in (("s1", 3), ("s2", 2), ("s10", 1), ("anna", 2)):
        for index in range(1, count + 1):
            name = f"anna_{index:04d}.jpg" if person == "anna" else f"{index}.pgm"
            write_face(tmp_path / "faces" / person / name, 40 * index)
    return tmp_path / "faces"


def test_a_folder_of_people_is_read_in_their_order(folder):
    faces = faces_in(folder, size=(32, 32))
    assert faces.people == ("anna", "s1", "s2", "s10") and faces.pixels.shape == (8, 32, 32, 3)
    assert faces.files[2:5] == ("s1/1.pgm", "s1/2.pgm", "s1/3.pgm")
    assert faces.pixels[2:5, 0, 0, 0].tolist() == [40, 80, 120]
    part = faces.of([3, 1])
    assert part.people == ("s10", "s1") and part.labels.tolist() == [1, 1, 1, 0]
    assert faces.at_most(1).files == ("anna/anna_0001.jpg", "s1/1.pgm", "s2/1.pgm", "s10/1.pgm")


def test_a_damaged_face_is_left_out_and_named(folder):
    content = (folder / "s1" / "2.pgm").read_bytes()
    (folder / "s1" / "2.pgm").write_bytes(content[:100])
    faces = faces_in(folder, size=(32, 32))
    assert [file for file, _ in faces.unreadable] == ["s1/2.pgm"] and len(faces) == 7
    (folder / "pairs.txt").write_text("1\ns1 1 2\ns1 1 s2 1\n")
    with pytest.raises(ValueError, match=r"pairs.txt, line 2: 's1' must have an image.*Unreadable images.*s1/2.pgm"):
        read_pairs(folder / "pairs.txt", faces)


def test_one_image_each_is_too_few(tmp_path):
    for person in ("a", "b", "c"):
        write_face(tmp_path / person / "1.png", 9)
    write_face(tmp_path / "a" / "2.png", 9)
    with pytest.raises(ValueError, match="at least two people with two readable images.*3 people, 1 of them"):
        faces_in(tmp_path, size=(32, 32))
    with pytest.raises(FileNotFoundError, match="a folder for each person"):
        faces_in(tmp_path / "nowhere", size=(32, 32))


def test_a_pairs_file_names_the_pairs(folder):
    faces = faces_in(folder, size=(32, 32))
    path = folder / "pairs.txt"
    path.write_text("2\t1\ns1\t1\t3\ns1\t2\tanna\t2\nanna 1 2\ns2 2 s10 1\n")
    pairs = read_pairs(path, faces)
    named = [(faces.files[i], faces.files[j]) for i, j in zip(pairs.first, pairs.second)]
    assert named[:2] == [("s1/1.pgm", "s1/3.pgm"), ("s1/2.pgm", "anna/anna_0002.jpg")]
    assert pairs.same.tolist() == [True, False, True, False] and pairs.fold.tolist() == [0, 0, 1, 1]
    path.write_text("2\ns1 1 3\ns2 1 2\ns1 2 anna 2\ns2 2 s10 1\n")
    assert read_pairs(path, faces).fold.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "line 1 must have the number of folds"),
        ("ten 3\n", "line 1 must have the number of folds"),
        ("1\ns1 1 2\n", "line 1: 2 pairs must follow. Received: 1"),
        ("1\ns1 1 2\ns1 1\n", "line 3 must be"),
        ("1\ns1 1 2\ns1 1 ana 1\n", "line 3: Unknown person. Did you mean 'anna'"),
        ("1\ns1 1 2\ns1 1 anna 7\n", "line 3: 'anna' must have an image"),
        ("1\ns1 1 1\ns1 1 anna 1\n", "line 2 must name two images"),
    ],
)
def test_a_wrong_line_is_named(folder, text, message):
    faces = faces_in(folder, size=(32, 32))
    (folder / "pairs.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(folder / "pairs.txt", faces)


def test_the_orl_faces():
    if not (data_folder() / "orl_faces.zip").is_file():
        pytest.skip("orl_faces.zip is not in KERAZOO_DATA_DIR")
    faces = load_faces("orl_faces", size=(112, 96))
    assert len(faces) == 400 and faces.people[:2] == ("s1", "s2") and faces.people[-1] == "s40"
    assert np.bincount(faces.labels).tolist() == [10] * 40 and not faces.unreadable


def test_absent_faces_say_where_they_belong(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(ConnectionError, match="orl_faces.zip"):
        load_faces("orl_faces", size=(32, 32))
    with pytest.raises(ValueError, match="Unknown set of faces"):
        load_faces("lfw", size=(32, 32))


@pytest.fixture
def two():
    pixels = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3)).astype("uint8")
    return Faces("two", ("a", "b"), np.array([0, 1], "int32"), pixels, ("a/1", "b/1"))


def test_batches_change_every_time_and_repeat_by_the_seed(two):
    data = face_batches(two, batch_size=8, repeats=4, seed=1)
    first, second = ([batch for batch, _ in data] for _ in range(2))
    assert len(first) == 1 and not np.array_equal(first[0], second[0])
    again = [batch for batch, _ in face_batches(two, batch_size=8, repeats=4, seed=1)]
    np.testing.assert_array_equal(first[0], again[0])
    assert first[0].dtype == "float32" and np.min(first[0]) >= 0 and np.max(first[0]) <= 255
    assert len(np.unique(np.round(first[0]).reshape(8, -1), axis=0)) == 8


def test_a_stretched_face_is_somebody_else(two):
    data = face_batches(two, batch_size=12, repeats=2, stretches=(0.8, 1.0, 1.25))
    _, identities = next(iter(data))
    assert np.bincount(identities).tolist() == [2] * 6


def test_a_change_stretches_about_the_middle(monkeypatch):
    from kerazoo.data import face_pipeline

    for limit in ("TURN", "GROW", "SHIFT", "LIGHT", "CONTRAST", "COVERED"):
        monkeypatch.setattr(face_pipeline, limit, 0.0)
    image = np.zeros((1, 41, 41, 3), "float32")
    image[:, 10:31] = 200
    rows = np.asarray(change(image, np.array([1.5], "float32"), seed=np.array([0, 0])))[0, :, 20, 0]
    assert (rows > 100).sum() in (31, 32, 33) and rows[20] == 200
    np.testing.assert_allclose(rows, rows[::-1], atol=1e-3)


def brute_rates(scores, same, threshold):
    return (scores[~same] >= threshold).mean(), (scores[same] >= threshold).mean()


def test_rates_by_hand():
    rng = np.random.default_rng(0)
    same = rng.random(400) < 0.3
    scores = np.round(rng.normal(size=400) + 1.5 * same, 1)  # With ties.
    far, tar, thresholds = roc(scores, same)
    for place in (1, 7, 20, len(far) - 1):
        assert (far[place], tar[place]) == pytest.approx(brute_rates(scores, same, thresholds[place]))
    rate, threshold = equal_error_rate(scores, same)
    a, b = brute_rates(scores, same, threshold)
    assert min(a, 1 - b) - 0.05 < rate < max(a, 1 - b) + 1e-9
    limit = threshold_at(scores, same, far=0.1)
    assert brute_rates(scores, same, limit)[0] <= 0.1 < brute_rates(scores, same, limit - 0.1)[0]
    assert accepted(scores, same, limit)["far"] == pytest.approx(brute_rates(scores, same, limit)[0])
    figures = verification(scores, same)
    assert figures["tar_at_far"]["0.01"] <= figures["auc"] < 1 and "0.001" not in figures["tar_at_far"]
    from sklearn.metrics import roc_auc_score

    assert figures["auc"] == pytest.approx(roc_auc_score(same, scores))
    with pytest.raises(ValueError, match="pairs of one person and of two"):
        roc(scores, np.ones(400, bool))


def test_between_two_thresholds_the_equal_error_rate_lies_on_the_line():
    """A third, then two thirds of the strangers are accepted, half of the true pairs refused at either."""
    rate, threshold = equal_error_rate([0.9, 0.4, 0.8, 0.5, 0.3], [True, True, False, False, False])
    assert rate == pytest.approx(0.5) and threshold == 0.5


def test_perfect_scores_have_no_error():
    assert equal_error_rate([0.9, 0.8, 0.1], [True, True, False])[0] == 0
    assert verification([0.9, 0.8, 0.1], [True, True, False])["auc"] == 1


def test_accuracy_by_folds_chooses_on_the_others():
    scores = np.array([0.9, 0.2, 0.6, 0.5])
    same = np.array([True, False, True, False])
    found = fold_accuracy(scores, same, [0, 0, 1, 1])
    # From the first fold comes 0.55, from the second 0.55: (0.2 + 0.9) / 2 and (0.5 + 0.6) / 2.
    assert found["folds"] == [1.0, 1.0]
    found = fold_accuracy([0.9, 0.5, 0.4, 0.1], same, [0, 0, 1, 1])
    assert found["folds"] == [0.5, 0.5] and found["accuracy"] == 0.5
    with pytest.raises(ValueError, match="two folds"):
        fold_accuracy(scores, same, [0, 0, 0, 0])


def test_ranks_and_cumulative_match():
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(20, 8)), np.repeat(np.arange(5), 4)
    first, second, same = all_pairs(labels)
    assert same.sum() == 5 * 6 and len(first) == 190
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    matrix = unit @ unit.T
    np.testing.assert_allclose(cosines(embeddings[first], embeddings[second]), matrix[first, second])
    found = one_image_each(matrix, labels)
    assert len(found) == 4 * 15
    probe, gallery = 1, [0, 4, 8, 12, 16]  # The first turn's first probe.
    assert found[0] == 1 + sum(matrix[probe, g] > matrix[probe, 0] for g in gallery)
    curve = cumulative_match(found, 5)
    assert curve[-1] == 1 and (np.diff(curve) >= 0).all()
    with pytest.raises(ValueError, match="Probes must be of enrolled people"):
        ranks(matrix[:1], labels, [7])


def test_an_unknown_threshold_lets_few_strangers_in():
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(205, 16)), np.repeat(np.arange(41), 5)  # A tenth is no whole number.
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    matrix = unit @ unit.T + rng.normal(0, 1e-3, (205, 205))  # No two alike, which a pair would be.
    threshold = unknown_threshold(matrix, labels, false_alarms=0.1)
    highest = np.where(labels[:, None] != labels, matrix, -1).max(axis=1)
    assert 0.08 <= (highest > threshold).mean() <= 0.1


def test_a_gallery_comes_back_as_it_was(tmp_path):
    rng = np.random.default_rng(0)
    gallery = Gallery(threshold=0.6)
    for person in ("Ännä", "ben", "cleo"):
        gallery.enroll(person, rng.normal(size=(2, 8)))
    gallery.enroll("ben", rng.normal(size=8))
    probes = rng.normal(size=(30, 8))
    path = gallery.save(tmp_path / "people.npz")
    again = Gallery.load(path)
    assert again.people == gallery.people and again.threshold == 0.6
    assert [m.nearest for m in again.identify(probes)] == [m.nearest for m in gallery.identify(probes)]
    assert [p.name for p in tmp_path.iterdir()] == ["people.npz"]
    gallery.remove("Ännä")
    assert {match.nearest for match in gallery.identify(probes)} == {"ben", "cleo"} and len(gallery) == 2


def test_a_stranger_is_nobody():
    gallery = Gallery(threshold=0.5)
    gallery.enroll("anna", [1.0, 0.0])
    known, stranger = gallery.identify([[2.0, 0.1], [0.4, 1.0]])
    assert known.person == "anna" and stranger.person is None and stranger.nearest == "anna"


def test_what_a_gallery_refuses(tmp_path):
    gallery = Gallery(threshold=0.5)
    with pytest.raises(ValueError, match="Somebody must be enrolled"):
        gallery.identify([1.0, 0.0])
    for wrong in (np.zeros((1, 4)), np.full((1, 4), np.nan), np.zeros((0, 4)), np.ones((1, 1, 4))):
        with pytest.raises(ValueError, match="Embeddings must be"):
            gallery.enroll("anna", wrong)
    gallery.enroll("anna", np.ones(4))
    with pytest.raises(ValueError, match=r"Embeddings must be \(n, 4\)"):
        gallery.identify(np.ones(3))
    with pytest.raises(ValueError, match="saved as .npz"):
        gallery.save(tmp_path / "people.pickle")
    with pytest.raises(ValueError, match="must be a cosine"):
        Gallery(threshold=2)
    np.savez(tmp_path / "other.npz", people=np.array([{"a": 1}], dtype=object))
    (tmp_path / "torn.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:50])
    for name in ("other.npz", "torn.npz"):
        with pytest.raises(ValueError, match="damaged or no gallery"):
            Gallery.load(tmp_path / name)


def test_alignment_brings_landmarks_to_their_places():
    places = template((112, 112))
    turn = np.deg2rad(25)
    matrix = 1.7 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    landmarks = (places - 56) @ matrix.T + [150, 120]
    found = similarity(landmarks, places)
    np.testing.assert_allclose(landmarks @ found[:, :2].T + found[:, 2], places, atol=1e-9)
    image = np.zeros((260, 300, 3), "uint8")
    for x, y in landmarks.round().astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    for size in ((112, 112), (112, 96)):
        aligned = align(image, landmarks, size=size)[..., 0].astype(float)
        assert aligned.shape == size
        for x, y in template(size):
            left, top = round(x) - 4, round(y) - 4
            patch = aligned[top : top + 9, left : left + 9]
            weights = patch / patch.sum()
            centre = [(weights.sum(0) * np.arange(9)).sum() + left, (weights.sum(1) * np.arange(9)).sum() + top]
            np.testing.assert_allclose(centre, (x, y), atol=0.6)
    with pytest.raises(ValueError, match="one place"):
        similarity(np.ones((5, 2)), places)
    with pytest.raises(ValueError, match="as many"):
        similarity(places[:4], places)
