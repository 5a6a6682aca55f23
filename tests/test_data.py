"""Data: readers, splits, archives, pipelines."""

import gzip
import hashlib
import struct
import sys
import zipfile

import numpy as np
import pytest

from kerazoo.data import archives, decode, folders, memory, named
from kerazoo.data.augment import AUGMENTATIONS, augmentation
from kerazoo.data.idx import read_idx
from kerazoo.data.images import Images
from kerazoo.data.pipeline import batches, pixels_of, throughput
from kerazoo.data.splits import draw_missing, stratified_sample, stratified_split

PIL = pytest.importorskip("PIL.Image")


def save(path, *, color=(200, 30, 30), size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.new("RGB", size, color).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """Two classes of images of mixed sizes and kinds; the colour tells the class."""
    root = tmp_path / "photos"
    for i in range(10):
        save(root / "red" / f"{i}.png", color=(250, i, 0), size=(10 + i, 20))
        save(root / "blue" / f"{i}.jpg", color=(0, i, 250), size=(20, 10 + i))
    return root


def numbered(count=20, side=8):
    """Images whose every pixel is their label, all different."""
    labels = np.arange(count, dtype="int32")
    return Images(labels, pixels=np.broadcast_to(labels[:, None, None, None], (count, side, side, 3)).astype("uint8"))


# Splits


def test_stratified_split_parts_the_positions_by_class():
    labels = np.repeat([0, 1, 2], [100, 50, 2])
    rest, part = stratified_split(labels, 0.2, seed=3)
    assert sorted([*rest, *part]) == list(range(152))
    assert np.bincount(labels[part]).tolist() == [20, 10, 1]
    assert np.array_equal(part, stratified_split(labels, 0.2, seed=3)[1])
    assert not np.array_equal(part, stratified_split(labels, 0.2, seed=4)[1])


def test_stratified_split_is_bounded():
    _, part = stratified_split(np.repeat([0, 1], 500), 0.5, seed=0, largest=20)
    assert len(part) == 20


def test_a_small_sample_has_every_class():
    labels = np.repeat(np.arange(10), 30)
    chosen = stratified_sample(labels, 10, np.random.default_rng(0))
    assert sorted(labels[chosen]) == list(range(10))


def test_missing_splits_are_drawn_and_said():
    parts, said = draw_missing({"train": Images(np.repeat([0, 1], 50).astype("int32"), pixels=numbered(100).pixels)})
    assert {name: len(part) for name, part in parts.items()} == {"train": 72, "test": 20, "validation": 8}
    assert len(said) == 2 and "seed 0" in said[0]
    pixels = np.concatenate([part.pixels[:, 0, 0, 0] for part in parts.values()])
    assert len(set(pixels)) == 100


# Named data


def test_digits():
    pytest.importorskip("sklearn")
    data = named.load("digits")
    assert data.train.pixels.shape == (1295, 8, 8, 3) and len(data.validation) == 143 and len(data.test) == 359
    assert data.train.pixels.max() == 255 and data.train.pixels.min() == 0
    assert np.bincount(data.test.labels).min() >= 34
    assert data.record()["terms"].startswith("CC BY")
    small = data.limited(30)
    assert len(small.train) == len(small.test) == 30 and set(small.train.labels) == set(range(10))


def test_unknown_data_set_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'digits'"):
        named.load("digts")


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.astype("uint8").tobytes(), mtime=0))


def test_idx_round_trip(tmp_path):
    array = np.arange(24).reshape(2, 3, 4)
    write_idx(tmp_path / "a.gz", array)
    assert np.array_equal(read_idx(tmp_path / "a.gz"), array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        b"\1\0\x08\1\0\0\0\1\0",
        b"\0\0\x08\1\0\0\0\5ab",
        b"\0\0\x08\1\0\0\0\1abc",
        b"\0\0\x08\3" + b"\xff" * 12,
    ],
    ids=["empty", "cut", "magic", "short", "long", "huge"],
)
def test_idx_refuses_damage(tmp_path, content):
    (tmp_path / "a.idx").write_bytes(content)
    with pytest.raises(ValueError, match="damaged or no IDX file"):
        read_idx(tmp_path / "a.idx")


