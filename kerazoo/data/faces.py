"""Faces by identity: `person/image.jpg` folders, the ORL set, and pairs files as LFW has them."""

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from kerazoo.data.archives import read_zip
from kerazoo.data.decode import SUFFIXES, decode_all
from kerazoo.data.locate import data_folder
from kerazoo.data.parts import class_parts
from kerazoo.data.text_files import read_lines
from kerazoo.data.walk import check_name, hidden_row, reasons, walk
from kerazoo.paths import expand
from kerazoo.registry import unknown_choice

FACE_SUFFIXES = (*SUFFIXES, ".pgm")
ORL = "https://cam-orl.co.uk/facedatabase.html"
FOLDS = 10  # Of a pairs file that has none of its own.


@dataclass(frozen=True)
class Faces:
    """Images of faces with the people they show.

    Attributes:
        name: as in the command line and the report.
        people: names, in the order of the labels.
        labels: int32, (N,), positions in `people`.
        pixels: uint8, (N, H, W, 3).
        files: (N,) names, "person/image.jpg".
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        unreadable: [(file, reason)] of the files that were left out.
    """

    name: str
    people: tuple
    labels: np.ndarray
    pixels: np.ndarray
    files: tuple
    source: str = ""
    terms: str = ""
    unreadable: list = field(default_factory=list)

    def __len__(self):
        return len(self.labels)

    def of(self, people):
        """The images of some people, given by their positions, in this order; labels count those people."""
        people = list(people)
        chosen = np.flatnonzero(np.isin(self.labels, people))
        labels = np.array([people.index(label) for label in self.labels[chosen]], "int32")
        return Faces(
            **(vars(self) | {"people": tuple(self.people[i] for i in people), "labels": labels})
            | {"pixels": self.pixels[chosen], "files": tuple(self.files[i] for i in chosen)}
        )

    def at_most(self, count):
        """The first `count` images of each person."""
        turn = np.array([np.count_nonzero(self.labels[:i] == label) for i, label in enumerate(self.labels)])
        return self.take(np.flatnonzero(turn < count))

    def take(self, positions):
        """The images at these positions, in this order."""
        files = tuple(self.files[i] for i in positions)
        return Faces(
            **vars(self) | {"labels": self.labels[positions], "pixels": self.pixels[positions], "files": files}
        )

    def record(self):
        """Everything but the images, as JSON types."""
        return {
            "name": self.name,
            "people": len(self.people),
            "images": len(self),
            "source": self.source,
            "terms": self.terms,
            "unreadable": [list(row) for row in self.unreadable],
        }


