"""Users' files in every reader: hidden, linked, broken, missing, misnamed, there twice; and parts of their own."""

import json
import os
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kerazoo.data import conll_files, corpora, document_files, labelled_text_files, parallel_files
from kerazoo.data.detection import file_names
from kerazoo.data.detection_sets import from_path
from kerazoo.data.faces import faces_in, read_pairs
from kerazoo.data.folders import from_folder
from kerazoo.data.mask_folders import from_mask_folder
from kerazoo.data.pictures import read_pictures
from kerazoo.data.walk import walk

Image = pytest.importorskip("PIL.Image")
ROOT, TOPS = Path(__file__).parents[1], ("kerazoo/data", "kerazoo/faces", "applications")
SIZE = (8, 8)
BOX = "<object><name>{}</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>{}</xmax><ymax>20</ymax></bndbox></object>"


def picture(path, value=90, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, "uint8")).save(path)
    return path


def mask(path, value=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.pad(np.full((4, 8), value, "uint8"), ((0, 4), (0, 0)))).save(path)


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def classes(root, names=("cat", "dog"), count=6):
    for position, name in enumerate(names):
        for i in range(count):
            picture(root / name / f"{i}.png", 100 * position + i)
    return root


def total(data):
    return len(data.train) + len(data.validation) + len(data.test)


def images_of(data):
    """Names of all images with boxes or masks."""
    return [name for part in (data.train, data.validation, data.test) for name in part.names]


# The walk


@pytest.mark.parametrize(
    "name",
    [
        *(".ipynb_checkpoints/a.png", "@eaDir/a.png", "__MACOSX/a.png", "#recycle/a.png", "lost+found/a.png"),
        *("$RECYCLE.BIN/a.png", "System Volume Information/a.png", ".Trash-1000/a.png", "._a.png", ".a.png"),
        *("Thumbs.db", ".DS_Store", "desktop.ini", "@eaDir/deep/a.png"),
    ],
)
def test_hidden_and_system_files_are_skipped_and_counted(tmp_path, name):
    write(tmp_path / "in" / "b.png"), write(tmp_path / "in" / name)
    found = walk(tmp_path, (".png",))
    assert list(found.files) == ["in/b.png"] and found.hidden == [f"in/{name.partition('/')[0]}"] and not found.left_out
    top = walk(tmp_path / "in", deep=False)
    assert not top.folders and len(top.hidden) == 1


def test_a_hidden_folder_is_read_where_it_is_what_the_user_names(tmp_path):
    write(tmp_path / ".cache" / "a.png")
    assert list(walk(tmp_path / ".cache").files) == ["a.png"]


def test_linked_folders_are_entered_once_and_no_loop_ends_the_walk(tmp_path):
    write(tmp_path / "elsewhere" / "deep" / "1.png"), write(tmp_path / "root" / "z" / "0.png")
    root = tmp_path / "root"
    (root / "more").symlink_to(tmp_path / "elsewhere")
    (root / "a").symlink_to(root / "z")  # Comes first by name, but the folder's own name counts.
    (root / "z" / "up").symlink_to(root)
    (root / "z" / "self").symlink_to(root / "z")
    (tmp_path / "elsewhere" / "deep" / "back").symlink_to(tmp_path)
    (root / "gone.png").symlink_to(tmp_path / "nothing.png")
    (root / "round.png").symlink_to(root / "round.png")
    found = walk(root, (".png",))
    assert list(found.files) == ["more/deep/1.png", "z/0.png"]
    named = dict(found.left_out)
    assert set(named) == {"a", "z/up", "z/self", "more/deep/back", "gone.png", "round.png"}
    assert named["gone.png"] == named["round.png"] == "a link to nothing" and "another name" in named["a"]
    assert set(walk(root, deep=False).folders) == {"more", "z"}


