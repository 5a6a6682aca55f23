"""Images with the class of every pixel, in memory, and the reading of their masks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from kerazoo.data.decode import decode, file_bytes, opened, upright
from kerazoo.data.memory import fits
from kerazoo.extras import need
from kerazoo.image_kinds import kind, orientation

VOID = 255  # The value of pixels that belong to no class; losses and metrics leave them out.
MASK_SUFFIXES = (".png", ".bmp", ".gif")
MASK_KINDS = ("PNG", "BMP", "GIF")


@dataclass(frozen=True)
class Masked:
    """Images of one split with their masks.

    Attributes:
        joined: uint8, (N, H, W, 4): red, green, blue and the class of each pixel, `VOID` where it has none.
        names: (N,) what each image is called.
    """

    joined: np.ndarray
    names: tuple

    def __post_init__(self):
        if self.joined.ndim != 4 or self.joined.shape[-1] != 4 or len(self.joined) != len(self.names):
            raise ValueError(
                "`joined` must be (N, H, W, 4), with as many names. "
                f"Received: {self.joined.shape} and {len(self.names)} names."
            )

    def __len__(self):
        return len(self.joined)

    @property
    def pixels(self):
        """uint8, (N, H, W, 3)."""
        return self.joined[..., :3]

    @property
    def masks(self):
        """uint8, (N, H, W)."""
        return self.joined[..., 3]

    def take(self, positions):
        """The images at these positions, in this order."""
        return Masked(self.joined[positions], tuple(self.names[i] for i in positions))


@dataclass(frozen=True)
class MaskData:
    """A data set of images with masks, its splits and where it comes from.

    Attributes:
        name: as in the command line and the report.
        classes: names, in the order of the values.
        train, validation, test: `Masked`.
        split: one sentence: whose split this is, and its seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        published: [{"score", "of", "metric"}]: figures to hold a run against.
        unreadable: [(file, reason)] of the pairs that were left out.
        border: the class whose pixels divide objects from each other, or None: then objects are scored too.
        duplicates: what `kerazoo.data.duplicates` found, as JSON types.
    """

    name: str
    classes: tuple
    train: Masked
    validation: Masked
    test: Masked
    split: str = ""
    source: str = ""
    terms: str = ""
    published: list = field(default_factory=list)
    unreadable: list = field(default_factory=list)
    border: int | None = None
    duplicates: dict = field(default_factory=dict)

    @property
    def size(self):
        """(H, W) of every image."""
        return self.train.joined.shape[1:3]

    def record(self):
        """Everything but the images, as JSON types."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test),
            "size": list(self.size),
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "border": None if self.border is None else self.classes[self.border],
            "unreadable": [list(row) for row in self.unreadable],
            "duplicates": self.duplicates,
        }

    def limited(self, count):
        """The same data with at most `count` images in each split, evenly spaced in it."""
        parts = {}
        for name in ("train", "validation", "test"):
            part = getattr(self, name)
            kept = np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).astype(int))
            parts[name] = part.take(kept)
        return MaskData(**(vars(self) | parts))


def decode_mask(content):
    """One mask file to class values, uint8, (H, W): a palette's indices, or grey values as they are.

    Black and white of one bit are 0 and 1. What is transparent counts as if it were not. A mask is turned as its EXIF
    orientation says, as images are.

    Args:
        content: bytes, or a path.

    Raises:
        ValueError: not a readable PNG, BMP or GIF; values above 255; colours, which are no class values.
        FileNotFoundError: no such file.
        ImportError: without pillow.
    """
    need("PIL")
    try:
        content = file_bytes(content)
        form = kind(content)
        if form not in MASK_KINDS:
            raise ValueError(f"masks are {', '.join(MASK_KINDS)} files, which keep every value; its content is {form}")
        with opened(content, form) as image:
            values = _deep_samples(content) if form == "PNG" and content[24] == 16 else np.asarray(image)
    except FileNotFoundError:
        raise
    except Exception as error:  # Pillow raises whatever a damaged file leads its readers to.
        raise ValueError(f"not a readable mask: {error}") from error
    if values.ndim == 3:
        values = values[..., : 1 if values.shape[-1] <= 2 else 3]  # Without alpha.
        if not (values[..., :1] == values).all():  # Some tools write grey as red, green and blue.
            raise ValueError("a mask of colours: its pixels must be class values, in a palette or grey PNG")
        values = values[..., 0]
    if values.max() > VOID:
        raise ValueError(f"values of a mask must be at most {VOID}. Received: {values.max()}")
    return upright(values.astype("uint8"), orientation(content))


def _deep_samples(content):
    """A PNG of 16 bits, (H, W, channels): Pillow keeps the upper 8 of colours and alpha, where no class value is."""
    import tensorflow as tf

    return tf.io.decode_png(content, dtype=tf.uint16).numpy()


def read_pairs(pairs, *, size=None):
    """Reads images and their masks, in parallel; pairs that do not fit or cannot be read are set aside.

    Args:
        pairs: [(name, image, mask)]: what the pair is called, and the bytes or the path of each file.
        size: (H, W) to resize to, images bilinearly, masks to the nearest pixel; None where all have one size.

    Returns:
        `(Masked, [(name, reason)])`.

    Raises:
        ValueError: images of several sizes and no `size`, more than memory holds, or no readable pair.
    """

    def attempt(pair):
        try:
            return _read_pair(*pair[1:], size), None
        except (ValueError, FileNotFoundError) as error:
            return None, str(error)

    joined, names, unreadable = None, [], []
    with ThreadPoolExecutor() as pool:
        for (name, *_), (image, reason) in zip(pairs, pool.map(attempt, pairs)):
            if reason:
                unreadable.append((name, reason))
                continue
            if joined is None:
                if not fits(len(pairs) * image.nbytes):
                    raise ValueError(
                        f"The images must fit into memory at their size: give a smaller one. Received: {len(pairs):,} "
                        f"images of {image.shape[0]}x{image.shape[1]}, {len(pairs) * image.nbytes / 2**30:.1f} GiB."
                    )
                joined = np.empty((len(pairs), *image.shape), "uint8")
            if image.shape != joined.shape[1:]:
                raise ValueError(
                    f"Images of several sizes need a `size` to be resized to. Received: {joined.shape[1:3]} "
                    f"({names[0]}) and {image.shape[:2]} ({name})."
                )
            joined[len(names)] = image
            names.append(name)
    if joined is None:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unreadable[:5])
        raise ValueError(f"There must be a readable image with its mask. Received: {reasons or 'no pairs'}.")
    return Masked(joined[: len(names)], tuple(names)), unreadable


def _read_pair(image, mask, size):
    """(H, W, 4) uint8."""
    from PIL import Image

    pixels, values = decode(image), decode_mask(mask)
    if pixels.shape[:2] != values.shape:
        said = f"the mask must be as large as its image, {_written(pixels)}. Received: {_written(values)}"
        if pixels.shape[:2] == values.shape[::-1]:
            said += "; an image is turned upright by its EXIF orientation, a mask must be too"
        raise ValueError(said)
    if size is not None and values.shape != tuple(size):
        pixels = np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR))
        values = np.asarray(Image.fromarray(values).resize(size[::-1], Image.Resampling.NEAREST))
    return np.concatenate([pixels, values[..., None]], axis=-1)


def _written(array):
    return f"{array.shape[1]}x{array.shape[0]}"
