"""Labelled images in memory or in files, and the splits of a data set."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Images:
    """Labelled images of one split: pixels held in memory, or the files they are read from.

    Attributes:
        labels: int32, (N,), indices into the data set's classes.
        pixels: uint8, (N, H, W, 3), or None where the images stay in files.
        files: (N,) paths, or None where the pixels are held.
        names: (N,) what each image is called, or None where nobody says.
    """

    labels: np.ndarray
    pixels: np.ndarray | None = None
    files: np.ndarray | None = None
    names: np.ndarray | None = None

    def __post_init__(self):
        if (self.pixels is None) == (self.files is None):
            raise ValueError("`Images` holds either `pixels` or `files`.")
        held = self.files if self.pixels is None else self.pixels
        if len(held) != len(self.labels):
            raise ValueError(f"Images and labels must be as many. Received: {len(held)} and {len(self.labels)}.")

    def __len__(self):
        return len(self.labels)

    def take(self, indices):
        """The images at these positions, in this order."""
        held = {name: value for name, value in vars(self).items() if value is not None}
        return Images(**{name: value[indices] for name, value in held.items()})


@dataclass(frozen=True)
class ImageData:
    """A data set of labelled images with its splits and where it comes from.

    Attributes:
        name: as in the command line and the report.
        classes: names, in the order of the labels.
        train, validation, test: `Images`.
        split: one sentence: whose split this is, and its seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        published: {"score": accuracy, "of": whose figure} or None.
        unreadable: [(file, reason)] of the files that were left out.
        duplicates: what `kerazoo.data.duplicates` found, as JSON types.
    """

    name: str
    classes: tuple
    train: Images
    validation: Images
    test: Images
    split: str = ""
    source: str = ""
    terms: str = ""
    published: dict | None = None
    unreadable: list = field(default_factory=list)
    duplicates: dict = field(default_factory=dict)

    def record(self):
        """Everything but the images, as JSON types."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "train": len(self.train),
            "validation": len(self.validation),
            "test": len(self.test),
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "unreadable": [list(row) for row in self.unreadable],
            "duplicates": self.duplicates,
        }

    def limited(self, count, *, seed=0):
        """The same data with at most `count` images in each split, drawn evenly from the classes."""
        from kerazoo.data.splits import stratified_sample

        rng = np.random.default_rng(seed)
        splits = {
            name: part.take(stratified_sample(part.labels, count, rng)) if len(part) > count else part
            for name, part in (("train", self.train), ("validation", self.validation), ("test", self.test))
        }
        return ImageData(**(vars(self) | splits))
