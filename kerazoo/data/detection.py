"""Images with boxes around things, in memory alike whatever file they come from; what is wrong with them, named."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from kerazoo.data.boxes import clip, convert
from kerazoo.data.decode import decode

# Pixels by which a box may leave its image unsaid: files round to whole pixels or six digits.
ROUNDING = 1.0
# Sides up to this are a click, no object.
SMALLEST_SIDE = 1.0
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1


@dataclass(frozen=True)
class Annotations:
    """The images of one split with their boxes.

    Attributes:
        names: (N,), what predictions and messages call the images.
        sources: (N,), their files' paths, or bytes.
        sizes: int32, (N, 2), height and width, turned upright.
        boxes: N arrays, float32, (n, 4), xyxy in pixels of the upright image.
        classes: N arrays, int32, (n,).
        ignored: N arrays, bool, (n,): COCO's crowds and Pascal VOC's difficult ones. Training leaves them out; who
            finds one has neither won nor erred.
        ids: (N,), what the file calls the images, integers (COCO), else counted from 1.
    """

    names: tuple
    sources: tuple
    sizes: np.ndarray
    boxes: tuple
    classes: tuple
    ignored: tuple
    ids: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "ids", tuple(self.ids) or tuple(range(1, len(self.names) + 1)))
        counts = {name: len(value) for name, value in vars(self).items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"Every part of `Annotations` must have one item an image. Received: {counts}.")

    def __len__(self):
        return len(self.names)

    def take(self, indices):
        """The images at these positions, in this order."""
        picked = {
            name: value[np.asarray(indices, int)] if name == "sizes" else tuple(value[i] for i in indices)
            for name, value in vars(self).items()
        }
        return Annotations(**picked)

    def pixels(self, position):
        """The image itself, turned upright, uint8, (H, W, 3)."""
        return decode(self.sources[position])

    def counts(self, classes):
        """Objects of each of `classes` classes that count, (classes,)."""
        kept = [c[~i] for c, i in zip(self.classes, self.ignored)]
        return np.bincount(np.concatenate([*kept, np.zeros(0, int)]).astype(int), minlength=classes)


@dataclass(frozen=True)
class DetectionData:
    """A data set of images with boxes, its splits and where it comes from.

    Attributes:
        name: as in the command line and the report.
        classes: names, in the order of the classes' numbers.
        train, validation, test: `Annotations`.
        split: one sentence: whose split this is, and its seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        flaws: a `Flaws`.
        category_ids: what the file calls the classes, integers (COCO), else counted from 1.
        duplicates: what `kerazoo.data.duplicates` found, as JSON types.
    """

    name: str
    classes: tuple
    train: Annotations
    validation: Annotations
    test: Annotations
    split: str = ""
    source: str = ""
    terms: str = ""
    flaws: "Flaws" = field(default_factory=lambda: Flaws())
    category_ids: tuple = ()
    duplicates: dict = field(default_factory=dict)

    def record(self):
        """Everything but the images and boxes, as JSON types."""
        parts = {part: getattr(self, part) for part in ("train", "validation", "test")}
        return {
            "name": self.name,
            "classes": list(self.classes),
            **{part: len(images) for part, images in parts.items()},
            "objects": {part: images.counts(len(self.classes)).tolist() for part, images in parts.items()},
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "unreadable": [list(row) for row in self.flaws.unreadable],
            "unlabelled": list(self.flaws.unlabelled),
            "clipped": list(self.flaws.clipped),
            "dropped": list(self.flaws.dropped),
            "duplicates": self.duplicates,
        }

    def limited(self, count, *, seed=0):
        """The same data with at most `count` images in each split, drawn at random."""
        rng = np.random.default_rng(seed)
        parts = {part: getattr(self, part) for part in ("train", "validation", "test")}
        for part, images in parts.items():
            if len(images) > count:
                parts[part] = images.take(np.sort(rng.permutation(len(images))[:count]))
        return DetectionData(**(vars(self) | parts))


@dataclass
class Flaws:
    """What was wrong in the files, each by its place.

    Attributes:
        unreadable: [(file, reason)]: images that were left out with their boxes, and files that belong to no image.
        unlabelled: images without a label file, which are taken to have no objects.
        clipped: boxes that left their image and were cut at its edge.
        dropped: boxes of no area, which nothing can be learned from.
    """

    unreadable: list = field(default_factory=list)
    unlabelled: list = field(default_factory=list)
    clipped: list = field(default_factory=list)
    dropped: list = field(default_factory=list)

    def lines(self, most=5):
        """What a user should hear, one line a kind."""
        kinds = {
            "files are left out": [f"{name} ({reason})" for name, reason in self.unreadable],
            "images have no label file and are taken to have no objects": self.unlabelled,
            "boxes leave their image and are cut at its edge": self.clipped,
            "boxes of no area are left out": self.dropped,
        }
        return [
            f"{len(places):,} {words}: {'; '.join(places[:most])}" + "; ..." * (len(places) > most)
            for words, places in kinds.items()
            if places
        ]


@dataclass
class Record:
    """One image as a reader found it, before anything is checked.

    Attributes:
        name: of the image.
        source: its file's path, or bytes.
        format: of the boxes, a key of `kerazoo.data.boxes.FORMATS`.
        boxes: [four numbers].
        classes: [class number].
        places: [where the box stands, for messages].
        ignored: [bool], or empty for none.
        stated: (height, width) by the file, or None.
        id: what the file calls the image, or None.
        flaw: why the image, or a file that belongs to no image, is left out; None where nothing is known against it.
        unlabelled: whether there is no label file for it.
    """

    name: str
    source: object
    format: str = "xyxy"
    boxes: list = field(default_factory=list)
    classes: list = field(default_factory=list)
    places: list = field(default_factory=list)
    ignored: list = field(default_factory=list)
    stated: tuple | None = None
    id: int | None = None
    flaw: str | None = None
    unlabelled: bool = False


def flawed(rows):
    """A record for each (name, reason) of what a reader leaves out, to be named where images are read."""
    return [Record(name, None, flaw=reason) for name, reason in rows]


def checked(records, flaws):
    """Decodes every image once, in parallel, and holds the boxes against them.

    Images that cannot be read, or are not as large as their annotation says, are left out; boxes are clipped to
    their image; those whose side is then no more than a pixel are left out. An image without boxes stays.

    Args:
        records: `Record`s.
        flaws: a `Flaws` that gets what was found.

    Returns:
        `Annotations`.

    Raises:
        ValueError: a box with numbers that are not finite.
    """
    rows = []
    with ThreadPoolExecutor() as pool:
        for record, (size, reason) in zip(records, pool.map(_size, records)):
            if reason:
                flaws.unreadable.append((record.name, reason))
                continue
            flaws.unlabelled += [record.name] if record.unlabelled else []
            boxes, kept = _inside(record, size, flaws)
            ignored = np.array(record.ignored or [False] * len(record.boxes), bool)
            classes = np.array(record.classes, "int32").reshape(-1)
            rows.append((record.name, record.source, size, boxes, classes[kept], ignored[kept], record.id))
    names, sources, sizes, boxes, classes, ignored, ids = zip(*rows) if rows else [()] * 7
    return Annotations(
        names,
        sources,
        np.array(sizes, "int32").reshape(-1, 2),
        boxes,
        classes,
        ignored,
        ids=() if None in ids else ids,
    )


def draw_missing(parts, *, seed=0):
    """Draws the splits that a data set comes without at random from its training images.

    Returns:
        `(parts, said)`: all three, and a clause for each one that was drawn.

    Raises:
        ValueError: too few images, or an empty part.
    """
    parts, said = dict(parts), []
    for name, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        if name in parts:
            continue
        train = parts.get("train", ())
        count = max(round(len(train) * share), 1)
        if len(train) < 2:
            raise ValueError(f"A {name} split needs an image to spare. Received: {len(train)} training images.")
        order = np.random.default_rng(seed).permutation(len(train))
        parts[name], parts["train"] = train.take(np.sort(order[:count])), train.take(np.sort(order[count:]))
        said.append(f"{count:,} images drawn at random from the training images for {name}, seed {seed}")
    return parts, said


def file_names(names, suffix):
    """What the files of images' boxes are called, one an image: <name without folders and suffix><suffix>.

    Raises:
        ValueError: two images would have one file; both are in the message.

    Example:

    >>> file_names(["images/0.png", "1.jpg"], ".txt")
    ['0.txt', '1.txt']
    """
    owners = {}
    for name in names:
        file = f"{PurePosixPath(name).stem}{suffix}"
        if file in owners:
            raise ValueError(
                f"Each image needs a file of its own. Received: {owners[file]!r} and {name!r} for {file!r}."
            )
        owners[file] = name
    return list(owners)


def _size(record):
    """`((height, width), None)` of the upright image, or `(None, why not)`."""
    if record.flaw:
        return None, record.flaw
    try:
        size = decode(record.source).shape[:2]
    except FileNotFoundError:
        return None, "there is no such file"
    except (ValueError, OSError) as error:
        return None, str(error)
    if record.stated and tuple(record.stated) != size:
        said, is_ = (f"{width}x{height}" for height, width in (record.stated, size))
        return None, f"its annotation says {said} pixels, upright it has {is_}"
    return size, None


def _inside(record, size, flaws):
    """`(boxes, kept)`: float32 (n, 4) in pixels inside the image, and which of the record's they are."""
    boxes = convert(np.array(record.boxes, "float64").reshape(-1, 4), record.format, "xyxy", size=size)
    wrong = ~np.isfinite(boxes).all(axis=1)
    if wrong.any():
        place = record.places[int(wrong.argmax())]
        received = record.boxes[int(wrong.argmax())]
        raise ValueError(f"A box must be four finite numbers. Received: {received} in {place}.")
    inside = clip(boxes, size)
    kept = ((inside[:, 2:] - inside[:, :2]) > SMALLEST_SIDE).all(axis=1)
    flaws.dropped += [place for place, keep in zip(record.places, kept) if not keep]
    left = (np.abs(inside - boxes) > ROUNDING).any(axis=1) & kept
    flaws.clipped += [place for place, outside in zip(record.places, left) if outside]
    return inside[kept].astype("float32"), kept
