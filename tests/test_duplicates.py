"""Images that two splits share: equal ones, near ones, what is no duplicate, and what --drop-duplicates leaves."""

import io

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from kerazoo.applications import duplicate_images
from kerazoo.applications.vision import face_recognition, image_classification, object_detection, semantic_segmentation
from kerazoo.data import duplicates
from kerazoo.data.duplicates import find, fingerprints, pairs

RNG = np.random.default_rng(0)


def scene(seed, side=64):
    """A made-up photograph: large and small shapes in colours."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), "uint8")).resize((side, side), Image.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (16, 16, 3), "uint8")).resize((side, side), Image.BILINEAR)
    return (0.6 * np.asarray(coarse) + 0.4 * np.asarray(fine)).astype("uint8")


def as_jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def smaller(pixels):
    height, width = pixels.shape[:2]
    half = Image.fromarray(pixels).resize((width // 2, height // 2), Image.BILINEAR)
    return np.asarray(half.resize((width, height), Image.BICUBIC))


CHANGES = {
    "equal": lambda p: p.copy(),
    "JPEG of quality 40": lambda p: as_jpeg(p, 40),
    "half the size": smaller,
    "brighter": lambda p: np.clip(p * 1.15, 0, 255).astype("uint8"),
    "darker": lambda p: (p * 0.8).astype("uint8"),
    "grey": lambda p: np.asarray(Image.fromarray(p).convert("L").convert("RGB")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_image_is_known_again_among_others(change):
    train = np.stack([scene(i) for i in range(100)])
    test = np.stack([CHANGES[change](train[i]) for i in (7, 42, 99)] + [scene(i) for i in range(200, 220)])
    found = pairs(fingerprints([test]), fingerprints([train[:50], train[50:]]))
    assert list(zip(found.first, found.second)) == [(0, 7), (1, 42), (2, 99)]
    assert (found.equal == (change == "equal")).all()


def test_other_images_are_no_duplicates():
    flat = [np.full((16, 16, 3), value, "uint8") for value in range(0, 250, 10)]
    colours = [np.broadcast_to(np.array(c, "uint8"), (16, 16, 3)) for c in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    noise = list(RNG.integers(0, 256, (20, 16, 16, 3), "uint8"))
    mirrored = [scene(1, 16)[:, ::-1], scene(1, 16)]
    images = np.stack([*flat, *colours, *noise, *mirrored])
    prints = fingerprints([images])
    found = pairs(prints, prints)
    assert (found.first == found.second).all() and found.equal.all() and len(found.first) == len(images)


def test_scanned_digits_of_one_kind_are_no_duplicates():
    digits = pytest.importorskip("sklearn.datasets").load_digits().images
    pixels = np.repeat((digits * 255 / 16).astype("uint8")[..., None], 3, axis=-1)
    assert not len(pairs(fingerprints([pixels[:400]]), fingerprints([pixels[400:]])).first)


def test_many_equal_images_cost_no_more_than_their_number():
    black = np.zeros((20_000, 8, 8, 3), "uint8")
    found = pairs(fingerprints([black]), fingerprints([black]))
    assert len(found.first) < 40_001 and len(np.unique(found.first)) == len(np.unique(found.second)) == 20_000


def test_near_ones_are_not_looked_for_among_too_many(monkeypatch):
    image = scene(3)
    first, second = fingerprints([image[None]]), fingerprints([np.stack([as_jpeg(image, 50), image])])
    assert pairs(first, second).second.tolist() == [1, 0]
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 1)
    assert pairs(first, second).second.tolist() == [1]


def splits():
    """Ten training images; two of them are in validation, one equal; three in test, two equal; one of those in both."""
    train = [scene(i) for i in range(10)]
    validation = [train[0], as_jpeg(train[1], 60), scene(50)]
    test = [train[0], train[2], smaller(train[3]), scene(60), scene(61)]
    images = {"train": train, "validation": validation, "test": test}
    return {name: ([f"{name}/{i}.png" for i in range(len(p))], [np.stack(p)]) for name, p in images.items()}


def test_what_is_found_is_counted_and_named(capsys):
    kept, record = duplicate_images.check(splits(), drop=False)
    said = capsys.readouterr().out
    assert "Warning: 2 of 3 validation images are among the training images too (1 equal, 1 near)" in said
    assert "validation/0.png = train/0.png; validation/1.png ~ train/1.png" in said
    assert "3 of 5 test images are among the training images too (2 equal, 1 near)" in said
    assert "1 of 5 test images are among the validation images too (1 equal, 0 near)" in said
    assert "--drop-duplicates leaves those 4 training images out" in said
    assert kept.tolist() == list(range(10)) and record["dropped_from_training"] == 0
    assert record["splits"][1] == {
        "split": "test",
        "also_in": "train",
        "equal": 2,
        "near": 1,
        "examples": [["test/0.png", "train/0.png"], ["test/1.png", "train/2.png"], ["test/2.png", "train/3.png"]],
    }


def test_what_is_dropped_leaves_no_duplicate(capsys):
    parts = splits()
    kept, record = duplicate_images.check(parts, drop=True)
    assert kept.tolist() == [4, 5, 6, 7, 8, 9] and record["dropped_from_training"] == 4
    assert "4 training images that validation or test have too are left out" in capsys.readouterr().out
    names, (pixels,) = parts["train"]
    assert not len(find(parts | {"train": (np.array(names)[kept], [pixels[kept]])}).training)
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    with pytest.raises(ValueError, match=r"must leave training images. Received: none for the classes \['cat'\]"):
        duplicate_images.check(parts, drop=True, labels=labels, classes=("cat", "dog"))
    with pytest.raises(ValueError, match="none for training"):
        duplicate_images.check(dict.fromkeys(parts, parts["test"]), drop=True)


def test_clean_splits_are_passed_over_in_silence(capsys):
    parts = {
        name: ([f"{i}" for i in range(4)], [np.stack([scene(n * 10 + i) for i in range(4)])])
        for n, name in enumerate(duplicates.SPLITS)
    }
    kept, record = duplicate_images.check(parts, drop=True)
    assert len(kept) == 4 and not record["dropped_from_training"] and capsys.readouterr().out == ""


# The applications


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("held", [True, False], ids=["in memory", "in files"])
def test_the_same_image_six_times_in_a_class_folder(tmp_path, monkeypatch, capsys, held):
    monkeypatch.setattr("kerazoo.data.folders.fits", lambda size: held)
    for label, name in enumerate(("cat", "dog")):
        for i in range(30):
            save(tmp_path / "pets" / name / f"{i}.png", scene(100 * label + i // 6))
    argv = ["--data", str(tmp_path / "pets"), "--model", "lenet5", "--image-size", "32"]
    data = image_classification.load(image_classification.settle(image_classification.parse_args(argv)))
    said = capsys.readouterr().out
    assert f"of {len(data.test)} test images are among the training images too ({len(data.test)} equal, 0 near)" in said
    assert "pets/cat/" in said and len(data.duplicates["splits"]) == 3
    for i in range(10):
        save(tmp_path / "pets" / "cat" / f"other{i}.png", scene(1000 + i))
        save(tmp_path / "pets" / "dog" / f"other{i}.png", scene(2000 + i))
    arguments = image_classification.settle(image_classification.parse_args([*argv, "--drop-duplicates"]))
    data = image_classification.load(arguments)
    assert data.duplicates["dropped_from_training"] > 20 and len(data.train) + len(data.test) < 60
    shared = {"train": data.train, "validation": data.validation, "test": data.test}
    content = {name: {(tmp_path / n).read_bytes() for n in part.names} for name, part in shared.items()}
    assert not content["train"] & (content["test"] | content["validation"])


def test_masks_boxes_and_faces_are_looked_at_too(tmp_path, capsys):
    for part, seeds in (("train", range(8)), ("val", (20, 21)), ("test", (0, 30))):
        for seed in seeds:
            save(tmp_path / "road" / part / "images" / f"{seed}.png", scene(seed))
            save(
                tmp_path / "road" / part / "masks" / f"{seed}.png",
                (np.arange(64 * 64) % 2).astype("uint8").reshape(64, 64),
            )
            save(tmp_path / "boxes" / "images" / part / f"{seed}.png", scene(seed))
            labels = tmp_path / "boxes" / "labels" / part / f"{seed}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text("0 0.5 0.5 0.4 0.4\n")
    (tmp_path / "boxes" / "classes.txt").write_text("thing\n")
    for person in range(8):
        for i in range(3):
            save(
                tmp_path / "staff" / f"p{person}" / f"{i}.png",
                scene(0 if (person, i) in ((0, 0), (7, 2)) else 100 * person + i),
            )
    for application, argv in (
        (semantic_segmentation, ["--data", str(tmp_path / "road"), "--batch-size", "4"]),
        (object_detection, ["--data", str(tmp_path / "boxes"), "--size", "64"]),
        (face_recognition, ["--data", str(tmp_path / "staff"), "--size", "64", "64", "--batch-size", "8"]),
    ):
        arguments = application.settle(application.parse_args([*argv, "--drop-duplicates"]))
        loaded = application.load(arguments)
        said = capsys.readouterr().out
        assert "test images are among the training images too (1 equal, 0 near)" in said, application.TASK
        assert "1 training images that validation or test have too are left out" in said
        parts = (
            loaded[1] if application is object_detection else loaded[0] if application is face_recognition else loaded
        )
        train = parts["train"] if isinstance(parts, dict) else parts.train
        assert len(train) == (7 if application is not face_recognition else 11)