def test_the_order_is_that_of_the_paths(tmp_path):
    for name in ("b/0.png", "a-b/0.png", "a/1.png", "a/0/9.png", "10.png", "2.png"):
        write(tmp_path / name)
    assert list(walk(tmp_path).files) == ["10.png", "2.png", "a/0/9.png", "a/1.png", "a-b/0.png", "b/0.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_names_that_are_not_utf8(tmp_path):
    classes(tmp_path / "photos", ("dog", "cat"))
    os.rename(tmp_path / "photos" / "dog" / "1.png", os.fsencode(tmp_path / "photos" / "dog") + b"/\xe9.png")
    data = from_folder(tmp_path / "photos", size=SIZE)
    assert total(data) == 11 and data.unreadable == [("photos/dog/\\udce9.png", "its name is not UTF-8")]
    assert json.dumps(data.record(), ensure_ascii=False).encode()
    os.rename(tmp_path / "photos" / "cat", os.fsencode(tmp_path / "photos") + b"/caf\xe9")
    with pytest.raises(ValueError, match=r"The name of a class folder must be UTF-8. Received: 'caf"):
        from_folder(tmp_path / "photos", size=SIZE)
    with pytest.raises(ValueError, match=r"A person's name must be UTF-8. Received: 'caf"):
        faces_in(tmp_path / "photos", size=SIZE)
    with pytest.raises(ValueError, match=r"The path of the data must be UTF-8"):
        walk(os.fsdecode(os.fsencode(tmp_path / "photos") + b"/caf\xe9"))


def test_no_reader_walks_by_itself():
    """But for apt's lists and the folders that runs write."""
    other = re.compile(r"\b(rglob|glob|iterdir|os\.walk|os\.listdir|scandir)\(")
    own = {"kerazoo/data/walk.py", "kerazoo/data/package_descriptions.py"}
    files = {path.relative_to(ROOT).as_posix(): path for top in TOPS for path in (ROOT / top).rglob("*.py")}
    assert not [name for name, path in files.items() if name not in own and other.search(path.read_text("utf-8"))]


# Folders of classes


def test_copies_in_hidden_folders_are_not_trained_on(tmp_path):
    root = classes(tmp_path / "photos")
    for name in ("cat", "dog"):
        for i in range(6):
            picture(root / name / ".ipynb_checkpoints" / f"{i}-checkpoint.png")
            write(root / name / f"._{i}.png", "no image")
    classes(root / "__MACOSX")
    data = from_folder(root, size=SIZE)
    assert total(data) == 12 and data.classes == ("cat", "dog")
    (row,) = data.unreadable
    assert row[0] == "hidden and system files" and row[1].startswith("15 are skipped: __MACOSX, photos/cat/")


def test_a_linked_folder_of_a_class_and_in_a_class_is_read(tmp_path):
    root = classes(tmp_path / "photos", ("cat",), 4)
    classes(tmp_path / "elsewhere", ("dogs", "more"), 3)
    (root / "dog").symlink_to(tmp_path / "elsewhere" / "dogs")
    (root / "dog" / "again").symlink_to(root)  # Not a class of its own, nor dogs.
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere" / "more")
    (root / "loop").symlink_to(root)
    data = from_folder(root, size=SIZE)
    assert data.classes == ("cat", "dog") and total(data) == 10
    assert sorted(name for name, _ in data.unreadable) == ["loop", "photos/dog/again"]


def test_files_of_other_kinds_are_named(tmp_path):
    root = classes(tmp_path / "photos")
    for name in ("cat/a.heic", "dog/b.svg", "dog/README", "readme.md"):
        write(root / name)
    picture(root / "loose.png")
    data = from_folder(root, size=SIZE)
    assert total(data) == 12
    assert {name for name, _ in data.unreadable} == {
        *("photos/cat/a.heic", "photos/dog/b.svg", "photos/dog/README", "readme.md", "loose.png")
    }
    for i, kind in enumerate(("webp", "tif", "tiff")):
        picture(root / "cat" / f"w{i}.{kind}")
    data = from_folder(root, size=SIZE)
    assert total(data) + len(data.unreadable) == 12 + 5 + 3, "read, or named"


@pytest.mark.parametrize("name", ["train", "test", "val", "Training"])
def test_a_class_may_be_called_like_a_part(tmp_path, name):
    data = from_folder(classes(tmp_path, ("bus", "car", name)), size=SIZE)
    assert set(data.classes) == {"bus", "car", name} and total(data) == 18


@pytest.mark.parametrize("case", ["broken", "other kind", "no classes", "empty"])
def test_a_test_part_of_ones_own_is_never_drawn_instead(tmp_path, case):
    classes(tmp_path / "train"), (tmp_path / "test").mkdir()
    if case == "broken":
        write(tmp_path / "test" / "cat" / "0.png", "no image")
    elif case == "other kind":
        write(tmp_path / "test" / "cat" / "0.heic")
    elif case == "no classes":
        picture(tmp_path / "test" / "0.png")
    message = "The test part of the data must have something in it that can be read.*Received: nothing."
    with pytest.raises(ValueError, match=message + (" Left out: test/" if case != "empty" else "")):
        from_folder(tmp_path, size=SIZE)


def test_two_folders_for_one_part_are_an_error(tmp_path):
    classes(tmp_path / "train"), classes(tmp_path / "val"), classes(tmp_path / "valid")
    with pytest.raises(ValueError, match="one validation part. Received: .*/val' and .*/valid'"):
        from_folder(tmp_path, size=SIZE)
    os.rename(tmp_path / "valid", tmp_path / "unlabelled")
    assert from_folder(tmp_path, size=SIZE).unreadable == [("unlabelled", "a folder beside train, val")]


# Masks


def test_masks_belong_to_images_by_their_path(tmp_path):
    for folder, value in (("a", 1), ("b", 0)):
        for i in range(5):
            picture(tmp_path / "images" / folder / f"{i}.jpg", 100 * value + 50)
            mask(tmp_path / "masks" / folder / f"{i}.png", value)
    data = from_mask_folder(tmp_path)
    for part in (data.train, data.validation, data.test):
        for name, joined in zip(part.names, part.joined):
            assert (joined[:4, :, 3] == ("/a/" in name)).all()
    (tmp_path / "masks" / "b" / "0.png").unlink()
    mask(tmp_path / "masks" / "c" / "7.png")
    picture(tmp_path / "masks" / "b" / ".ipynb_checkpoints" / "0.png")
    data = from_mask_folder(tmp_path)
    assert total(data) == 9 and data.unreadable == [
        ("images/b/0.jpg", "has no mask b/0.png"),
        ("masks/c/7.png", "has no image of its name"),
        ("hidden and system files", "1 is skipped: masks/b/.ipynb_checkpoints"),
    ]


@pytest.mark.parametrize("other", ["masks/3.bmp", "images/3.jpg", "mask/3.png"])
def test_two_candidates_for_a_mask_are_an_error_with_both(tmp_path, other):
    for i in range(6):
        picture(tmp_path / "images" / f"{i}.png"), mask(tmp_path / "masks" / f"{i}.png")
    mask(tmp_path / other)
    names = ("masks", "mask") if other == "mask/3.png" else (f"{other.partition('/')[0]}/3.", other)
    with pytest.raises(ValueError, match="Received: ") as caught:
        from_mask_folder(tmp_path)
    assert all(str(tmp_path / name) in str(caught.value) for name in names)


def pascal_voc(root, count=8, lists=(), images=("jpg", 100)):
    """A folder as it is published; objects are numbered from 100, classes 1 and 2 on a background."""
    for i in range(count):
        picture(root / "JPEGImages" / f"{i}.jpg", 10 * i, size=(24, 32))
        for folder, values in (("SegmentationClass", (0, 1, 2, 2)), ("SegmentationObject", (0, 100, 101, 101))):
            values = np.repeat([values], 24, axis=0).repeat(8, axis=1).astype("uint8")
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).convert("P").save(root / folder / f"{i}.png")
        write(root / "Annotations" / f"{i}.xml", f"<annotation>{BOX.format('cat', 20)}</annotation>")
    for name, members in dict(lists).items():
        for job in ("Main", "Segmentation"):
            write(root / "ImageSets" / job / f"{name}.txt", "".join(f"{member}\n" for member in members))
    return root


