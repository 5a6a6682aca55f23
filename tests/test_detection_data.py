"""Boxes: formats there and back, files of every format, what is wrong with them, augmentation, average precision."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from kerazoo.data import boxes as box_formats
from kerazoo.data import detection_coco, detection_sets, detection_voc, detection_yolo, voc_xml
from kerazoo.data.decode import decode
from kerazoo.data.detection import Annotations, Flaws, Record, checked

Image = pytest.importorskip("PIL.Image")
CLASSES = ("cat", "dog")


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def annotations(tmp_path):
    """Three images: two boxes, none, one that is to be ignored."""
    rng = np.random.default_rng(0)
    boxes = [[[1, 2, 21, 22], [30, 5, 40, 40]], [], [[0, 0, 64, 48]]]
    sources = [
        save(tmp_path / "images" / f"{i}.png", rng.integers(0, 256, (48, 64, 3)).astype("uint8")) for i in range(3)
    ]
    return Annotations(
        tuple(path.name for path in sources),
        tuple(map(str, sources)),
        np.array([[48, 64]] * 3, "int32"),
        tuple(np.array(rows, "float32").reshape(-1, 4) for rows in boxes),
        (np.array([0, 1], "int32"), np.zeros(0, "int32"), np.array([1], "int32")),
        (np.array([False, False]), np.zeros(0, bool), np.array([True])),
    )


def same(first, second, *, ignored=True, atol=0.01):
    assert [Path(name).name for name in first.names] == [Path(name).name for name in second.names]
    np.testing.assert_array_equal(first.sizes, second.sizes)
    for i in range(len(first)):
        np.testing.assert_allclose(first.boxes[i], second.boxes[i], atol=atol)
        np.testing.assert_array_equal(first.classes[i], second.classes[i])
        if ignored:
            np.testing.assert_array_equal(first.ignored[i], second.ignored[i])


@pytest.mark.parametrize("source", box_formats.FORMATS)
@pytest.mark.parametrize("target", box_formats.FORMATS)
def test_formats_there_and_back(source, target):
    start = np.array([[3.0, 5.0, 30.0, 45.0], [0.0, 0.0, 200.0, 100.0]])
    there = box_formats.convert(start, "xyxy", source, size=(100, 200))
    other = box_formats.convert(there, source, target, size=(100, 200))
    np.testing.assert_allclose(box_formats.convert(other, target, "xyxy", size=(100, 200)), start, atol=1e-9)
    if source.startswith("rel_"):
        assert there.max() <= 1


def test_formats_mean_what_they_say():
    box = np.array([[10.0, 20.0, 30.0, 60.0]])
    expected = {"yxyx": [20, 10, 60, 30], "xywh": [10, 20, 20, 40], "cxcywh": [20, 40, 20, 40]}
    for name, numbers in expected.items():
        assert box_formats.convert(box, "xyxy", name)[0].tolist() == numbers
    assert box_formats.convert(box, "xyxy", "rel_xywh", size=(100, 200))[0].tolist() == [0.05, 0.2, 0.1, 0.4]


def test_a_wrong_format_is_said():
    with pytest.raises(ValueError, match="Did you mean 'cxcywh'"):
        box_formats.convert(np.zeros((1, 4)), "cxywh", "xyxy")
    with pytest.raises(ValueError, match="`size` is needed"):
        box_formats.convert(np.zeros((1, 4)), "rel_xyxy", "xyxy")


def test_coco_there_and_back(annotations, tmp_path):
    file = tmp_path / "annotations.json"
    detection_coco.write_coco(annotations, CLASSES, file, category_ids=(7, 3))
    records, categories = detection_coco.read_coco(file)
    assert list(categories.items()) == [(3, "dog"), (7, "cat")], "numbered by their ids"
    records, _ = detection_coco.read_coco(file, classes={7: 0, 3: 1})
    same(checked(records, Flaws()), annotations)
    with pytest.raises(FileExistsError):
        detection_coco.write_coco(annotations, CLASSES, file)


def test_voc_there_and_back(annotations, tmp_path):
    detection_voc.write_voc(annotations, CLASSES, tmp_path / "images")
    parts, classes = detection_voc.read_voc_folder(tmp_path / "images")
    assert classes == CLASSES
    same(checked(parts["train"], Flaws()), annotations)


def test_voc_counts_from_one():
    xml = (
        b"<annotation><object><name>cat</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>640</xmax><ymax>480</ymax>"
        b"</bndbox></object></annotation>"
    )
    records, _ = detection_voc.read_voc({"a.xml": xml}, lambda name: (name, b""))
    assert records[0].boxes == [(0, 0, 640, 480)]


def test_yolo_there_and_back(annotations, tmp_path):
    detection_yolo.write_yolo(annotations, tmp_path / "labels", scores=[np.ones(len(b)) for b in annotations.boxes])
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    parts, classes = detection_yolo.read_yolo_folder(tmp_path)
    assert classes == CLASSES
    same(checked(parts["train"], Flaws()), annotations, ignored=False)


def test_yolo_by_its_yaml(annotations, tmp_path):
    pytest.importorskip("yaml")
    for part, position in (("train", 0), ("valid", 1)):
        folder = tmp_path / "set" / part
        save(folder / "images" / f"{position}.png", annotations.pixels(position))
        detection_yolo.write_yolo(annotations.take([position]), folder / "labels")
    (tmp_path / "set" / "data.yaml").write_text("names: {0: cat, 1: dog}\ntrain: ../train/images\nval: valid/images\n")
    parts, classes = detection_yolo.read_yolo_folder(tmp_path / "set")
    assert classes == CLASSES and {part: len(found) for part, found in parts.items()} == {"train": 1, "val": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("names: {0: cat, 2: dog}", "every class from 0 on.*'2': 'dog'"),
        ("nc: 3\nnames: [cat, dog]", "every class from 0 on, as many as `nc` says.*nc 3"),
        ("names: [cat, cat]", "different names.*'cat', 'cat'"),
        (": : :", "must be YAML"),
    ],
)
def test_names_that_do_not_number_the_classes_are_refused(annotations, tmp_path, content, message):
    pytest.importorskip("yaml")
    (tmp_path / "data.yaml").write_text(content)
    with pytest.raises(ValueError, match=message) as error:
        detection_sets.from_path(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("names", ["cat\n\ndog\n", "cat\ncat\n"])
def test_lines_of_names_count_the_classes(annotations, tmp_path, names):
    detection_yolo.write_yolo(annotations, tmp_path / "labels")
    (tmp_path / "classes.txt").write_text(names)
    with pytest.raises(ValueError, match="classes.txt, line 2, must have a class's name of its own"):
        detection_sets.from_path(tmp_path)


@pytest.mark.parametrize("format", detection_sets.FORMATS)
def test_a_users_folder_is_recognised(annotations, tmp_path, format):
    folder = tmp_path / "mine"
    for position, name in enumerate(annotations.names):
        save(folder / "images" / name, annotations.pixels(position))
    if format == "coco":
        detection_coco.write_coco(annotations, CLASSES, folder / "annotations.json")
    elif format == "voc":
        detection_voc.write_voc(annotations, CLASSES, folder / "Annotations")
    else:
        detection_yolo.write_yolo(annotations, folder / "labels")
        (folder / "classes.txt").write_text("cat\ndog\n")
    assert detection_sets.detect(folder) == format
    data = detection_sets.from_path(folder)
    assert data.classes == CLASSES and [len(data.train), len(data.validation), len(data.test)] == [1, 1, 1]
    assert "drawn at random" in data.split and format in data.source


def test_parts_of_several_coco_files(annotations, tmp_path):
    for part in ("train", "valid", "test"):
        for position, name in enumerate(annotations.names):
            save(tmp_path / part / name, annotations.pixels(position))
        detection_coco.write_coco(annotations, CLASSES, tmp_path / part / "_annotations.coco.json")
    data = detection_sets.from_path(tmp_path)
    assert [len(data.train), len(data.validation), len(data.test)] == [3, 3, 3]
    assert data.train.counts(2).tolist() == [1, 1], "who is to be ignored does not count"


def test_a_category_has_one_name_in_all_coco_files(annotations, tmp_path):
    for part, classes in (("train", CLASSES), ("test", ("kitten", "dog"))):
        for position, name in enumerate(annotations.names):
            save(tmp_path / part / name, annotations.pixels(position))
        detection_coco.write_coco(annotations, classes, tmp_path / part / "_annotations.coco.json")
    with pytest.raises(ValueError, match="one name in all files: 1 is 'cat' in .*Received: 'kitten' in "):
        detection_sets.from_path(tmp_path)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("categories", {"id": "1"}, "must be all numbers or all texts"),
        ("annotations", {"image_id": [1]}, r"`image_id` must be a number or text. Received: \[1\] in .*annotation 1"),
        ("annotations", {"category_id": {"a": 1}}, "`category_id` must be a number or text.*annotation 1"),
        ("images", {"width": "wide"}, '"height" and "width" in .* must be numbers'),
    ],
)
def test_coco_of_odd_types_is_refused_in_one_line(annotations, tmp_path, key, change, message):
    content = detection_coco.as_coco(annotations, CLASSES)
    content[key][0] |= change
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        detection_sets.from_path(tmp_path / "boxes.json")


@pytest.mark.parametrize("rows", [5, "bbox", [5], [None], {"a": 1}])
def test_a_folder_whose_coco_file_has_no_list_of_annotations(tmp_path, rows):
    (tmp_path / "boxes.json").write_text(json.dumps({"images": [], "annotations": rows, "categories": []}))
    with pytest.raises(ValueError, match='"annotations" in .*boxes.json must be a list of objects'):
        detection_sets.from_path(tmp_path)


def test_coco_numbers_written_as_text(annotations, tmp_path):
    content = detection_coco.as_coco(annotations, CLASSES)
    for row in content["images"]:
        row |= {"height": str(row["height"]), "width": str(row["width"])}
    for row in content["annotations"]:
        row["iscrowd"] = str(row["iscrowd"])
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    records, _ = detection_coco.read_coco(tmp_path / "boxes.json")
    same(checked(records, Flaws()), annotations)


def test_an_object_of_voc_has_a_class():
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    with pytest.raises(ValueError, match=r"`name`.*Received: none in 0.xml, object 1"):
        voc_xml.parse_annotation(f"<annotation><object><name/>{box}</object></annotation>".encode(), "0.xml")


def test_entities_are_not_expanded():
    bomb = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;">]><annotation>&y;</annotation>'
    with pytest.raises(ValueError, match="bomb.xml must have no document type"):
        detection_voc.read_voc({"bomb.xml": bomb}, lambda name: (name, b""))
    with pytest.raises(ValueError, match="bomb.xml must have no document type"):
        detection_voc.read_voc({"bomb.xml": bomb.decode().encode("utf-16")}, lambda name: (name, b""))
    with pytest.raises(ValueError, match="cut.xml must be XML"):
        detection_voc.read_voc({"cut.xml": b"<annotation><obj"}, lambda name: (name, b""))


def test_unknown_classes_are_named_with_their_place(annotations, tmp_path):
    detection_coco.write_coco(annotations, CLASSES, tmp_path / "a.json")
    with pytest.raises(
        ValueError, match=r"`category_id` must be one of 1 \(cat\). Received: 2 in a.json, annotation 2"
    ):
        detection_coco.read_coco(tmp_path / "a.json", classes={1: 0})
    detection_voc.write_voc(annotations, CLASSES, tmp_path / "images")
    contents = {"0.xml": (tmp_path / "images" / "0.xml").read_bytes()}
    with pytest.raises(ValueError, match="'dog'.*In 0.xml, object 2"):
        detection_voc.read_voc(contents, lambda name: (name, b""), classes=("cat",))
    detection_yolo.write_yolo(annotations, tmp_path / "labels")
    with pytest.raises(ValueError, match=r"The class must be 0 to 0 \(cat\). Received: 1 in 0.txt, line 2"):
        detection_yolo.read_yolo(annotations.sources, ("cat",))


@pytest.mark.parametrize("line", ["0 0.1 0.2 0.3", "0 10 20 30 40", "cat 0.1 0.2 0.3 0.4", "0 nan 0.2 0.3 0.4"])
def test_a_line_that_is_no_box(annotations, tmp_path, line):
    (tmp_path / "images" / "0.txt").write_text("0 0.5 0.5 0.1 0.1\n" + line)
    with pytest.raises(ValueError, match="in 0.txt, line 2"):
        detection_yolo.read_yolo(annotations.sources[:1], CLASSES)


def test_boxes_outside_and_of_no_area(tmp_path):
    source = save(tmp_path / "a.png", np.zeros((10, 20, 3), "uint8"))
    boxes = [(1, 1, 5, 5), (-4, 2, 8, 30), (3, 3, 3, 9), (30, 1, 40, 5), (0, 0, 20.4, 10)]
    places = [f"a.xml, object {i}" for i in range(1, 6)]
    record = Record("a.png", str(source), boxes=boxes, classes=[0, 1, 0, 0, 1], places=places)
    flaws = Flaws()
    found = checked([record], flaws)
    assert found.boxes[0].tolist() == [[1, 1, 5, 5], [0, 2, 8, 10], [0, 0, 20, 10]]
    assert found.classes[0].tolist() == [0, 1, 1]
    assert flaws.clipped == [places[1]] and flaws.dropped == [places[2], places[3]]
    assert "2 boxes of no area are left out: a.xml, object 3" in flaws.lines()[1]
    record.boxes[0] = (np.inf, 1, 5, 5)
    with pytest.raises(ValueError, match="four finite numbers.*a.xml, object 1"):
        checked([record], Flaws())


def test_an_image_without_objects_stays(annotations):
    from kerazoo.data.detection_pipeline import Letterboxes, batches

    pixels, targets = next(iter(batches(Letterboxes(annotations, (32, 32)), batch_size=3)))
    assert targets["classes"].numpy().tolist() == [[0, 1], [-1, -1], [-1, -1]]
    assert not targets["boxes"].numpy()[1:].any() and pixels.shape == (3, 32, 32, 3)


def test_pictures_of_every_kind(tmp_path):
    sideways = np.zeros((10, 20, 3), "uint8")
    sideways[:, 10:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # The camera was turned: left is up.
    upright = decode(save(tmp_path / "turned.jpg", sideways, exif=exif, quality=100))
    assert upright.shape == (20, 10, 3) and upright[:8].max() < 20 and upright[12:].min() > 235
    deep = np.arange(0, 65536, 4096, dtype="uint16").reshape(4, 4)
    assert decode(save(tmp_path / "deep.png", deep))[..., 0].tolist() == (deep >> 8).tolist()
    grey = decode(save(tmp_path / "grey.png", np.full((4, 4), 77, "uint8")))
    assert grey.shape == (4, 4, 3) and (grey == 77).all()


def test_images_that_cannot_be_used_are_named(tmp_path):
    whole = save(tmp_path / "cut.jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8"))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    fine = save(tmp_path / "fine.png", np.zeros((10, 20, 3), "uint8"))
    records = [
        Record("cut.jpg", str(whole)),
        Record("missing.jpg", str(tmp_path / "missing.jpg")),
        Record("turned.png", str(fine), stated=(20, 10)),
        Record("fine.png", str(fine), stated=(10, 20)),
    ]
    flaws = Flaws()
    assert checked(records, flaws).names == ("fine.png",)
    reasons = dict(flaws.unreadable)
    assert "truncated" in reasons["cut.jpg"] and "missing.jpg" in reasons
    assert reasons["turned.png"] == "its annotation says 10x20 pixels, upright it has 20x10"


def test_bccd_is_upstreams(monkeypatch):
    archive = Path(os.environ.get("KERAZOO_DATA_DIR", Path(__file__).parents[2] / "shared" / "data")) / "bccd.zip"
    if not archive.is_file():
        pytest.skip("bccd.zip is not in KERAZOO_DATA_DIR")
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(archive.parent))
    data = detection_sets.load("bccd")
    assert [len(data.train), len(data.validation), len(data.test)] == [205, 87, 72]
    assert sum(part.counts(3) for part in (data.train, data.validation, data.test)).tolist() == [4153, 372, 361]
    places = ["Annotations/BloodImage_00343.xml, object 4", "Annotations/BloodImage_00338.xml, object 13"]
    assert data.flaws.dropped == places and not data.flaws.clipped
    assert json.dumps(data.record())


def test_bccd_offline_says_what_to_do(tmp_path, monkeypatch):
    from kerazoo.data import download

    def no_network(*_, **__):
        raise TimeoutError("no network")

    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(download.urllib.request, "urlopen", no_network)
    with pytest.raises(ConnectionError, match="codeload.github.com.*put the file at.*KERAZOO_DATA_DIR"):
        detection_sets.load("bccd")
    with pytest.raises(ValueError, match="Did you mean 'bccd'"):
        detection_sets.load("bcd")
