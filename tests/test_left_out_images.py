"""WebP is read and TIFF named as left out by every application that takes pictures, in training and in prediction."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
from PIL import Image

import kerazoo
from kerazoo import cli
from kerazoo.data.faces import faces_in
from kerazoo.data.folders import from_folder
from kerazoo.data.mask_folders import from_mask_folder as masks_in
from kerazoo.data.pictures import read_pictures

TIFF = ".png, .bmp, .gif, .webp: convert it, for instance to PNG"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def picture(path, seed=0):
    """Noise, lossless where the kind can be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3)).astype("uint8")
    Image.fromarray(pixels).save(path, **({"lossless": True} if path.suffix == ".webp" else {}))
    return pixels


@pytest.mark.parametrize("read", [from_folder, faces_in])
def test_training_data(tmp_path, read):
    for seed, name in enumerate(f"{c}/{i}.webp" for c in "ab" for i in range(8)):
        picture(tmp_path / "data" / name, seed)
    picture(tmp_path / "data/a/scan.tiff"), picture(tmp_path / "data/b/named_so.png", 40)
    Path("data/b/named_so.png").write_bytes(Path("data/a/scan.tiff").read_bytes())
    data = read(tmp_path / "data", size=(24, 32))
    reasons = dict(data.unreadable)
    (tiff,) = [reason for name, reason in reasons.items() if name.endswith("a/scan.tiff")]
    assert tiff.startswith("not one of .jpg") and tiff.endswith(": convert it, for instance to PNG")
    (other,) = [reason for name, reason in reasons.items() if name.endswith("b/named_so.png")]
    assert other.endswith("its content is TIFF: convert it, for instance to PNG") and len(reasons) == 2


def test_images_of_masks(tmp_path):
    for i in range(6):
        picture(tmp_path / f"data/images/{i}.webp", i)
        Image.fromarray(np.full((24, 32), i % 2, "uint8")).save(_made(tmp_path / f"data/masks/{i}.png"))
    picture(tmp_path / "data/images/scan.tif")
    data = masks_in(tmp_path / "data", size=(24, 32))
    assert sum(map(len, (data.train, data.validation, data.test))) == 6
    assert any(name.endswith("scan.tif") and reason.endswith(TIFF) for name, reason in data.unreadable)


def test_pictures_for_styles(tmp_path):
    pixels = picture(tmp_path / "photos/a.webp")
    picture(tmp_path / "photos/b.tiff")
    pictures, left_out = read_pictures(tmp_path / "photos", side=24)
    np.testing.assert_array_equal(pictures[0], pixels)
    assert [name for name, _ in left_out] == ["b.tiff"] and left_out[0][1].endswith(TIFF)


@pytest.mark.parametrize(
    "argv",
    [
        ["face_recognition", "--photograph=scan.tiff"],
        ["style_transfer", "--content=scan.tiff", "--style=scan.tiff"],
        ["style_transfer", "--content=good.webp", "--style=scan.tiff"],
    ],
)
def test_a_single_file_is_named_in_the_error(argv, capsys):
    picture(Path("scan.tiff")), Image.new("RGB", (80, 80)).save("good.webp")
    assert cli.main(["run", *argv]) == 2
    said = capsys.readouterr().err
    assert "kerazoo: scan.tiff: not a readable image: " in said and "TIFF: convert it, for instance to PNG" in said
    assert not Path("runs").exists()


@pytest.fixture
def detector(monkeypatch):
    """An export that finds nothing."""
    shape = (None, 64, 64, 3)
    found = {"boxes": np.zeros((1, 1, 4)), "scores": np.zeros((1, 1)), "classes": np.full((1, 1), -1)}
    signature = SimpleNamespace(inputs={"image": SimpleNamespace(shape=shape)}, outputs=dict.fromkeys(found))
    facts = {"signature": signature, "labels": ["a"], "metadata": {}, "path": "export", "engine": "none"}
    stub = type("Stub", (SimpleNamespace,), {"__call__": lambda self, pixels: found})(**facts)
    monkeypatch.setattr(kerazoo, "load", lambda path: stub, raising=False)
    return ["run", "object_detection", "--from=export"]


def test_prediction_reads_webp_and_names_what_it_leaves_out(detector, capsys):
    picture(Path("photos/a.webp")), picture(Path("photos/b/scan.tiff")), picture(Path("photos/c.png"))
    Path("photos/damaged.jpg").write_bytes(b"\xff\xd8\xff"), Path("photos/notes.txt").write_text("")
    assert cli.main([*detector, "--predict=photos", "--out=found"]) == 1
    printed = capsys.readouterr().out
    record = json.loads(Path("found/run.json").read_text())
    assert record["images"] == 2 and len(record["left_out"]) == 2
    for name in ("b/scan.tiff: not one of", "damaged.jpg: not a readable image"):
        assert f"left out: {name}" in printed and any(said.startswith(name) for said in record["left_out"])
    assert "left out: notes.txt" in printed
    assert sorted(path.name for path in Path("found/images").iterdir()) == ["a.webp.png", "c.png"]


def test_prediction_with_other_files_beside_the_images_succeeds(detector):
    picture(Path("photos/a.webp")), Path("photos/notes.txt").write_text("")
    assert cli.main([*detector, "--predict=photos"]) == 0


@pytest.mark.parametrize("place", ["photos", "photos/scan.tiff", "damaged.jpg"])
def test_prediction_without_a_readable_image_is_an_error(detector, place, capsys):
    picture(Path("photos/scan.tiff")), Path("damaged.jpg").write_bytes(b"\xff\xd8\xff")
    assert cli.main([*detector, f"--predict={place}"]) == 2
    said = capsys.readouterr().err
    assert (
        "`--predict` must have" in said
        and f"Left out: {'damaged.jpg' if place == 'damaged.jpg' else 'scan.tiff'}" in said
    )
    assert not any(Path("runs").rglob("*/*/")), "a failed start leaves no run"


def _made(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
