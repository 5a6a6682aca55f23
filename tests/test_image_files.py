"""One picture, every form of file: whatever reads images gives the same pixels, and refuses the same files."""

import functools
from types import SimpleNamespace

import keras
import numpy as np
import pytest

pytest.importorskip("PIL")
import tensorflow as tf
from image_files import HEIGHT, WIDTH, exif, files, refused, saved, segment, with_segments
from PIL import Image

import kerazoo
from kerazoo import image_graph, image_kinds
from kerazoo.data import folders
from kerazoo.data.decode import decode
from kerazoo.data.detection import Flaws, Record, checked
from kerazoo.data.detection_pipeline import Letterboxes
from kerazoo.data.faces import faces_in
from kerazoo.data.masks import read_pairs
from kerazoo.data.pictures import read_picture
from kerazoo.data.pipeline import batches
from kerazoo.exporters import raw

SIZE = (HEIGHT, WIDTH)
FILES = files()
NAMES = list(FILES)


def suffix(content):
    """A wrong one: the content decides."""
    return ".png" if content.startswith(b"\xff\xd8") else ".jpg"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Every file as an image of two classes."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("one", "two"):
        (folder / name).mkdir()
        for i, (content, *_) in enumerate(FILES.values()):
            (folder / name / f"{i:03}{suffix(content)}").write_bytes(content)
    return folder


def class_folders(root, *, held, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "fits", lambda size: held)
        data = folders.from_folder(root, size=SIZE)
    assert not data.unreadable
    found = {}
    for part in (data.train, data.validation, data.test):
        assert (part.pixels is not None) == held
        rows = np.concatenate([pixels for pixels, _ in batches(part, size=SIZE, batch_size=16, **options)])
        found |= {int(name.split("/")[-1][:3]): pixels for name, pixels in zip(part.names, rows)}
    return [found[i] for i in range(len(NAMES))]


def of_masks(root):
    mask = saved(np.zeros(SIZE, "uint8"), "PNG")
    images, unreadable = read_pairs([(path.name, path, mask) for path in sorted((root / "one").iterdir())])
    assert not unreadable
    return images.pixels


def of_detection(root, *, keep):
    flaws = Flaws()
    found = checked([Record(path.name, path) for path in sorted((root / "one").iterdir())], flaws)
    assert not flaws.unreadable
    return Letterboxes(found, SIZE, keep=keep).load(tf.range(len(found), dtype="int64")).numpy()


def served(root):
    """The pixels behind a `raw` endpoint: its classes are the values of the picture, its scores what they are."""
    facts = SimpleNamespace(shape=(None, *SIZE, 3), dtype="float32")
    interface = SimpleNamespace(
        inputs={"image": facts}, serve=lambda image: {"y": tf.reshape(image, (-1, 3 * HEIGHT * WIDTH))}
    )
    metadata = {"output": "probabilities", "top_k": 3 * HEIGHT * WIDTH}
    answers = tf.function(raw.endpoint(interface, metadata).function)(tf.constant([row[0] for row in FILES.values()]))
    order = np.argsort(answers["labels"].numpy().astype(int), axis=1)
    return np.take_along_axis(answers["scores"].numpy(), order, axis=1).reshape(-1, *SIZE, 3)


PATHS = {
    "bytes": lambda root: [decode(content) for content, *_ in FILES.values()],
    "class folders in memory": functools.partial(class_folders, held=True),
    "class folders in files": functools.partial(class_folders, held=False),
    "class folders for a data service": functools.partial(class_folders, held=False, in_graph=True),
    "images of masks": of_masks,
    "images of boxes in memory": functools.partial(of_detection, keep=True),
    "images of boxes in files": functools.partial(of_detection, keep=False),
    "faces": lambda root: faces_in(root, size=SIZE).pixels[: len(NAMES)],
    "pictures for styles": lambda root: [read_picture(path) for path in sorted((root / "one").iterdir())],
    "raw endpoint": served,
}


@pytest.fixture(scope="module")
def read(root):
    return functools.cache(lambda path: PATHS[path](root))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NAMES)
def test_every_path_gives_the_same_pixels(read, path, name):
    _, wanted, tolerance = FILES[name]
    received = np.asarray(read(path)[NAMES.index(name)], int)
    assert received.shape == wanted.shape
    assert np.abs(received - wanted).max() <= tolerance


