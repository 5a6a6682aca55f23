"""Series with a class each, and the splits of a data set of them."""

from dataclasses import dataclass, field

import numpy as np

from kerazoo.data.splits import stratified_sample, stratified_split

VALIDATION_SHARE = 0.2
# Series of the rarest class from which on some are spared for validation: with fewer, the archives' sets have 8 to
# 50 a class to train with, every one is worth more in training, and a handful could not tell epochs apart.
ENOUGH_TO_VALIDATE = 50


@dataclass(frozen=True)
class LabelledSeries:
    """Series of one length with a class each.

    Attributes:
        values: float32, (N, T, C).
        labels: int32, (N,), indices into `classes`.
        classes: names, in the order of the labels.
        notes: sentences on what was repaired while reading.
    """

    values: np.ndarray
    labels: np.ndarray
    classes: tuple
    notes: tuple = ()

    def __post_init__(self):
        if self.values.ndim != 3 or len(self.values) != len(self.labels):
            raise ValueError(
                f"`values` must be (N, T, C) with N labels. Received: {self.values.shape} and {len(self.labels)}."
            )

    def __len__(self):
        return len(self.labels)

    def take(self, positions):
        """The series at these positions, in this order."""
        return LabelledSeries(self.values[positions], self.labels[positions], self.classes, self.notes)


@dataclass(frozen=True)
class SeriesData:
    """A data set of labelled series with its splits and where it comes from.

    Attributes:
        name: as in the command line and the report.
        train, test: `LabelledSeries` of the same classes.
        validation: the same, or None where the training series are too few to spare some.
        split: one sentence: whose split this is, and its seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        names: what the classes mean, in their order; by default the classes themselves.
        published: [{"of", "model", "score"}], accuracies on the same test series.
    """

    name: str
    train: LabelledSeries
    test: LabelledSeries
    validation: LabelledSeries | None = None
    split: str = ""
    source: str = ""
    terms: str = ""
    names: tuple = ()
    published: list = field(default_factory=list)

    @property
    def classes(self):
        """What the classes mean, in the order of the labels."""
        return self.names or self.train.classes

    def record(self):
        """Everything but the series, as JSON types."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "name": self.name,
            "classes": list(self.classes),
            "length": self.train.values.shape[1],
            "channels": self.train.values.shape[2],
            **{name: len(part) if part else 0 for name, part in parts.items()},
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "notes": list(dict.fromkeys(note for part in parts.values() if part for note in part.notes)),
        }

    def limited(self, count, *, seed=0):
        """The same data with at most `count` series in each split, drawn evenly from the classes."""
        rng = np.random.default_rng(seed)

        def cut(part):
            return part if part is None else part.take(stratified_sample(part.labels, count, rng))

        parts = {"train": cut(self.train), "validation": cut(self.validation), "test": cut(self.test)}
        return SeriesData(**(vars(self) | parts))

    def with_validation(self, *, seed=0):
        """The same data with 20% of every class of the training series set aside, where each class has 50 to train."""
        if self.validation is not None:
            return self
        if np.bincount(self.train.labels).min() < ENOUGH_TO_VALIDATE:
            said = f"no validation series: a class has fewer than {ENOUGH_TO_VALIDATE} to train with"
            return SeriesData(**(vars(self) | {"split": f"{self.split}; {said}"}))
        rest, drawn = stratified_split(self.train.labels, VALIDATION_SHARE, seed=seed)
        said = f"{len(drawn):,} of the training series for validation, by class, seed {seed}"
        parts = {"train": self.train.take(rest), "validation": self.train.take(drawn)}
        return SeriesData(**(vars(self) | parts | {"split": f"{self.split}; {said}"}))
