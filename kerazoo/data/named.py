"""Named image data sets: from KERAZOO_DATA_DIR, an installed package, or the network, in that order."""

import re
from pathlib import Path

import numpy as np

from kerazoo.data.archives import read_zip
from kerazoo.data.decode import SUFFIXES, decode_all
from kerazoo.data.download import checksum, download
from kerazoo.data.idx import read_idx
from kerazoo.data.images import ImageData, Images
from kerazoo.data.locate import data_folder
from kerazoo.data.splits import draw_missing
from kerazoo.data.walk import is_visible
from kerazoo.extras import need
from kerazoo.registry import unknown_choice


def load(name, *, size=None):
    """Loads a named data set of labelled images, with its standard splits.

    Args:
        name: a key of `LOADERS`, or "tfds:" and any name of TensorFlow Datasets.
        size: (H, W) for sets whose images have no one size of their own.

    Returns:
        An `ImageData`.

    Raises:
        ValueError: an unknown name, or damaged files.
        ConnectionError: the files are nowhere on this machine and cannot be fetched.
        ImportError: a package that the data set needs is not installed.

    Example:

    >>> load("digits").train.pixels.shape
    (1295, 8, 8, 3)
    """
    if name.startswith("tfds:"):
        from kerazoo.data.tfds import from_tfds

        return from_tfds(name.removeprefix("tfds:"), size=size)
    if name not in LOADERS:
        choices = [*LOADERS, "tfds:<name>"]
        raise ValueError(unknown_choice("data set", name, choices))
    return LOADERS[name]()


def digits():
    """1,797 scans of handwritten digits, 8x8, that scikit-learn carries (UCI optdigits, its test part)."""
    need("sklearn")
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = np.round(data.images * (255 / 16)).astype("uint8")  # Intensities run from 0 to 16.
    parts, drawn = draw_missing({"train": _grey(grey, data.target)})
    return ImageData(
        "digits",
        tuple(map(str, range(10))),
        **parts,
        split="; ".join(["none upstream", *drawn]),
        source="scikit-learn's load_digits: UCI Optical Recognition of Handwritten Digits, the test part",
        terms="CC BY 4.0 (UCI Machine Learning Repository)",
    )


def cifar10():
    """60,000 colour photographs, 32x32, of ten kinds of things (Krizhevsky, 2009)."""
    facts = {
        "terms": "for research; the authors ask to cite Krizhevsky (2009) and state no licence",
        "published": {"score": 0.9125, "of": "ResNet-20 by He et al. (2015), trained for 164 epochs"},
    }
    archive = data_folder() / "cifar10_jpg.zip"
    if archive.is_file():
        contents = read_zip(archive, lambda name: name.lower().endswith(SUFFIXES) and is_visible(name))
        source = f"{archive.name}: https://www.cs.toronto.edu/~kriz/cifar.html, re-encoded as JPEG (lossy)"
        return _from_tree("cifar10", contents, source=source, **facts)
    from kerazoo.data.tfds import from_tfds

    try:
        return ImageData(**(vars(from_tfds("cifar10")) | {"name": "cifar10"} | facts))
    except ConnectionError as error:
        raise ConnectionError(
            f"{error} Or put cifar10_jpg.zip (train|test/class/image.jpg) in {data_folder()}."
        ) from error


def mnist():
    """70,000 handwritten digits, 28x28 (LeCun, Cortes and Burges, 1998)."""
    return _from_idx(
        "mnist",
        tuple(map(str, range(10))),
        address="https://storage.googleapis.com/cvdf-datasets/mnist/",
        files={
            "train-images-idx3-ubyte.gz": (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            "train-labels-idx1-ubyte.gz": (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            "t10k-images-idx3-ubyte.gz": (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            "t10k-labels-idx1-ubyte.gz": (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        },
        terms="CC BY-SA 3.0",
        published={"score": 0.9905, "of": "LeNet-5 by LeCun et al. (1998), without distortions"},
    )


def fashion_mnist():
    """70,000 pictures of clothing, 28x28 (Xiao, Rasul and Vollgraf, 2017)."""
    return _from_idx(
        "fashion_mnist",
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files={
            "train-images-idx3-ubyte.gz": (
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            "train-labels-idx1-ubyte.gz": (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            "t10k-images-idx3-ubyte.gz": (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            "t10k-labels-idx1-ubyte.gz": (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        },
        # Debian's dataset-fashion-mnist: the same data, compressed again without names and times.
        installed=Path("/usr/share/datasets/fashion-mnist"),
        repacked={
            "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
            "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        },
        terms="MIT",
        published={"score": 0.925, "of": "two convolutions with pooling, of the benchmark in the authors' repository"},
    )


LOADERS = {"digits": digits, "cifar10": cifar10, "mnist": mnist, "fashion_mnist": fashion_mnist}


def _grey(pixels, labels):
    """Grey images, (N, H, W), as RGB by repetition."""
    return Images(labels.astype("int32"), pixels=np.repeat(pixels[..., None], 3, axis=-1))


def _from_tree(name, contents, **facts):
    """An `ImageData` from {"train|test/class/file": bytes}."""
    paths = [match for match in (re.search(r"(train|test)/([^/]+)/[^/]+$", path) for path in contents) if match]
    classes = tuple(sorted({path[2] for path in paths}))
    parts, unreadable = {}, []
    for part in ("train", "test"):
        names = [path.string for path in paths if path[1] == part]
        labels = np.array([classes.index(path[2]) for path in paths if path[1] == part], "int32")
        pixels, readable, failed = decode_all([contents[name] for name in names], names)
        if pixels is None:
            raise ValueError(f"The archive of {name!r} has no readable image in {part}/class/. {failed[:3]}")
        parts[part] = Images(labels[readable], pixels=pixels)
        unreadable += failed
    parts, drawn = draw_missing(parts)
    split = "; ".join(["upstream train and test", *drawn])
    return ImageData(name, classes, **parts, split=split, unreadable=unreadable, **facts)


def _from_idx(name, classes, *, address, files, installed=None, repacked=None, **facts):
    """An `ImageData` from MNIST's four files."""
    found = {file: _find(name, file, address, *files[file], installed, (repacked or {}).get(file)) for file in files}
    parts = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        pixels = read_idx(found[f"{prefix}-images-idx3-ubyte.gz"])
        labels = read_idx(found[f"{prefix}-labels-idx1-ubyte.gz"])
        parts[part] = _grey(pixels, labels)
    parts, drawn = draw_missing(parts)
    split = "; ".join(["upstream train and test", *drawn])
    return ImageData(name, classes, **parts, split=split, source=address, **facts)


def _find(name, file, address, size, sha256, installed, repacked):
    """The file's path: in the data folder, in an installed package, or downloaded; its checksum always holds."""
    known = {sha256, repacked}
    for candidate in (data_folder() / name / file, data_folder() / file, installed and installed / file):
        if candidate and candidate.is_file():
            received = checksum(candidate)
            if received in known:
                return candidate
            # Fashion-MNIST has MNIST's file names: without a folder of its own it is another set's file.
            if candidate.parent.name == name:
                raise ValueError(f"{candidate} must have sha256 {sha256}. Received: {received}.")
    return download(address + file, data_folder() / name / file, sha256=sha256, size=size)