def test_files_for_a_data_service_need_no_python(root):
    """Its workers are other processes, which know no function of this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "fits", lambda size: False)
        train = folders.from_folder(root, size=SIZE).train
    graphs = [
        tf.raw_ops.DatasetToGraphV2(
            input_dataset=batches(train, size=SIZE, batch_size=4, in_graph=in_graph)._variant_tensor,
            external_state_policy=1,
        ).numpy()
        for in_graph in (True, False)
    ]
    assert [b"PyFunc" in graph for graph in graphs] == [False, True]


def test_grey_is_the_same_in_and_outside_of_a_graph():
    grey = tf.function(lambda file: image_graph.decode(file, channels=1))
    for name, (content, wanted, tolerance) in FILES.items():
        received = decode(content, channels=1)
        by_hand = np.asarray(Image.fromarray(wanted).convert("L"))[..., None]
        assert np.abs(received.astype(int) - by_hand).max() <= tolerance, name
        assert np.abs(grey(tf.constant(content)).numpy().astype(int) - received).max() <= tolerance, name


@pytest.mark.parametrize("name", refused())
def test_what_is_refused_is_refused_everywhere(name):
    content, rule = refused()[name]
    with pytest.raises(ValueError, match=f"not a readable image: .*{rule}"):
        decode(content)
    with pytest.raises(tf.errors.InvalidArgumentError):
        image_graph.decode(tf.constant(content))


def test_refusals_of_a_graph_say_the_rule():
    for name, rule in (
        ("tiff", image_kinds.READ),
        ("webp animated", image_kinds.WEBP_RULE),
        ("bmp compressed", image_kinds.BMP_RULE),
        ("plain ppm", image_kinds.READ),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rule):
            image_graph.decode(tf.constant(refused()[name][0]))


def test_bounds_are_checked_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr(image_kinds, "LARGEST", 70)  # The picture has 77 pixels.
    for name in ("jpeg", "png", "bmp palette", "gif", "ppm", "webp", "webp lossless", "webp alpha"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="1 to 70 pixels"):
            image_graph.decode(tf.constant(FILES[name][0]))
    monkeypatch.setattr(image_kinds, "LARGEST_FILE", 200)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 200 bytes"):
        image_graph.decode(tf.constant(FILES["jpeg"][0]))
    monkeypatch.setattr("kerazoo.data.decode.LARGEST_FILE", 200)
    with pytest.raises(ValueError, match="at most 200 are read"):
        decode(FILES["jpeg"][0])


def test_later_frames_of_a_gif_are_never_decoded():
    """A frame of 65,535 pixels a side behind the first: giflib would take 4 GB for it."""
    content = FILES["gif"][0]
    bomb = b",\0\0\0\0\xff\xff\xff\xff\0\x08\x01\x00\x00"
    np.testing.assert_array_equal(image_graph.decode(tf.constant(content[:-1] + bomb)).numpy(), FILES["gif"][1])


def test_a_photograph_is_reduced_alike_in_training_and_serving():
    """Training decodes a JPEG at a fraction of its size; what is served is decoded whole."""
    rows, columns = np.mgrid[0:600, 0:800]
    waves = [127 + 120 * np.sin(rows / a) * np.cos(columns / b) for a, b in ((3, 40), (30, 4), (5, 5))]
    content = saved(np.stack(waves, axis=-1).astype("uint8"), "JPEG", quality=92)
    for side in (32, 96, 224):
        whole = tf.image.resize(image_graph.decode(tf.constant(content)), (side, side), antialias=True).numpy()
        assert np.abs(decode(content, size=(side, side)) - whole).max() < 6


def test_a_served_classifier_answers_for_a_turned_photograph_as_it_was_trained(tmp_path):
    model = kerazoo.build("lenet5", num_classes=3, seed=0)
    metadata = {"labels": list("abc"), "top_k": 3, "preprocessing": {"antialias": True}}
    kerazoo.export(model, tmp_path, formats=("saved_model",), signature="raw", metadata=metadata, verify=False)
    served = kerazoo.load(tmp_path)
    rows, columns = np.mgrid[0:64, 0:96]
    photograph = np.stack([rows * 4, columns * 2, (rows > 20) * 255], axis=-1).astype("uint8")
    contents = [with_segments(saved(photograph, "JPEG", quality=95), segment(0xE1, exif(o))) for o in range(1, 9)]
    answer = served.raw(contents)
    pixels = np.stack([decode(content, size=(32, 32)) for content in contents]).astype("float32")
    wanted = keras.ops.softmax(model(pixels, training=False)).numpy()
    received = [[dict(zip(*row))[label] for label in "abc"] for row in zip(answer["labels"], answer["scores"])]
    np.testing.assert_allclose(received, wanted, atol=5e-3)
    assert np.ptp(wanted, axis=0).max() > 0.05, "another orientation must give another answer"
