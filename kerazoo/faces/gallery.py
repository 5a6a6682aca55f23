"""People who are known by their embeddings: enrolled, looked up, kept in a file."""

import os
from dataclasses import dataclass
from tokenize import TokenError

import numpy as np

from kerazoo.data.archives import open_zip
from kerazoo.errors import one_line
from kerazoo.paths import expand

KEYS = ("people", "owners", "embeddings", "threshold")


@dataclass(frozen=True)
class Match:
    """Whom a face is of: `person` is None for somebody unknown; `nearest` and `score` are of the most alike."""

    person: str | None
    nearest: str
    score: float


class Gallery:
    """Enrolled people, each by one or more embeddings; a face belongs to the person of the most alike.

    Args:
        threshold: cosine below which a face is of nobody enrolled, for instance from
            `kerazoo.evaluate.identification.unknown_threshold` of people set apart for that.

    Raises:
        ValueError: a threshold that is no cosine.

    Example:

    >>> from kerazoo.faces.gallery import Gallery
    >>> gallery = Gallery(threshold=0.5)
    >>> gallery.enroll("anna", [[1.0, 0.0]])
    >>> gallery.enroll("ben", [[0.0, 1.0], [0.6, 0.8]])
    >>> [(match.person, round(match.score, 1)) for match in gallery.identify([[3.0, 0.3], [-1.0, -1.0]])]
    [('anna', 1.0), (None, -0.7)]
    """

    def __init__(self, *, threshold):
        if not -1 <= threshold <= 1:
            raise ValueError(f"`threshold` must be a cosine, from -1 to 1. Received: {threshold!r}.")
        self.threshold = float(threshold)
        self.people, self._owners, self._embeddings = [], np.zeros(0, "int32"), None

    def __len__(self):
        return len(self.people)

    def enroll(self, person, embeddings):
        """Adds embeddings of a person, who is new or enrolled already.

        Args:
            person: the name.
            embeddings: (D,) or (n, D), of any length.

        Raises:
            ValueError: no name, or embeddings that are none, not finite, zero or of another size than those before.
        """
        if not isinstance(person, str) or not person:
            raise ValueError(f"`person` must be a name. Received: {person!r}.")
        directions = self._directions(embeddings)
        if person not in self.people:
            self.people.append(person)
        owner = np.full(len(directions), self.people.index(person), "int32")
        self._owners = np.append(self._owners, owner)
        known = [] if self._embeddings is None else [self._embeddings]
        self._embeddings = np.concatenate([*known, directions])

    def remove(self, person):
        """Forgets a person.

        Raises:
            ValueError: nobody enrolled has that name.
        """
        if person not in self.people:
            raise ValueError(f"`person` must be one of {self.people}. Received: {person!r}.")
        place = self.people.index(person)
        kept = self._owners != place
        self._embeddings, owners = self._embeddings[kept], self._owners[kept]
        self._owners = owners - (owners > place).astype("int32")
        self.people.remove(person)

    def identify(self, embeddings):
        """Whom each face is of.

        Args:
            embeddings: (D,) or (n, D).

        Returns:
            A list with a `Match` for each.

        Raises:
            ValueError: nobody is enrolled, or embeddings as `enroll` refuses them.
        """
        if not self.people:
            raise ValueError("Somebody must be enrolled first. Received: an empty gallery.")
        scores = self._directions(embeddings) @ self._embeddings.T
        matches = []
        for row, place in zip(scores, scores.argmax(axis=1)):
            nearest, score = self.people[self._owners[place]], float(row[place])
            matches.append(Match(nearest if score >= self.threshold else None, nearest, score))
        return matches

    def save(self, path):
        """Writes the gallery as an `.npz` file without pickles, beside `path` and then into place.

        Raises:
            ValueError: a path of another kind, or an empty gallery.
        """
        path = expand(path)
        if path.suffix != ".npz" or not self.people:
            raise ValueError(
                f"A gallery with somebody in it is saved as .npz. Received: {str(path)!r}, {len(self)} people."
            )
        beside = path.with_name(f".{path.name}.writing")
        try:
            with open(beside, "wb") as file:
                people = np.array(self.people, dtype=np.str_)
                values = (people, self._owners, self._embeddings, np.float64(self.threshold))
                np.savez_compressed(file, **dict(zip(KEYS, values)))
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote; nothing but numbers and names is taken from the file.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a damaged file, or one that is no gallery.
        """
        path = expand(path)
        if not path.is_file():
            raise FileNotFoundError(f"`path` must be an existing gallery. Received: {str(path)!r}.")
        try:
            with open_zip(path), np.load(path, allow_pickle=False) as file:
                people, owners, embeddings, threshold = (file[key] for key in KEYS)
        # numpy's reader of headers takes them for Python's text.
        except (KeyError, MemoryError, OverflowError, SyntaxError, TokenError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged or no gallery: {one_line(error)}") from error
        if not all(isinstance(values, np.ndarray) for values in (people, owners, embeddings, threshold)):
            raise ValueError(f"{path} is damaged or no gallery: {', '.join(KEYS)} must be arrays.")
        fits = people.dtype.kind == "U" and people.ndim == owners.ndim == 1 and embeddings.ndim == 2
        fits = fits and len(owners) == len(embeddings) and threshold.shape == () and threshold.dtype.kind == "f"
        if not fits or set(owners.tolist()) != set(range(len(people))) or len(set(people.tolist())) < len(people):
            raise ValueError(f"{path} must hold {', '.join(KEYS)} that belong together.")
        gallery = cls(threshold=float(threshold))
        for owner, person in enumerate(people.tolist()):
            gallery.enroll(person, embeddings[owners == owner])
        return gallery

    def _directions(self, embeddings):
        rows = np.atleast_2d(np.asarray(embeddings, "float32"))
        size = rows.shape[1] if self._embeddings is None else self._embeddings.shape[1]
        lengths = np.linalg.norm(rows, axis=1, keepdims=True) if rows.ndim == 2 else np.zeros(1)
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != size or not np.isfinite(rows).all() or not lengths.all():
            raise ValueError(
                f"Embeddings must be (n, {size}), finite and not zero. Received: {np.shape(embeddings)}"
                + ("." if np.isfinite(rows).all() else ", some not finite.")
            )
        return rows / lengths