READERS = {"boxes": from_path, "masks": from_mask_folder}


@pytest.mark.parametrize("reader", READERS)
def test_pascal_voc_as_published(tmp_path, reader):
    data = READERS[reader](pascal_voc(tmp_path))
    assert sorted(images_of(data)) == [f"JPEGImages/{i}.jpg" for i in range(8)]
    if reader == "masks":
        assert data.classes == ("class 0", "class 1", "class 2") and data.train.masks.max() == 2


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "lists, counts, drawn",
    [
        ({"trainval": range(6), "test": (6, 7)}, (5, 1, 2), "validation"),
        ({"train": (0, 1, 2, 3), "trainval": range(6), "test": (6, 7)}, (4, 2, 2), ""),
        ({"train": (0, 1, 2), "val": (3, 4), "trainval": range(5), "test": (5, 6, 7)}, (3, 2, 3), ""),
        ({"trainval": range(8)}, (5, 1, 2), "test"),
    ],
)
def test_the_lists_of_pascal_voc_are_its_parts(tmp_path, reader, lists, counts, drawn):
    data = READERS[reader](pascal_voc(tmp_path, lists=lists))
    assert (len(data.train), len(data.validation), len(data.test)) == counts
    assert f"for {drawn}" in data.split if drawn else "drawn" not in data.split
    if "test" in lists:
        assert data.test.names == tuple(f"JPEGImages/{i}.jpg" for i in lists["test"])