def test_mnist_files_are_checked_by_their_sum(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    write_idx(tmp_path / "mnist" / "train-images-idx3-ubyte.gz", np.zeros((2, 28, 28)))
    with pytest.raises(ValueError, match="must have sha256 440fcabf"):
        named.load("mnist")


def test_mnist_is_read_from_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    sums = {}
    for prefix, count in (("train", 40), ("t10k", 10)):
        labels = np.arange(count) % 10
        write_idx(tmp_path / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", labels)
        write_idx(
            tmp_path / "mnist" / f"{prefix}-images-idx3-ubyte.gz",
            np.broadcast_to(labels[:, None, None], (count, 28, 28)),
        )
    for file in (tmp_path / "mnist").iterdir():
        sums[file.name] = (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
    data = named._from_idx("mnist", tuple("0123456789"), address="http://127.0.0.1:9/", files=sums)
    assert len(data.test) == 10 and data.test.pixels.shape[1:] == (28, 28, 3)
    assert np.array_equal(data.test.pixels[:, 0, 0, 0], data.test.labels)


def test_cifar10_archive(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "cifar10_jpg.zip", "w") as archive:
        for part in ("train", "test"):
            for name in ("cat", "ship"):
                for i in range(5):
                    archive.writestr(f"{part}/{name}/{i}.jpg", save(tmp_path / "x.jpg", size=(32, 32)).read_bytes())
        archive.writestr("train/cat/broken.jpg", b"no image")
    data = named.load("cifar10")
    assert data.classes == ("cat", "ship") and len(data.test) == 10 and len(data.train) + len(data.validation) == 10
    assert [name for name, _ in data.unreadable] == ["train/cat/broken.jpg"]


def test_tfds_folder_of_images(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    from kerazoo.data import tfds as reader

    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for i in range(6):
                save(tmp_path / "set" / part / name / f"{i}.png", size=(9 + i, 12))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: tfds.ImageFolder(str(tmp_path / "set")))
    monkeypatch.setattr(tfds.ImageFolder, "is_prepared", lambda self: True, raising=False)
    data = reader.from_tfds("anything", size=(16, 16))
    assert data.classes == ("cat", "dog") and data.test.pixels.shape == (12, 16, 16, 3)
    assert len(data.train) + len(data.validation) == 12
    assert abs(int(data.test.pixels[0, 0, 0, 0]) - 200) <= 2


def test_tfds_unknown_name(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="Unknown data set of TensorFlow Datasets"):
        named.load("tfds:no_such_set_at_all")


def test_tfds_without_network_fails_at_once(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    from kerazoo.data import tfds as reader

    def offline(*_):
        raise OSError("Name or service not known")

    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(reader.socket, "getaddrinfo", offline)
    monkeypatch.setattr(reader.urllib.request, "getproxies", dict)
    with pytest.raises(ConnectionError, match="could not prepare 'mnist'.*KERAZOO_DATA_DIR"):
        reader.from_tfds("mnist")


def test_missing_extra_names_the_line(monkeypatch):
    from kerazoo import extras

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r'pip install "kerazoo\[apps\]"'):
        extras.need("sklearn")


# Folders


def test_folder_of_classes(photos):
    data = folders.from_folder(photos, size=(16, 16))
    assert data.classes == ("blue", "red") and data.train.pixels.shape[1:] == (16, 16, 3)
    assert [len(data.train), len(data.validation), len(data.test)] == [14, 2, 4]
    for part in (data.train, data.validation, data.test):
        assert np.array_equal(part.pixels[:, 8, 8, 0] > 128, part.labels == 1)


def test_folder_with_its_own_splits(photos):
    root = photos.parent / "split"
    for part, count in (("train", 6), ("val", 3), ("test", 2)):
        for name in ("red", "blue"):
            for i in range(count):
                save(root / part / name / f"{i}.png")
    data = folders.from_folder(root, size=(8, 8))
    assert [len(data.train), len(data.validation), len(data.test)] == [12, 6, 4]
    assert data.split == "the folder's own train, validation, test"


@pytest.mark.parametrize("parts", [("training_set", "test_set"), ("seg_train", "seg_test"), ("val", "test")])
def test_folders_of_parts_by_other_names_are_no_classes(photos, parts):
    root = photos.parent / "parted"
    for part in parts:
        for name in ("red", "blue"):
            save(root / part / name / "0.png")
    with pytest.raises(ValueError, match=r"must be called train, validation, test.*Received: .*'blue', 'red'"):
        folders.from_folder(root, size=(8, 8))


def test_words_in_names_of_classes_make_no_parts(photos):
    root = photos.parent / "words"
    for name in ("train ticket", "test tube"):
        for i in range(4):
            save(root / name / f"{i}.png")
    assert folders.from_folder(root, size=(8, 8)).classes == ("test tube", "train ticket")


def test_unreadable_files_are_counted_and_named(photos):
    (photos / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    whole = (photos / "blue" / "0.jpg").read_bytes()
    (photos / "blue" / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (photos / "blue" / "notes.txt").write_text("no image, and not taken for one")
    data = folders.from_folder(photos, size=(8, 8))
    assert [name for name, _ in data.unreadable] == [
        "photos/blue/notes.txt",
        "photos/blue/cut.jpg",
        "photos/red/broken.png",
    ]
    assert len(data.train) + len(data.validation) + len(data.test) == 20


def test_empty_class_folder(photos):
    (photos / "green").mkdir()
    with pytest.raises(ValueError, match=r"at least one readable image.*\['green'\]"):
        folders.from_folder(photos, size=(8, 8))


def test_class_of_broken_images_only(photos):
    (photos / "green").mkdir()
    (photos / "green" / "a.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"\['green'\].*Left out: photos/green/a.png"):
        folders.from_folder(photos, size=(8, 8))


def test_one_class(tmp_path):
    save(tmp_path / "only" / "a.png")
    with pytest.raises(ValueError, match=r"at least two class folders.*\['only'\]"):
        folders.from_folder(tmp_path, size=(8, 8))


def test_wrong_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="folder of class folders.*nowhere"):
        folders.from_folder(tmp_path / "nowhere", size=(8, 8))


def test_images_beyond_memory_stay_in_files(photos, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10)
    data = folders.from_folder(photos, size=(16, 16))
    assert data.train.pixels is None and len(data.train.files) == 14
    streamed = next(iter(batches(data.train, size=(16, 16), batch_size=14)))
    monkeypatch.undo()
    held = folders.from_folder(photos, size=(16, 16)).train
    assert np.array_equal(streamed[0], held.pixels)
    assert np.array_equal(streamed[1], held.labels)
    assert pixels_of(data.test, [0, 1], size=(16, 16)).shape == (2, 16, 16, 3)


@pytest.mark.parametrize("held", [True, False], ids=["in memory", "in files"])
def test_photographs_are_turned_upright(tmp_path, monkeypatch, held):
    monkeypatch.setattr(folders, "fits", lambda size: held)
    upright = np.random.default_rng(0).integers(0, 256, (12, 12, 3), "uint8")
    for orientation in range(1, 9):
        pixels = upright
        if orientation in (3, 4, 7, 8):
            pixels = pixels[::-1]
        if orientation in (2, 3, 6, 7):
            pixels = pixels[:, ::-1]
        if orientation >= 5:
            pixels = pixels.transpose(1, 0, 2)
        exif = PIL.Exif()
        exif[0x0112] = orientation
        place = tmp_path / "ab"[orientation % 2]
        place.mkdir(exist_ok=True)
        for copy in range(3):
            PIL.fromarray(pixels).save(place / f"{orientation}-{copy}.png", exif=exif)
    data = folders.from_folder(tmp_path, size=(12, 12))
    for part in (data.train, data.validation, data.test):
        for pixels, _ in batches(part, size=(12, 12), batch_size=4):
            np.testing.assert_array_equal(np.asarray(pixels), np.broadcast_to(upright, pixels.shape))


@pytest.mark.parametrize("low, high", [(0, 1), (-1, 1)])
def test_scaled_pixels_are_warned_of(low, high):
    from kerazoo.data.face_pipeline import face_batches
    from kerazoo.data.faces import Faces

    pixels = np.random.default_rng(0).uniform(low, high, (8, 8, 8, 3)).astype("float32")
    labels = np.arange(8, dtype="int32") % 2
    faces = Faces("two", ("a", "b"), labels, pixels, tuple(f"a/{i}" for i in range(8)))
    for make in (
        lambda: batches(Images(labels, pixels=pixels), size=(8, 8), batch_size=4),
        lambda: face_batches(faces, batch_size=4),
    ):
        with pytest.warns(UserWarning, match=rf"must be in \[0, 255\].*look scaled to \[{low}, 1\]"):
            make()


def test_files_of_ones_and_zeros_are_warned_of_and_dark_images_are_not(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(folders, "fits", lambda size: False)
    for name in ("one", "two"):
        for i in range(4):
            save(tmp_path / "dark" / name / f"{i}.png", color=(2, i, 0))
            save(tmp_path / "scaled" / name / f"{i}.png", color=(0, 1, i % 2))
    batches(folders.from_folder(tmp_path / "dark", size=(8, 8)).train, size=(8, 8), batch_size=4)
    assert not [warning for warning in recwarn if "look scaled" in str(warning.message)]
    with pytest.warns(UserWarning, match="look scaled"):
        batches(folders.from_folder(tmp_path / "scaled", size=(8, 8)).train, size=(8, 8), batch_size=4)


def test_available_memory_is_plausible():
    assert 2**20 < memory.available() < 2**50
    assert memory.fits(1) and not memory.fits(2**60)


# Archives and decoding


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:\\evil.png", "a\\..\\..\\b.png"]
)
def test_members_that_leave_their_folder_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("fine.png", b"1")
        archive.writestr(name, b"2")
    with pytest.raises(ValueError, match="leaves its folder"):
        archives.read_zip(tmp_path / "a.zip")


def test_members_without_a_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(), b"2")
        archive.infolist()[0].filename = ""
    with pytest.raises(ValueError, match="a member without a name"):
        archives.read_zip(tmp_path / "a.zip")


def test_links_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="link"):
        archives.read_zip(tmp_path / "a.zip")


def test_archives_unpack_within_bounds(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1000))
    monkeypatch.setattr(archives, "LARGEST_MEMBER", 999)
    with pytest.raises(ValueError, match="unpacks to more"):
        archives.read_zip(tmp_path / "a.zip")


def test_damaged_archive(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 and so on")
    with pytest.raises(ValueError, match="damaged or no zip"):
        archives.read_zip(tmp_path / "a.zip")


def test_large_images_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "LARGEST", 100)
    with pytest.raises(ValueError, match="12x10 pixels"):
        decode.decode(save(tmp_path / "a.png"))


def test_mixed_sizes_without_a_size(tmp_path):
    files = [save(tmp_path / "a.png"), save(tmp_path / "b.png", size=(5, 5))]
    with pytest.raises(ValueError, match="several sizes"):
        decode.decode_all(files, files)


# Pipelines


def test_batches_in_order():
    got = list(batches(numbered(), size=(8, 8), batch_size=8).as_numpy_iterator())
    assert [len(labels) for _, labels in got] == [8, 8, 4]
    assert np.array_equal(np.concatenate([labels for _, labels in got]), np.arange(20))
    assert got[0][0].dtype == "float32" and np.array_equal(got[0][0][:, 3, 3, 1], got[0][1])


def test_training_batches_shuffle_repeatably_and_keep_labels():
    def epoch(seed):
        data = batches(numbered(), size=(8, 8), batch_size=8, training=True, augment=["flip"], seed=seed)
        return list(data.as_numpy_iterator()) + list(data.as_numpy_iterator())

    first, again, other = epoch(1), epoch(1), epoch(2)
    orders = [[labels.tolist() for _, labels in run] for run in (first, again, other)]
    assert orders[0] == orders[1] != orders[2] and orders[0][:2] != orders[0][2:]
    assert all(np.array_equal(pixels[:, 0, 0, 0], labels) for pixels, labels in first)


def test_alternating_flips_show_both_sides_in_any_two_epochs():
    pixels = np.zeros((48, 4, 4, 3), "uint8")
    pixels[:, :, 0] = 9  # The left edge.
    images = Images(np.arange(48, dtype="int32"), pixels=pixels)
    data = batches(images, size=(4, 4), batch_size=8, training=True, augment=["alternate"])
    epochs = []
    for _ in range(3):
        sides = {}
        for batch, labels in data.as_numpy_iterator():
            assert ((batch[:, 0, 0, 0] == 9) != (batch[:, 0, -1, 0] == 9)).all()
            sides |= dict(zip(labels.tolist(), batch[:, 0, 0, 0] == 9))
        epochs.append(np.array([sides[label] for label in range(48)]))
    np.testing.assert_array_equal(epochs[0], ~epochs[1])
    np.testing.assert_array_equal(epochs[0], epochs[2])
    assert 12 < epochs[0].sum() < 36


def test_views_are_augmented_each_by_itself():
    images = Images(np.arange(8, dtype="int32"), pixels=np.arange(8 * 48, dtype="uint8").reshape(8, 4, 4, 3))
    for options in ({"augment": ["flip"]}, {"augment": ["alternate"]}, {}):
        data = batches(images, size=(4, 4), batch_size=4, training=True, views=3, **options)
        differing = 0
        seen = []
        for _ in range(4):
            for pixels, labels in data.as_numpy_iterator():
                assert pixels.shape == (12, 4, 4, 3)
                np.testing.assert_array_equal(labels, np.repeat(labels[::3], 3))
                seen.extend(labels[::3])
                for views, label in zip(pixels.reshape(4, 3, 4, 4, 3), labels[::3]):
                    plain = images.pixels[label].astype("float32")
                    assert all(np.array_equal(view, plain) or np.array_equal(view, plain[:, ::-1]) for view in views)
                    differing += not all(np.array_equal(view, views[0]) for view in views)
        assert sorted(seen) == sorted(list(range(8)) * 4)
        # Three independent flips of 32 images are alike in a quarter of them.
        assert (10 < differing < 32) if options.get("augment") == ["flip"] else differing == 0
    pixels, _ = next(iter(batches(images, size=(4, 4), batch_size=4, views=3)))
    assert pixels.shape[0] == 4  # Nothing is repeated outside training.


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_augmentations_change_pixels_repeatably(name):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    images = Images(np.arange(16, dtype="int32") % 4, pixels=rng.integers(0, 256, (16, 16, 16, 3)).astype("uint8"))
    data = batches(images, size=(16, 16), batch_size=16, training=True, augment=[name], num_classes=4)
    pixels, labels = next(iter(data))
    assert pixels.shape == (16, 16, 16, 3) and labels.shape == (16, 4)
    assert tf.reduce_all(tf.math.is_finite(pixels)) and float(tf.reduce_max(pixels)) <= 256
    assert np.allclose(tf.reduce_sum(labels, axis=1), 1, atol=1e-5)
    plain, _ = next(iter(batches(images, size=(16, 16), batch_size=16, training=True)))
    assert np.abs(plain.numpy() - pixels.numpy()).max() > 1


def test_crop_takes_windows_of_the_padded_image():
    import tensorflow as tf

    pixels = np.arange(1, 65, dtype="uint8").reshape(1, 8, 8, 1).repeat(50, axis=0).repeat(3, axis=-1)
    change = augmentation(["crop"])
    cropped = change(tf.constant(pixels), tf.zeros(50, "int32"), tf.constant(5, "int64"))[0].numpy()
    padded = np.pad(pixels[0], ((1, 1), (1, 1), (0, 0)))
    windows = {padded[y : y + 8, x : x + 8].tobytes() for y in range(3) for x in range(3)}
    got = {image.astype("uint8").tobytes() for image in cropped}
    assert got <= windows and len(got) == 9


def test_gridmask_needs_keras_cv(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    with pytest.raises(ImportError, match=r'keras_cv is needed.*pip install "kerazoo\[cv\]"'):
        augmentation(["gridmask"])


def test_mixing_needs_the_number_of_classes():
    with pytest.raises(ValueError, match="num_classes"):
        augmentation(["mixup"])
    with pytest.raises(ValueError, match="Did you mean 'flip'"):
        augmentation(["flop"])


def test_batches_resize_and_throughput():
    data = batches(numbered(), size=(12, 16), batch_size=10)
    assert next(iter(data))[0].shape == (10, 12, 16, 3)
    assert throughput(data, seconds=0.05) > 0


def test_no_images():
    with pytest.raises(ValueError, match="at least one image"):
        batches(Images(np.zeros(0, "int32"), pixels=np.zeros((0, 8, 8, 3), "uint8")), size=(8, 8), batch_size=2)
