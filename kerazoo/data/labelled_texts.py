"""Texts with a class each, and the splits of a data set of them."""

from dataclasses import dataclass, field, replace

import numpy as np

from kerazoo.data.splits import stratified_sample


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with a class each.

    Attributes:
        texts: a tuple of strings.
        labels: int32, (N,), indices into the data set's classes.
    """

    texts: tuple
    labels: np.ndarray

    def __post_init__(self):
        if len(self.texts) != len(self.labels):
            raise ValueError(
                f"There must be a label for every text. Received: {len(self.texts)} and {len(self.labels)}."
            )

    def __len__(self):
        return len(self.texts)

    def take(self, positions):
        """The texts at these positions, in this order."""
        return LabelledTexts(tuple(self.texts[position] for position in positions), self.labels[positions])


@dataclass(frozen=True)
class TextData:
    """A data set of labelled texts with its splits and where it comes from.

    Attributes:
        name: as in the command line and the report.
        classes: names, in the order of the labels.
        train, validation, test: `LabelledTexts`.
        split: one sentence: whose split this is, and the seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        metric: what published figures are: "accuracy" or "macro_f1".
        published: [{"of", "score"}], on the same test texts.
        notes: sentences on what was left out while reading.
    """

    name: str
    classes: tuple
    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts
    split: str = ""
    source: str = ""
    terms: str = ""
    metric: str = "accuracy"
    published: list = field(default_factory=list)
    notes: tuple = ()

    def record(self):
        """Everything but the texts, as JSON types."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            **{part: len(getattr(self, part)) for part in ("train", "validation", "test")},
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "metric": self.metric,
            "notes": list(self.notes),
        }

    def limited(self, count, *, seed=0):
        """The same data with at most `count` texts in each split, drawn evenly from the classes."""
        rng = np.random.default_rng(seed)
        parts = {name: getattr(self, name) for name in ("train", "validation", "test")}
        return replace(
            self, **{name: part.take(stratified_sample(part.labels, count, rng)) for name, part in parts.items()}
        )