@pytest.mark.parametrize("reader", READERS)
def test_lists_without_one_for_training_are_refused(tmp_path, reader):
    with pytest.raises(ValueError, match="must have train.txt or trainval.txt. Received: val, test"):
        READERS[reader](pascal_voc(tmp_path, lists={"val": (0, 1), "test": (2,)}))


@pytest.mark.parametrize("layout", ["inside", "around"])
def test_parts_of_masks_by_folders(tmp_path, layout):
    for part, count in (("train", 4), ("val", 3), ("test", 2)):
        for i in range(count):
            for kind, make in (("images", picture), ("masks", mask)):
                folders = (kind, part) if layout == "inside" else (part, kind)
                make(tmp_path.joinpath(*folders, f"{i}.png"))
    data = from_mask_folder(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 3, 2) and "drawn" not in data.split
    folder = tmp_path / ("masks/test" if layout == "inside" else "test/masks")
    for path in (*folder.iterdir(), folder):
        path.unlink() if path.is_file() else path.rmdir()
    data = from_mask_folder(tmp_path)
    assert "for test" in data.split and "a part without masks" in dict(data.unreadable).values()


@pytest.mark.parametrize("position", [0, 2, 5])
def test_a_listed_image_or_mask_that_is_missing_is_named(tmp_path, position):
    for i in range(6):
        picture(tmp_path / "a" / f"{i}.png", size=SIZE), mask(tmp_path / "b" / f"{i}.png")
    picture(tmp_path / "other" / "a" / f"{position}.png")  # Of another folder: not taken in its place.
    write(tmp_path / "train.txt", "".join(f"a/{i}.png b/{i}.png\n" for i in range(6)))
    (tmp_path / "a" / f"{position}.png").unlink()
    data = from_mask_folder(tmp_path)
    assert total(data) == 5 and [name for name, _ in data.unreadable] == [f"a/{position}.png"]


def test_where_no_mask_fits_the_reasons_are_said(tmp_path):
    for i in range(4):
        picture(tmp_path / "images" / f"{i}.png"), mask(tmp_path / "masks" / f"{i}_mask.png")
    with pytest.raises(ValueError, match="Left out: images/0.png: has no mask 0.png;.*and 3 more"):
        from_mask_folder(tmp_path)


# Boxes


def boxes(root, format, count=6):
    """Images 0 to 5 in `images`, each with a box of one class, without a part of their own."""
    for i in range(count):
        picture(root / "images" / f"{i}.png", size=(24, 32))
    if format == "coco":
        coco(root / "a.json", [f"{i}.png" for i in range(count)])
    for i in range(count):
        if format == "voc":
            write(root / "Annotations" / f"{i}.xml", f"<annotation>{BOX.format('cat', 20)}</annotation>")
        elif format == "yolo":
            write(root / "labels" / f"{i}.txt", "0 .5 .5 .3 .3\n")
    if format == "yolo":
        write(root / "classes.txt", "cat\n")
    return root


