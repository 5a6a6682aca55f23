"""TensorFlow Datasets: any image classification set of its catalogue, as `ImageData`."""

import socket
import urllib.request

import numpy as np

from kerazoo.data.images import ImageData, Images
from kerazoo.data.locate import data_folder
from kerazoo.data.memory import available, fits
from kerazoo.data.splits import draw_missing
from kerazoo.extras import need


def from_tfds(name, *, size=None, seed=0):
    """Loads a data set of TensorFlow Datasets into memory, downloading it where needed.

    Args:
        name: as tfds knows it, for instance "beans" or "cifar10:3.0.2".
        size: (H, W) that images are resized to where the data set has no one size of its own.
        seed: of the splits that are drawn where upstream has none.

    Raises:
        ValueError: an unknown name, or no image classification set.
        ConnectionError: it is not on this machine and cannot be downloaded.
        MemoryError: it does not fit in memory at this size.
        ImportError: without tensorflow-datasets.

    Example:

    >>> from_tfds("beans", size=(96, 96)).classes  # doctest: +SKIP
    ('angular_leaf_spot', 'bean_rust', 'healthy')
    """
    need("tensorflow_datasets")
    import tensorflow_datasets as tfds

    folder = data_folder() / "tensorflow_datasets"
    try:
        builder = tfds.builder(name, data_dir=str(folder))
    except (tfds.core.registered.DatasetNotFoundError, ValueError) as error:
        raise ValueError(f"Unknown data set of TensorFlow Datasets: {str(error).splitlines()[0]}") from error
    features = builder.info.features
    if not {"image", "label"} <= set(features or {}) or not hasattr(features["label"], "names"):
        raise ValueError(
            f"An image classification set has the features `image` and `label` (a class). "
            f"Received: {name!r} with {sorted(features or {})}."
        )
    try:
        if not builder.is_prepared():
            _name_lookup_works()
            builder.download_and_prepare()
    except Exception as error:  # tfds wraps whatever its downloader, its parser or the disk raised.
        raise ConnectionError(
            f"TensorFlow Datasets could not prepare {name!r}: {str(error).splitlines()[0]}. Without a network, "
            f"prepare it elsewhere and copy it to {folder}, or name the folder above it in KERAZOO_DATA_DIR."
        ) from error
    shape = features["image"].shape
    target = size if None in shape[:2] else None
    splits = builder.info.splits
    if "train" not in splits:
        raise ValueError(f"The data set must have a split `train`. Received: {sorted(splits)}.")
    parts = {"train": _read(builder, "train", target, shape)}
    for part in ("validation", "test"):
        if part in splits:
            parts[part] = _read(builder, part, target, shape)
    said = f"upstream {', '.join(parts)}"
    parts, drawn = draw_missing(parts, seed=seed)
    return ImageData(
        f"tfds:{name}",
        tuple(features["label"].names),
        **parts,
        split="; ".join([said, *drawn]),
        source=f"TensorFlow Datasets, {builder.info.full_name}",
        terms=str(builder.info.redistribution_info.license or "see the data set's page"),
    )


def _name_lookup_works():
    """Raises at once where there is no network: the downloader of tfds would retry for minutes first."""
    if not urllib.request.getproxies():
        socket.getaddrinfo("storage.googleapis.com", 443)


def _read(builder, split, size, shape):
    """One split's images, uint8, decoded in parallel by TensorFlow."""
    import tensorflow as tf

    height, width = size or shape[:2]
    count = builder.info.splits[split].num_examples
    if not fits(count * height * width * 3):
        raise MemoryError(
            f"{count} images of {height}x{width} need {count * height * width * 3 / 2**30:.1f} GiB; half of "
            f"{available() / 2**30:.1f} GiB is taken at most. Choose a smaller --image-size, or export the "
            "images to a folder and give it as --data: it is read file by file."
        )

    def prepare(example):
        image = example["image"]
        image = tf.image.grayscale_to_rgb(image) if image.shape[-1] == 1 else image[..., :3]
        if size:
            image = tf.cast(tf.round(tf.image.resize(image, size, antialias=True)), "uint8")
        return tf.ensure_shape(tf.cast(image, "uint8"), (height, width, 3)), tf.cast(example["label"], "int32")

    data = builder.as_dataset(split=split, shuffle_files=False).map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
    pixels, labels = np.empty((count, height, width, 3), "uint8"), np.empty(count, "int32")
    for position, (image, label) in enumerate(data.as_numpy_iterator()):
        pixels[position], labels[position] = image, label
    return Images(labels, pixels=pixels)
