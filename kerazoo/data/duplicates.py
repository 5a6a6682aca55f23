"""Images that stand in two splits of a data set: equal ones by their pixels, near ones by a perceptual hash.

A model has seen the test image that it was trained on, whatever its score says. Near duplicates are an image saved
again, smaller, brighter or in grey, and frames of a film in which nothing moved. Crops and mirrored images are not
found.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

SPLITS = ("train", "validation", "test")
GREY = np.array([0.299, 0.587, 0.114], "float32")
HASHED, WAVES = 32, 8  # Pixels of a side that is hashed; cosines that are kept of it.
THUMBNAIL = 12  # Pixels of a side that is compared.
# Near: at most as many of the hash's 63 bits differ, and the grey thumbnails correlate at least as much. Measured on
# CIFAR-10, BSDS500 and ORL: images saved again as JPEG of quality 75, in grey, or a sixth brighter are within 4 bits
# and correlate by .99 and more, at half the size by .998 (of 32x32 pixels by .96: many of those are missed). Of 1,797
# scanned digits none has such a neighbour in another split, at .98 fourteen have.
HAMMING, CORRELATION = 8, 0.99
FLAT = 2.0  # Standard deviation in grey levels below which an image has no structure to be compared.
MOST_PAIRS = 20_000_000_000  # Beyond which near duplicates are not looked for: minutes.
EXAMPLES = 5
CHUNK = 64 * 2**20  # Bytes of pixels that are looked at together.


@dataclass(frozen=True)
class Fingerprints:
    """What images are compared by.

    Attributes:
        digests: (N,) bytes, equal for equal pixels.
        hashes: uint64, (N,), 63 bits: whether a cosine's share of the image lies above the median (pHash).
        thumbnails: float32, (N, 144), grey, of mean 0 and length 1; zeros where an image is flat.
    """

    digests: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray

    def __len__(self):
        return len(self.digests)


@dataclass(frozen=True)
class Pairs:
    """Images of one set that another set has too.

    Attributes:
        first, second: (P,) positions in the two sets.
        equal: bool, (P,): every pixel is; else they are near.
    """

    first: np.ndarray
    second: np.ndarray
    equal: np.ndarray


@dataclass(frozen=True)
class Duplicates:
    """What the splits of a data set have in common.

    Attributes:
        names: {split: names of its images}.
        pairs: {(split, other split): `Pairs`}; the first split is the one that is scored on.
        dropped: training images that were left out for it.
    """

    names: dict
    pairs: dict = field(default_factory=dict)
    dropped: int = 0

    @property
    def training(self):
        """Positions of the training images that validation or test have too."""
        found = [pairs.second for (_, other), pairs in self.pairs.items() if other == "train"]
        return np.unique(np.concatenate([np.zeros(0, int), *found]))

    def lines(self):
        """What a user should hear, a line for each two splits."""
        said = []
        for (split, other), pairs in self.pairs.items():
            if not len(pairs.first):
                continue
            equal, near = self._counts(pairs)
            where = "the training images" if other == "train" else f"the {other} images"
            examples = [f"{a} {sign} {b}" for a, b, sign in self._examples(split, other)]
            more = "; ..." * (len(np.unique(pairs.first)) > EXAMPLES)
            said.append(
                f"Warning: {equal + near:,} of {len(self.names[split]):,} {split} images are among {where} too "
                f"({equal:,} equal, {near:,} near): {'; '.join(examples)}{more}"
            )
        if self.dropped:
            said.append(f"{self.dropped:,} training images that validation or test have too are left out.")
        elif len(self.training):
            said.append(
                f"What a model was trained on scores too high: --drop-duplicates leaves those {len(self.training):,} "
                "training images out."
            )
        return said

    def record(self):
        """Counts and examples, as JSON types."""
        rows = []
        for (split, other), pairs in self.pairs.items():
            equal, near = self._counts(pairs)
            examples = [[a, b] for a, b, _ in self._examples(split, other)]
            rows.append({"split": split, "also_in": other, "equal": equal, "near": near, "examples": examples})
        return {"dropped_from_training": self.dropped, "splits": rows}

    def _counts(self, pairs):
        """Images of the first split with an equal one, and those with near ones only."""
        equal = np.unique(pairs.first[pairs.equal])
        return len(equal), len(np.setdiff1d(pairs.first, equal))

    def _examples(self, split, other):
        """[(name, name, "=" or "~")]; equal ones first."""
        pairs = self.pairs[split, other]
        order = np.argsort(~pairs.equal, kind="stable")
        _, once = np.unique(pairs.first[order], return_index=True)
        return [
            (
                str(self.names[split][pairs.first[i]]),
                str(self.names[other][pairs.second[i]]),
                "=~"[int(not pairs.equal[i])],
            )
            for i in order[np.sort(once)][:EXAMPLES]
        ]


def fingerprints(batches):
    """Fingerprints of images.

    Args:
        batches: iterable of uint8 arrays, (n, H, W, 3); H and W may differ from one array to the next.

    Returns:
        `Fingerprints`.

    Example:

    >>> import numpy as np
    >>> from kerazoo.data.duplicates import fingerprints, pairs
    >>> images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), "uint8")
    >>> pairs(fingerprints([images[:1]]), fingerprints([images])).second.tolist()
    [0]
    """
    digests, hashes, thumbnails = [], [], []
    for pixels in batches:
        step = max(CHUNK // max(4 * pixels[:1].size, 1), 1)
        for start in range(0, len(pixels), step):
            part = np.ascontiguousarray(pixels[start : start + step])
            shape = str(part.shape[1:]).encode()
            digests += [hashlib.blake2b(shape + image.tobytes(), digest_size=16).digest() for image in part]
            grey = part.astype("float32") @ GREY
            hashes.append(_hash(_shrunk(grey, HASHED)))
            thumbnails.append(_normalized(_shrunk(grey, THUMBNAIL).reshape(len(part), -1)))
    size = THUMBNAIL**2
    return Fingerprints(
        np.array(digests, object),
        np.concatenate([np.zeros(0, "uint64"), *hashes]),
        np.concatenate([np.zeros((0, size), "float32"), *thumbnails]),
    )


def _shrunk(grey, side):
    """(N, H, W) -> (N, side, side): each pixel the mean of the area that it stands for."""

    def means(length):
        edges = np.arange(side + 1) * length / side
        low, high, place = edges[:-1, None], edges[1:, None], np.arange(length)
        covered = np.clip(np.minimum(high, place + 1) - np.maximum(low, place), 0, None)
        return (covered / covered.sum(axis=1, keepdims=True)).astype("float32")

    return means(grey.shape[1]) @ grey @ means(grey.shape[2]).T


def _hash(grey):
    """pHash: the signs of the slowest cosines of (N, 32, 32), but for the mean, about their median."""
    waves = np.cos(np.pi / HASHED * (np.arange(HASHED) + 0.5) * np.arange(WAVES)[:, None]).astype("float32")
    shares = (waves @ grey @ waves.T).reshape(len(grey), -1)[:, 1:]
    bits = shares > np.median(shares, axis=1, keepdims=True)
    return bits @ (1 << np.arange(bits.shape[1], dtype="uint64"))


def _normalized(thumbnails):
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    flat = length < FLAT * THUMBNAIL
    return np.where(flat, 0, centred / np.where(flat, 1, length)).astype("float32")


def pairs(first, second):
    """The images of one set that another has too.

    Args:
        first, second: `Fingerprints`.

    Returns:
        `Pairs`. Among more than 20,000,000,000 pairs only equal images are found.
    """
    copies = [{}, {}]
    for places, prints in zip(copies, (first, second)):
        for position, digest in enumerate(prints.digests):
            places.setdefault(digest, []).append(position)
    equal = [row for digest in copies[0].keys() & copies[1].keys() for row in _rows(digest, digest, copies)]
    near = [row for i, j in _near(first, second, copies) for row in _rows(first.digests[i], second.digests[j], copies)]
    both = np.array(sorted(equal) + sorted(near), int).reshape(-1, 2)
    return Pairs(both[:, 0], both[:, 1], np.arange(len(both)) < len(equal))


def _rows(one, other, copies):
    """Every copy of two images in a pair, and not each with each: there may be thousands."""
    ours, theirs = copies[0][one], copies[1][other]
    return [(i, theirs[0]) for i in ours] + [(ours[0], j) for j in theirs[1:]]


def _near(first, second, copies):
    """(position, position) of near images that are not equal, one of each set's equal ones."""
    # What is flat is like nothing else; and of a thousand black images no pair has to be looked at.
    ours, theirs = (
        np.array([rows[0] for rows in places.values() if prints.thumbnails[rows[0]].any()], int)
        for places, prints in zip(copies, (first, second))
    )
    if not len(ours) * len(theirs) or len(ours) * len(theirs) > MOST_PAIRS:
        return
    rows, candidates = max(CHUNK // (8 * len(theirs)), 1), CHUNK // (8 * THUMBNAIL**2)
    for start in range(0, len(ours), rows):
        differing = np.bitwise_count(first.hashes[ours[start : start + rows], None] ^ second.hashes[theirs])
        i, j = np.nonzero(differing <= HAMMING)
        for part in range(0, len(i), candidates):
            a, b = ours[start + i[part : part + candidates]], theirs[j[part : part + candidates]]
            alike = np.einsum("pt,pt->p", first.thumbnails[a], second.thumbnails[b]) >= CORRELATION
            alike &= first.digests[a] != second.digests[b]
            yield from zip(a[alike].tolist(), b[alike].tolist())


def find(splits):
    """What validation and test have in common with training and with each other.

    Args:
        splits: {"train", "validation", "test"} -> (names, batches as for `fingerprints`).

    Returns:
        `Duplicates`.
    """
    prints = {split: fingerprints(batches) for split, (_, batches) in splits.items()}
    compared = [("validation", "train"), ("test", "train"), ("test", "validation")]
    return Duplicates(
        {split: names for split, (names, _) in splits.items()},
        {(split, other): pairs(prints[split], prints[other]) for split, other in compared},
    )


def kept(found, labels=None, classes=()):
    """Positions of the training images without those that validation or test have too.

    Args:
        found: `Duplicates`.
        labels: (N,) classes of the training images, of which each must keep an image; or None.
        classes: their names.

    Raises:
        ValueError: nothing would be left, of all images or of a class.
    """
    rest = np.setdiff1d(np.arange(len(found.names["train"])), found.training)
    lost = [] if labels is None else sorted(set(np.unique(labels)) - set(np.unique(labels[rest])))
    if not len(rest) or lost:
        what = f"the classes {[classes[label] for label in lost]}" if len(rest) else "training"
        raise ValueError(
            f"`--drop-duplicates` must leave training images. Received: none for {what}: validation or test have all "
            "of them too."
        )
    return rest