def coco(file, names, *, annotated=True, **row):
    images = [{"id": i, "file_name": name} | row for i, name in enumerate(names)]
    found = [{"id": i, "image_id": i, "category_id": 1, "bbox": [2, 2, 9, 9]} for i in range(len(names)) if annotated]
    content = {"images": images, "annotations": found, "categories": [{"id": 1, "name": "cat"}]}
    return write(file, json.dumps(content))


FORMATS = ("coco", "voc", "yolo")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("position", [0, 3, 5])
@pytest.mark.parametrize("flaw", ["missing", "broken"])
def test_an_image_that_cannot_be_read_is_named_wherever_it_stands(tmp_path, format, position, flaw):
    image = boxes(tmp_path, format) / "images" / f"{position}.png"
    image.unlink() if flaw == "missing" else image.write_bytes(b"no image")
    data = from_path(tmp_path, format=format)
    assert total(data) == 5 and str(position) in data.flaws.unreadable[0][0] and len(data.flaws.unreadable) == 1


@pytest.mark.parametrize("format", ["coco", "voc"])
@pytest.mark.parametrize("position", [0, 3])
def test_a_listed_image_that_is_missing_is_named(tmp_path, format, position):
    root = pascal_voc(tmp_path, lists={"train": (0, 1, 2, 3, 4), "val": (5,), "test": (6, 7)})
    (root / "JPEGImages" / f"{position}.jpg").unlink()
    if format == "coco":
        for part, names in (("train", range(5)), ("val", (5,)), ("test", (6, 7))):
            coco(root / "annotations" / f"{part}.json", [f"JPEGImages/{i}.jpg" for i in names])
    data = from_path(root, format=format)
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 1, 2)
    assert str(position) in data.flaws.unreadable[0][0]


def test_what_belongs_to_nothing_in_pascal_voc_is_named(tmp_path):
    root = pascal_voc(tmp_path, lists={"train": (0, 1, 2, 99), "val": (3,), "test": (4, 5)})
    (root / "Annotations" / "0.xml").write_text("<annotation><obj")
    write(root / "Annotations" / "notes.xml", "<other/>")
    picture(root / "JPEGImages" / "bare.jpg")
    data = from_path(root)
    reasons = dict(data.flaws.unreadable)
    assert "must be XML" in reasons["Annotations/0.xml"] and "Received: <other>" in reasons["Annotations/notes.xml"]
    assert reasons["99"] == "is listed, and has no annotation" == reasons["0"]
    assert reasons["JPEGImages/bare.jpg"] == "has no annotation"
    assert reasons["the lists"] == "2 annotated images are in no list: JPEGImages/6.jpg, JPEGImages/7.jpg"
    assert (len(data.train), len(data.validation), len(data.test)) == (2, 1, 2)


def test_label_files_and_images_without_each_other_are_named(tmp_path):
    root = boxes(tmp_path, "yolo")
    for i in (3, 4):
        os.rename(root / "labels" / f"{i}.txt", root / "labels" / f"img_{i}.txt")
    write(root / "images" / "5.webp.old"), write(root / "images" / ".6.png")
    data = from_path(root)
    assert total(data) == 6 and sorted(data.flaws.unlabelled) == ["images/3.png", "images/4.png"]
    assert dict(data.flaws.unreadable) == {
        "labels/img_3.txt": "has no image of its name",
        "labels/img_4.txt": "has no image of its name",
        "images/5.webp.old": "not one of .jpg, .jpeg, .png, .bmp, .gif, .webp",
        "hidden and system files": "1 is skipped: images/.6.png",
    }
    assert "2 images have no label file and are taken to have no objects: images/3.png" in data.flaws.lines()[1]
    assert data.record()["unlabelled"] == data.flaws.unlabelled


@pytest.mark.parametrize("format", ["voc", "yolo"])
def test_boxes_belong_to_images_by_their_path(tmp_path, format):
    for folder, width in (("a", 10), ("b", 30)):
        for i in range(3):
            picture(tmp_path / "images" / folder / f"{i}.png", size=(24, 32))
            if format == "voc":
                text = f"<annotation>{BOX.format('cat', width)}</annotation>"
                write(tmp_path / "Annotations" / folder / f"{i}.xml", text)
            else:
                write(tmp_path / "labels" / folder / f"{i}.txt", f"0 .5 .5 {width / 32} .3")
                write(tmp_path / "classes.txt", "cat\n")
    data = from_path(tmp_path)
    assert data.record()["objects"]["train"] == [4] and not data.flaws.unreadable
    for part in (data.train, data.validation, data.test):
        for name, found in zip(part.names, part.boxes):
            assert (found[0, 2] - found[0, 0] > 15) == ("/b/" in name), name