@dataclass(frozen=True)
class Pairs:
    """Pairs of images, each of one person or of two.

    Attributes:
        first, second: (P,) positions of the images.
        same: bool, (P,).
        fold: int, (P,), which part of the pairs each belongs to.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray


def faces_in(folder, *, size):
    """Reads a folder with a folder of images for each person; whatever is left out is named.

    Args:
        folder: the path: `person/image.jpg`, also `s1/1.pgm`; a person's folder may have folders.
        size: (H, W) that images are resized to.

    Returns:
        `Faces`. Someone with one image is in it too; two people with two images each are the least.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: fewer than two people with at least two readable images; a name that is not UTF-8.

    Example:

    >>> faces_in("staff", size=(112, 112)).people  # doctest: +SKIP
    ('anna', 'ben')
    """
    folder = expand(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"The faces must be a folder with a folder for each person. Received: {str(folder)!r}.")
    top, files = walk(folder, FACE_SUFFIXES, deep=False), {}
    parts = class_parts(list(top.folders.values()), FACE_SUFFIXES)
    if parts:
        raise ValueError(
            "Faces are divided by people, not by folders: give one folder with all people's folders. Received: "
            f"{str(folder)!r} with {', '.join(path.name for path in parts.values())}."
        )
    left_out = [(name, "in no person's folder") for name in top.files] + top.left_out
    hidden = top.hidden
    for person, path in top.folders.items():
        check_name(person, "A person's name")
        found = walk(path, FACE_SUFFIXES).below(person)
        files |= {f"{person}/{name}": file for name, file in found.files.items()}
        left_out += found.left_out if found.files else [*found.left_out, (person, "a folder without images")]
        hidden += found.hidden
    facts = {"source": f"the folder {folder.resolve().name!r}", "terms": "the user's own"}
    left_out += hidden_row(hidden)
    return _faces(folder.resolve().name, files, size=size, where=str(folder), left_out=left_out, **facts)


def load_faces(name, *, size):
    """Loads a named set of faces.

    Args:
        name: "orl_faces".
        size: (H, W) that images are resized to.

    Raises:
        ValueError: an unknown name, or a damaged archive.
        ConnectionError: the archive is not on this machine.
    """
    if name not in LOADERS:
        raise ValueError(unknown_choice("set of faces", name, LOADERS))
    return LOADERS[name](size=size)


def orl_faces(*, size):
    """40 people, ten grey pictures of each, 92x112 (Samaria and Harter, 1994), as `sN/M.pgm`."""
    archive = data_folder() / "orl_faces.zip"
    if not archive.is_file():
        raise ConnectionError(
            f"The ORL faces are not at {archive}. Their owners give no fixed address of a file: get the database from "
            f"{ORL}, and put its folders s1 to s40 into an archive of that name, or give its folder as --data."
        )
    contents = read_zip(archive, lambda name: re.search(r"(^|/)s\d+/\d+\.pgm$", name))
    files = {"/".join(PurePosixPath(name).parts[-2:]): content for name, content in contents.items()}
    facts = {"source": f"{archive.name}: the ORL database of faces, {ORL}", "terms": "free; the owners ask for credit"}
    return _faces("orl_faces", files, size=size, where=str(archive), **facts)


LOADERS = {"orl_faces": orl_faces}


def _faces(name, files, *, size, where, left_out=(), **facts):
    """`Faces` from {"person/image": path or bytes}, and [(name, reason)] of what is no image of a person."""
    names = sorted(files, key=_natural)
    pixels, readable, unreadable = decode_all([files[file] for file in names], names, size=size)
    unreadable += left_out
    names = [names[i] for i in readable]
    owners = [file.split("/")[0] for file in names]
    people = tuple(dict.fromkeys(owners))
    labels = np.array([people.index(owner) for owner in owners], "int32")
    several = int((np.bincount(labels, minlength=1) > 1).sum())
    if several < 2:
        raise ValueError(
            f"{where} must have at least two people with two readable images each ('person/image.jpg'; "
            f"{', '.join(FACE_SUFFIXES)}). Received: {len(people)} people, {several} of them with two images or more."
            f"{reasons(unreadable)}"
        )
    return Faces(name, people, labels, pixels, tuple(names), unreadable=unreadable, **facts)


def _natural(name):
    """Sorts s2 before s10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def read_pairs(path, faces):
    """Reads a pairs file: `name 1 4` is a pair of one person's images, `name 1 other 2` of two people's.

    The first line has the number of folds and of pairs of each kind in a fold, or that number alone. Image n of a
    person is `name_000n`, as LFW calls it, or `n`, with any suffix.

    Args:
        path: the file; its columns are separated by tabs or spaces.
        faces: `Faces` that the pairs are of.

    Returns:
        `Pairs`; where the file has no folds, they are dealt into ten in turn.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is no pair, a person or an image that is not among the faces, an image beside itself,
            or another number of pairs than the first line says; with the file and the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing pairs file. Received: {str(path)!r}.")
    places = _places(faces)
    lines = [line.split() for line in read_lines(path)]
    folds, each = _header(path, lines)
    rows = []
    for number, words in enumerate(lines[1:], start=2):
        if not words:
            continue
        where = f"{path}, line {number}"
        if len(words) not in (3, 4):
            raise ValueError(f"{where} must be `name 1 4` or `name 1 other 2`. Received: {' '.join(words)!r}.")
        pair = (words[:2], [words[0], words[2]]) if len(words) == 3 else (words[:2], words[2:])
        first, second = (_place(where, *image, places, faces) for image in pair)
        if first == second:
            raise ValueError(f"{where} must name two images. Received: {faces.files[first]!r} twice.")
        rows.append((first, second, faces.labels[first] == faces.labels[second]))
    wanted = 2 * folds * each
    if len(rows) != wanted:
        raise ValueError(f"{path}, line 1: {wanted} pairs must follow. Received: {len(rows)}.")
    first, second, same = (np.array(column) for column in zip(*rows))
    fold = np.arange(wanted) // (2 * each) if folds > 1 else np.arange(wanted) % FOLDS
    return Pairs(first, second, same.astype(bool), fold)


def _header(path, lines):
    """(folds, pairs of each kind in one)."""
    words = lines[0] if lines else []
    if len(words) not in (1, 2) or not all(word.isdigit() and int(word) for word in words):
        raise ValueError(
            f"{path}, line 1 must have the number of folds and of pairs of each kind, or that alone. "
            f"Received: {' '.join(words)!r}."
        )
    return (int(words[0]), int(words[1])) if len(words) == 2 else (1, int(words[0]))


def _places(faces):
    """{(person, number): [positions]}."""
    places = {}
    for position, file in enumerate(faces.files):
        person, image = file.split("/")[0], PurePosixPath(file).stem
        number = image.removeprefix(f"{person}_")
        if number.isdigit():
            places.setdefault((person, int(number)), []).append(position)
    return places


def _place(where, person, number, places, faces):
    if person not in faces.people:
        raise ValueError(f"{where}: {unknown_choice('person', person, faces.people)}")
    if not number.isdigit() or (person, int(number)) not in places:
        unreadable = [file for file, _ in faces.unreadable if file.split("/")[0] == person]
        said = f" Unreadable images of {person!r}: {', '.join(unreadable)}." if unreadable else ""
        raise ValueError(
            f"{where}: {person!r} must have an image {person}_000n or n of that number. Received: {number!r}.{said}"
        )
    found = places[person, int(number)]
    if len(found) > 1:
        both = " and ".join(faces.files[position] for position in found)
        raise ValueError(f"{where}: {person!r} must have one image of the number {number}. Received: {both}.")
    return found[0]
