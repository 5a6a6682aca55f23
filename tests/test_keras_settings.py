"""Keras's settings, the order of imports, and numbers of classes: what `build` gives or refuses."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.model_files import load_model
from kerazoo.serializable import FOLDERS, MARK, PACKAGE, modules


@pytest.fixture
def channels_first():
    """Keras's setting for the length of a test."""
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


def test_channels_first_is_refused_by_name(channels_first, tmp_path):
    """Some models were other models under it, with no word; others failed in the middle of a layer."""
    keras.config.set_image_data_format("channels_last")
    kerazoo.build("lenet5").save(tmp_path / "model.keras")
    keras.config.set_image_data_format("channels_first")
    for make in (
        lambda: kerazoo.build("resnet18", num_classes=4),
        lambda: kerazoo.build("mlp"),
        lambda: kerazoo.backbone("resnet20"),
        lambda: load_model(tmp_path / "model.keras"),
    ):
        with pytest.raises(ValueError, match="`image_data_format` must be 'channels_last'.*'channels_first'"):
            make()
    assert keras.config.image_data_format() == "channels_first"


@pytest.mark.parametrize(
    "order",
    [
        ("kerazoo", "tensorflow", "keras"),
        ("kerazoo", "keras", "tensorflow"),
        ("tensorflow", "kerazoo", "keras"),
        ("keras", "kerazoo"),
    ],
    ids=">".join,
)
def test_saved_models_open_in_every_order_of_imports(tmp_path, order):
    """All serialisable classes are known, and a file with some of them opens in safe mode."""
    kerazoo.build("resnet20", num_classes=3).save(tmp_path / "model.keras")
    code = "".join(f"import {module}\n" for module in order) + (
        "import sys, keras\n"
        "from kerazoo.serializable import modules\n"
        "assert not [name for name in modules() if name not in sys.modules]\n"
        f"print(keras.saving.load_model({str(tmp_path / 'model.keras')!r}).name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "resnet20\n", done.stderr[-2000:]


def test_every_serialisable_class_is_where_keras_is_told_of_it():
    marked = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if MARK in path.read_bytes()]
    outside = [str(path) for path in marked if path.parts[0] not in FOLDERS and path.name != "serializable.py"]
    assert modules() and not outside


@pytest.mark.parametrize(
    ("name", "argument", "rule"),
    [
        ("lenet5", 1, "at least 2 for image_classification"),
        ("textcnn", 0, "at least 2 for text_classification"),
        ("inception_time", 1, "at least 2 for series_classification"),
        ("albert_base_tagger", 1, "at least 2 for token_classification"),
        ("resnet18", True, "at least 2"),
        ("resnet18", 2.0, "at least 2"),
        ("resnet18", "3", "at least 2"),
        ("fast_scnn", 0, "at least 1 for semantic_segmentation"),
        ("yolov8_n", -1, "at least 1 for object_detection"),
    ],
)
def test_too_few_classes_are_refused_before_anything_is_built(name, argument, rule):
    with pytest.raises(ValueError, match=f"{rule}.*Received: {argument!r}"):
        kerazoo.build(name, num_classes=argument)


def test_numpy_numbers_of_classes_are_numbers():
    assert kerazoo.build("lenet5", num_classes=np.int64(3)).output_shape == (None, 3)