@pytest.mark.parametrize(
    "format, other",
    [
        *(("yolo", "images/3.txt"), ("yolo", "images/3.jpg"), ("voc", "images/3.jpg"), ("voc", "Annotations/3.XML")),
        *(("voc", "JPEGImages/9.png"), ("yolo", "other.yaml"), ("yolo", "obj.names")),
    ],
)
def test_two_candidates_are_an_error_with_both(tmp_path, format, other):
    root = boxes(tmp_path, format)
    twins = {"images/3.txt": "labels/3.txt", "Annotations/3.XML": "Annotations/3.xml", "JPEGImages/9.png": "images"}
    twins |= {"other.yaml": "one.yaml", "obj.names": "classes.txt"}
    twin = twins.get(other, "images/3.png")
    picture(root / other) if other.endswith(("jpg", "png")) else write(root / other, "bus\n")
    if other == "other.yaml":
        write(root / twin, "names: [cat]\n")
    with pytest.raises(ValueError, match="Received: ") as caught:
        from_path(root)
    received = str(caught.value).partition("Received: ")[2]
    assert (other.partition("/")[0] if other == "JPEGImages/9.png" else other) in received and twin in received


@pytest.mark.parametrize("parts", [("train", "val", "test"), ("Train", "valid", "testing")])
@pytest.mark.parametrize(
    "image, label",
    [
        *(("{part}/{i}.png", "{part}/{i}.xml"), ("{part}/JPEGImages/{i}.png", "{part}/Annotations/{i}.xml")),
        *(("images/{part}/{i}.png", "annotations/{part}/{i}.xml"), ("images/{part}/{i}.png", "labels/{part}/{i}.txt")),
        *(("{part}/images/{i}.png", "{part}/labels/{i}.txt"), ("{part}/{i}.png", "{part}/{i}.txt")),
        ("pool/{part}{i}.png", "pool/{part}{i}.txt"),
    ],
)
def test_parts_of_boxes_are_those_of_the_folders(tmp_path, parts, image, label):
    for part, count in zip(parts, (4, 3, 2)):
        for i in range(count):
            picture(tmp_path / image.format(part=part, i=i), size=(24, 32))
            text = f"<annotation>{BOX.format('cat', 20)}</annotation>" if label.endswith("xml") else "0 .5 .5 .2 .2"
            write(tmp_path / label.format(part=part, i=i), text)
        if image.startswith("pool"):
            write(tmp_path / f"{part}.txt", "".join(f"{image.format(part=part, i=i)}\n" for i in range(count)))
    if label.endswith("txt"):
        write(tmp_path / "classes.txt", "cat\n")
    (tmp_path / "__MACOSX").mkdir()
    data = from_path(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 3, 2) and "drawn" not in data.split
    assert dict(data.flaws.unreadable) == {"hidden and system files": "1 is skipped: __MACOSX"}


