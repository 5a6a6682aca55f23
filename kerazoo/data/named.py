"""Named image data sets, whole or not at all: from KERAZOO_DATA_DIR, an installed package, or the network."""

import re

import numpy as np

from kerazoo.data.archives import read_zip
from kerazoo.data.decode import SUFFIXES, decode_all
from kerazoo.data.extras import need
from kerazoo.data.images import ImageData, Images
from kerazoo.data.locate import data_folder
from kerazoo.data.splits import LARGEST_VALIDATION, stratified_split
from kerazoo.registry import unknown_choice

VALIDATION_SEED = 0


def load(name):
    """Loads a named data set of labelled images, by its standard splits.

    Raises:
        ValueError: an unknown name, or damaged files.
        FileNotFoundError: the files are nowhere, and cannot be fetched.
        ImportError: a package that the data set needs is not installed.
    """
    if name not in LOADERS:
        raise ValueError(unknown_choice("data set", name, LOADERS))
    return LOADERS[name]()


def digits():
    """1,797 scans of handwritten digits, 8x8, that scikit-learn carries (UCI optdigits, the test part)."""
    need("sklearn")
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.round(data.images * (255 / 16)).astype("uint8")  # Intensities run from 0 to 16.
    images = Images(data.target.astype("int32"), pixels=np.repeat(grey[..., None], 3, axis=-1))
    rest, test = stratified_split(images.labels, 0.2, seed=VALIDATION_SEED)
    return _with_validation(
        "digits",
        tuple(map(str, range(10))),
        images.take(rest),
        images.take(test),
        split=f"no split upstream: a fifth of every class is the test split, seed {VALIDATION_SEED}",
        source="scikit-learn, sklearn.datasets.load_digits: UCI Optical Recognition of Handwritten Digits",
        terms="CC BY 4.0 (UCI Machine Learning Repository)",
    )


def cifar10():
    """60,000 colour photographs, 32x32, of ten kinds of things (Krizhevsky, 2009)."""
    archive = data_folder() / "cifar10_jpg.zip"
    if not archive.is_file():
        raise FileNotFoundError(f"`cifar10` needs {archive}.")
    contents = read_zip(archive, lambda name: name.lower().endswith(SUFFIXES))
    return _from_tree(
        "cifar10",
        contents,
        split="the upstream split: 50,000 for training, 10,000 for the test",
        source=f"{archive.name}: CIFAR-10, https://www.cs.toronto.edu/~kriz/cifar.html, re-encoded as JPEG",
        terms="for research; the authors ask to cite Krizhevsky (2009) and state no licence",
        published={"score": 0.9125, "of": "ResNet-20, He et al. (2015), 164 epochs on the original PNG-exact images"},
    )


def _from_tree(name, contents, **facts):
    """An `ImageData` from {"train|test/class/file": bytes}."""
    paths = [match for match in (re.search(r"(train|test)/([^/]+)/[^/]+$", path) for path in contents) if match]
    classes = tuple(sorted({path[2] for path in paths}))
    parts, unreadable = {}, []
    for part in ("train", "test"):
        names = [path.string for path in paths if path[1] == part]
        labels = np.array([classes.index(path[2]) for path in paths if path[1] == part], "int32")
        pixels, readable, failed = decode_all([contents[name] for name in names], names)
        parts[part] = Images(labels[readable], pixels=pixels)
        unreadable += failed
    return _with_validation(name, classes, parts["train"], parts["test"], unreadable=unreadable, **facts)


def _with_validation(name, classes, train, test, *, split, **facts):
    rest, validation = stratified_split(train.labels, 0.1, seed=VALIDATION_SEED, largest=LARGEST_VALIDATION)
    split += f"; {len(validation)} training images set aside for validation, seed {VALIDATION_SEED}"
    return ImageData(name, classes, train.take(rest), train.take(validation), test, split=split, **facts)


LOADERS = {"digits": digits, "cifar10": cifar10}
