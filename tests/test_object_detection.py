"""The application of object detection: trained, judged and exported whole at smoke size; its predictions on files."""

import json
from pathlib import Path

import numpy as np
import pytest

import kerazoo
from kerazoo.data import detection_coco
from kerazoo.data.boxes import Letterbox
from kerazoo.data.detection import Annotations
from kerazoo.evaluate import detection_answers

for needed in ("sklearn", "matplotlib", "PIL", "ai_edge_litert"):
    pytest.importorskip(needed)

CLASSES = ("red", "blue")
TINY = ["--option=width=0.0625", "--option=widest=128", "--option=bins=3", "--size=64", "--batch-size=4", "--epochs=2"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Runs and exports go where the test is over with them."""
    monkeypatch.chdir(tmp_path)


def painted(rng):
    """A dark image, 60x80, with a red and a blue box; the boxes."""
    pixels = rng.integers(0, 40, (60, 80, 3)).astype("uint8")
    boxes = []
    for channel, left in ((0, 0), (2, 40)):
        x, y = left + rng.integers(0, 12), rng.integers(0, 30)
        w, h = rng.integers(18, 28, 2)
        pixels[y : y + h, x : x + w, channel] = 240
        boxes.append((x, y, x + w, y + h))
    return pixels, np.array(boxes, "float32")


@pytest.fixture
def photos(tmp_path):
    """A folder of sixteen images with COCO annotations."""
    from PIL import Image

    rng, boxes = np.random.default_rng(0), []
    folder = tmp_path / "photos"
    folder.mkdir()
    names = tuple(f"<{i:02d}>.png" for i in range(16))
    for name in names:
        pixels, corners = painted(rng)
        Image.fromarray(pixels).save(folder / name)
        boxes.append(corners)
    annotations = Annotations(
        names,
        tuple(str(folder / name) for name in names),
        np.array([[60, 80]] * 16, "int32"),
        tuple(boxes),
        tuple(np.array([[0, 1]] * 16, "int32")),
        tuple(np.zeros((16, 2), bool)),
    )
    detection_coco.write_coco(annotations, CLASSES, folder / "annotations.json")
    return folder


def test_from_boxes_to_a_report_and_predictions_on_files(photos, capsys):
    (photos / "broken.png").write_bytes(b"no image")
    argv = [f"--data={photos}", "--model=yolov8_n", *TINY, "--augment=flip,mosaic,colour", "--learning-rate=0.01"]
    record = kerazoo.run("object_detection", [*argv, "--export=out"])
    folder = Path("runs/object_detection/photos-yolov8_n-1")
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    assert record["dataset"]["classes"] == list(CLASSES) and record["training"]["epochs_run"] == 2
    assert [record["dataset"][part] for part in ("train", "validation", "test")] == [12, 1, 3]
    assert {"val_map50", "val_map", "val_loss"} <= set(record["training"]["history"][0])
    exports = {row["form"]: row for row in record["exports"]}
    assert set(exports) == {"saved_model", "tflite"}
    for row in exports.values():
        assert row["same_boxes"] > 0.98 and abs(row["map50"] - record["test"]["map50"]) < 0.02
    assert record["baselines"][0]["map50"] > 0.9, "the colours tell the painted boxes apart"
    page = (folder / "report.html").read_text()
    assert page.count("data:image/jpeg") >= 3 and "&lt;" in page and "<00>" not in page
    printed = capsys.readouterr().out
    for said in ("Mean average precision on the 3 test images", "colours and connected areas", "TFLite float32"):
        assert said in printed
    found = kerazoo.run("object_detection", [f"--predict={photos}", "--from=out", "--score=0", "--out=found"])
    assert found["images"] == 16 and found["unreadable"][0][0] == "broken.png"
    rows = json.loads(Path("found/detections.json").read_text())["images"]
    assert rows[0]["file"] == "<00>.png" and rows[0]["width"] == 80 and (Path("found") / rows[0]["copy"]).is_file()
    for box in (b["box"] for row in rows for b in row["boxes"]):
        assert 0 <= box[0] < box[2] <= 80 and 0 <= box[1] < box[3] <= 60, "in the image's own pixels"
    with pytest.raises(FileExistsError, match="never overwritten"):
        kerazoo.run("object_detection", [f"--predict={photos}", "--from=out", "--out=found"])


def test_answers_are_in_the_pixels_of_the_image():
    """A detector that finds the bright part of its canvas: what it finds lies there in the image too."""

    def detector(pixels):
        rows, columns = np.nonzero(pixels[0, ..., 0] > 200)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        boxes = np.array([[box, [0, 0, 0, 0]]], "float32")
        return {"boxes": boxes, "scores": np.array([[0.9, 0.0]]), "classes": np.array([[1, -1]])}

    image = np.zeros((300, 200, 3), "uint8")
    image[60:120, 30:90] = 255
    found = detection_answers.answer(detector, image, (96, 128))
    assert found["classes"].tolist() == [1]
    np.testing.assert_allclose(found["boxes"], [[30, 60, 90, 120]], atol=3.2)
    place = Letterbox((300, 200), (96, 128))
    on_bars = {"boxes": np.array([[0, 0, 10, 96.0]]), "scores": np.array([0.5]), "classes": np.array([0])}
    assert not len(detection_answers.in_image(on_bars, place)["boxes"]), "boxes on the bars are none"


def test_same_boxes():
    from kerazoo.evaluate.detection import same_boxes

    one = {"boxes": np.array([[0, 0, 10, 10.0]]), "scores": np.array([0.9]), "classes": np.array([0])}
    assert same_boxes([one], [one]) == 1 and same_boxes([one], [one | {"classes": np.array([1])}]) == 0
    assert same_boxes([one], [one | {"boxes": one["boxes"] + 1}]) == 0


def test_exported_boxes_are_compared_whatever_their_order():
    from kerazoo.exporters.parity import compare, is_vacuous

    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (2, 60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 50, (2, 60, 2))], axis=-1).astype("float32")
    scores = np.sort(rng.uniform(0.1, 1, (2, 60)).astype("float32"))[:, ::-1]
    reference = {"boxes": boxes, "scores": scores, "classes": rng.integers(0, 3, (2, 60)).astype("int32")}
    swapped = {name: value[:, [1, 0, *range(2, 60)]] for name, value in reference.items()}
    assert compare(swapped, reference, kind=("tflite", None), classifier=True).problem is None
    for name, wrong in (("boxes", boxes + 0.1), ("scores", scores * 0.99), ("classes", reference["classes"] + 1)):
        found = compare(reference | {name: wrong}, reference, kind=("tflite", None), classifier=True)
        assert "of the boxes" in found.problem and found.agreement < 0.5
    none = reference | {"classes": np.full((2, 60), -1, "int32")}
    assert compare(none, reference, kind=("tflite", None), classifier=True).agreement == 0
    nothing = compare(none, none, kind=("tflite", None), classifier=True)
    assert "neither the model nor the file finds a box" in nothing.problem and nothing.agreement is None
    assert is_vacuous({"image": np.arange(2.0)}, {name: value * (name == "classes") for name, value in none.items()})


def test_exported_boxes_are_compared_one_to_one():
    from kerazoo.exporters.parity import compare

    boxes = np.tile(np.array([[0, 0, 10, 10.0]], "float32"), (1, 60, 1)) + np.arange(60, dtype="float32")[:, None]
    reference = {"boxes": boxes, "scores": np.full((1, 60), 0.5, "float32"), "classes": np.zeros((1, 60), "int32")}
    one_off, two_off = boxes.copy(), boxes.copy()
    one_off[0, 0], two_off[0, :2] = 30, 30
    kept = compare(reference | {"boxes": one_off}, reference, kind=("tflite", None), classifier=True)
    assert kept.problem is None and kept.agreement == pytest.approx(59 / 60)
    assert kept.max_relative_error > 0.1, "the worst box is reported"
    lost = compare(reference | {"boxes": two_off}, reference, kind=("tflite", None), classifier=True)
    assert lost.problem and lost.max_relative_error > 0.1
    doubled = reference | {"boxes": np.repeat(boxes[:, :30], 2, axis=1)}  # Near, but half of them.
    assert compare(doubled, reference, kind=("tflite", None), classifier=True).agreement == 0.5
    fewer = reference | {"classes": np.where(np.arange(60) < 30, 0, -1)[None].astype("int32")}
    found = compare(fewer, reference, kind=("tflite", None), classifier=True)
    assert found.agreement == 0.5 and found.max_relative_error == 10


def test_a_video_is_annotated(tmp_path):
    av = pytest.importorskip("av")
    from kerazoo.applications.detection_video import annotate

    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in (0, 100, 200):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), value, "uint8"), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (tmp_path / "out").mkdir()
    rows = annotate(
        tmp_path / "in.mp4", tmp_path / "out", lambda pixels: ([{"mean": int(pixels.mean())}], 255 - pixels)
    )
    assert [row["frame"] for row in rows] == [0, 1, 2] and rows[0]["width"] == 64
    with av.open(str(tmp_path / "out" / "in.mp4")) as container:
        means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    np.testing.assert_allclose(means, [255, 155, 55], atol=8)
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(ValueError, match="must be a video"):
        annotate(tmp_path / "no.mp4", tmp_path / "out", None)


@pytest.mark.parametrize(
    "argv, error, message",
    [
        (["--dataset=bcd"], ValueError, "Did you mean 'bccd'"),
        (["--data=nowhere"], FileNotFoundError, "nowhere"),
        (["--model=yolov8_m2"], ValueError, "Did you mean"),
        (["--model=resnet18"], ValueError, "must be one for object_detection"),
        (["--size=wide"], ValueError, "`--size` must be a side"),
        (["--plain=2"], ValueError, "`--plain` must be in"),
        (["--iou-threshold=1"], ValueError, "`--iou-threshold` must be between"),
        (["--augment=flop"], ValueError, "Did you mean 'flip'"),
        (["--score=0.5"], ValueError, "`--score` goes with --predict"),
        (["--predict=."], ValueError, "needs the exported detector"),
        (["--predict=nowhere", "--from=out"], FileNotFoundError, "nowhere"),
        (["--format=voc"], ValueError, "`--format` goes with --data"),
        (["--resume"], FileNotFoundError, "There is no run to resume"),
    ],
)
def test_what_a_user_gets_wrong(argv, error, message):
    with pytest.raises(error, match=message):
        kerazoo.run("object_detection", argv)


@pytest.mark.slow
def test_ctrl_c_saves_and_the_run_goes_on(photos, monkeypatch, capsys):
    import keras

    original = keras.callbacks.CallbackList.on_epoch_begin

    def raising(self, index, logs=None):
        if index == 1:
            raise KeyboardInterrupt
        return original(self, index, logs)

    argv = [f"--data={photos}", *TINY, "--augment=none"]
    with monkeypatch.context() as stopped:
        stopped.setattr(keras.callbacks.CallbackList, "on_epoch_begin", raising)
        with pytest.raises(KeyboardInterrupt):
            kerazoo.run("object_detection", argv)
    again = capsys.readouterr().out.strip().splitlines()[-1].split()
    record = kerazoo.run("object_detection", again[3:])
    assert record["training"]["epochs_run"] == 2