def test_a_coco_part_without_annotations_is_a_part(tmp_path):
    for part, count in (("train", 5), ("val", 3), ("test", 2)):
        names = [picture(tmp_path / part / f"{part}{i}.jpg", size=(24, 32)).name for i in range(count)]
        coco(tmp_path / "annotations" / f"instances_{part}.json", names, annotated=part == "train")
    write(tmp_path / "annotations" / "image_info_test.json", '{"images": [], "categories": []}')
    data = from_path(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (5, 3, 2)
    assert data.split == "the data's own train, validation, test"
    assert data.flaws.unreadable == [("annotations/image_info_test.json", "COCO's images without boxes")]
    for image in (tmp_path / "test").iterdir():
        image.write_bytes(b"no image")
    with pytest.raises(ValueError, match="The test part of the data must have something.*Left out: .*test0.jpg"):
        from_path(tmp_path)


def test_coco_images_in_two_folders_are_an_error(tmp_path):
    names = [picture(tmp_path / folder / "0.png").name for folder in ("images", "train")]
    coco(tmp_path / "annotations" / "train.json", names[:1])
    with pytest.raises(
        ValueError, match="must lie in one folder. Received: 1 of them in each of .*images' and .*train'"
    ):
        from_path(tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images": [{"id": 0}]}, 'Each of "images" in .*a.json must have "file_name"'),
        ({"images": [{"file_name": "0.png"}]}, 'Each of "images" in .*a.json must have "id"'),
        (
            {"images": [{"id": 0, "file_name": "0.png"}, {"id": 0, "file_name": "1.png"}]},
            "may have one id.*0.png.*1.png",
        ),
        ({"categories": [{"id": 1}]}, 'Each of "categories" in .*a.json must have "name"'),
        ({"categories": [{"id": 1, "name": "caf\ud8e9"}]}, r"A class's name must be UTF-8. Received: 'caf"),
        ({"categories": {"1": "cat"}}, '"categories" in .*a.json must be a list of objects'),
    ],
)
def test_coco_rows_that_are_none(tmp_path, change, message):
    boxes(tmp_path, "coco")
    write(tmp_path / "a.json", json.dumps(json.loads((tmp_path / "a.json").read_text()) | change))
    with pytest.raises(ValueError, match=message):
        from_path(tmp_path, format="coco")


def test_where_no_box_is_left_the_reasons_are_said(tmp_path):
    coco(tmp_path / "a.json", [picture(tmp_path / f"{i}.png").name for i in range(3)], height=80, width=120)
    with pytest.raises(ValueError, match="Left out: 0.png: its annotation says 120x80 pixels, upright it has 8x8"):
        from_path(tmp_path)
    root = boxes(tmp_path / "yolo", "yolo", 2)
    for i in range(2):
        os.rename(root / "labels" / f"{i}.txt", root / "labels" / f"x{i}.txt")
    with pytest.raises(ValueError, match="must have a box at least.*Left out: labels/x0.txt: has no image of its name"):
        from_path(root)


def test_files_of_boxes_are_one_an_image():
    assert file_names(["images/0.png", "1.b.jpg"], ".txt") == ["0.txt", "1.b.txt"]
    with pytest.raises(ValueError, match="Received: 'a/0.png' and 'b/0.png' for '0.xml'"):
        file_names(["a/0.png", "b/0.png"], ".xml")


# Faces, pictures, predictions


def test_faces_in_folders_of_a_person(tmp_path):
    for name in ("anna/1.png", "anna/2.png", "anna/b/1.png", "ben/1.png", "ben/2.png", "ben/@eaDir/3.png", "loose.png"):
        picture(tmp_path / name)
    write(tmp_path / "ben" / "notes.txt"), (tmp_path / "nobody").mkdir()
    faces = faces_in(tmp_path, size=SIZE)
    assert faces.files == ("anna/1.png", "anna/2.png", "anna/b/1.png", "ben/1.png", "ben/2.png")
    assert [name for name, _ in faces.unreadable] == ["loose.png", "ben/notes.txt", "nobody", "hidden and system files"]
    with pytest.raises(ValueError, match="Faces are divided by people.*Received: .* with train, val"):
        classes(tmp_path / "parts" / "train"), classes(tmp_path / "parts" / "val")
        faces_in(tmp_path / "parts", size=SIZE)
    write(tmp_path / "pairs.txt", "1\nben 1 2\nanna 1 ben 2\n")
    with pytest.raises(
        ValueError, match="line 3: 'anna' must have one image of .* 1. Received: anna/1.png and anna/b/1"
    ):
        read_pairs(tmp_path / "pairs.txt", faces)


def test_pictures_and_predictions_name_what_they_leave_out(tmp_path):
    from kerazoo.applications.detections import _images

    for name in ("0.png", "a/0.png", ".thumbs/0.png"):
        picture(tmp_path / "photos" / name)
    write(tmp_path / "photos" / "film.heic"), write(tmp_path / "photos" / "gone.jpg").unlink()
    (tmp_path / "photos" / "gone.jpg").symlink_to(tmp_path / "nothing")
    pictures, left_out = read_pictures(tmp_path / "photos", side=8)
    assert len(pictures) == 2
    assert [name for name, _ in left_out] == ["film.heic", "gone.jpg", "hidden and system files"]
    files, named = _images(tmp_path / "photos")
    assert list(files) == ["0.png", "a/0.png"] and [tuple(row) for row in named] == left_out
    write(tmp_path / "none" / "film.heic")
    with pytest.raises(ValueError, match="Left out: film.heic: not one of"):
        _images(tmp_path / "none")
    with pytest.raises(ValueError, match="Left out: film.heic: not one of"):
        read_pictures(tmp_path / "none", side=8)


def test_hidden_members_of_an_archive_are_skipped_and_counted(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in ("0.png", "a/1.png", "__MACOSX/a/1.png", "a/._1.png"):
            archive.writestr(name, picture(tmp_path / "p.png").read_bytes())
    pictures, left_out = read_pictures(tmp_path / "photos.zip", side=8)
    assert len(pictures) == 2
    assert left_out == [("hidden and system files", "2 are skipped: __MACOSX/a/1.png, a/._1.png")]


# Texts


def test_documents_and_corpora_skip_what_is_hidden(tmp_path):
    for name, text in (("a.txt", "Tea. " * 300), (".ipynb_checkpoints/a.txt", "Tea. " * 300), ("._a.txt", "\0")):
        write(tmp_path / name, text)
    write(tmp_path / "b.pdf")
    said = (
        "left out: b.pdf: not one of",
        "left out: hidden and system files: 2 are skipped: ._a.txt, .ipynb_checkpoints",
    )
    documents, corpus = document_files.from_files(tmp_path), corpora.corpus_of(tmp_path)
    assert documents.labels == ("a.txt",) and len(corpus.train + corpus.validation + corpus.test) == 1500
    for notes in (documents.notes, corpus.notes):
        assert len(notes) == 2 and all(note.startswith(begin) for note, begin in zip(notes, said))


def test_a_corpus_with_its_own_parts(tmp_path):
    for name, word in (("wiki.train.txt", "a"), ("wiki.valid.txt", "b"), ("wiki.test.txt", "c")):
        write(tmp_path / name, word * 1000)
    corpus = corpora.corpus_of(tmp_path)
    assert set(corpus.train) == {"a"} and set(corpus.validation) == {"b"} and set(corpus.test) == {"c"}
    assert corpus.split == "the files' own parts"
    os.remove(tmp_path / "wiki.valid.txt")
    with pytest.raises(
        ValueError, match="one file for each of train, validation, test. Received: wiki.test.txt, wiki.tr"
    ):
        corpora.corpus_of(tmp_path)


def test_what_is_no_part_of_texts_is_named_and_an_empty_part_refused(tmp_path):
    rows = "".join(f"text {i}\t{'ab'[i % 2]}\n" for i in range(20))
    write(tmp_path / "train.tsv", rows), write(tmp_path / "heldout.tsv", rows), write(tmp_path / "._train.tsv", "\0")
    data = labelled_text_files.from_files(tmp_path)
    assert data.notes[:2] == (
        "left out: heldout.tsv: no part of the data",
        "left out: hidden and system files: 1 is skipped: ._train.tsv",
    )
    write(tmp_path / "test.tsv", " \ta\n")
    with pytest.raises(ValueError, match="The test part of the data must have something"):
        labelled_text_files.from_files(tmp_path)
    with pytest.raises(ValueError, match="The test part of the data must have something"):
        parallel_files.from_files(tmp_path, source="en", target="de")
    write(tmp_path / "c" / "train.conll", "Ada B-PER\n\n" * 9), write(tmp_path / "c" / "test.conll", "\n")
    with pytest.raises(ValueError, match="The test part of the data must have something"):
        conll_files.from_files(tmp_path / "c")


@pytest.mark.parametrize("row", [{"text": "a", "label": "\ud8e9"}, {"text": "\ud8e9", "label": "a"}])
def test_half_a_sign_in_json_is_refused_while_reading(tmp_path, row):
    rows = [{"text": "b", "label": "b"}, row]
    write(tmp_path / "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match=r"must be UTF-8. Received: '.{0,2}ud8e9"):
        labelled_text_files.from_files(tmp_path)
