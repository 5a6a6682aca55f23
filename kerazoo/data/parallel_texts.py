"""Texts in two languages, or of two kinds, line by line, and the parts of a data set of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ParallelTexts:
    """Texts and what each becomes.

    Attributes:
        source, target: tuples of strings, as many of each.
    """

    source: tuple
    target: tuple

    def __post_init__(self):
        if len(self.source) != len(self.target):
            raise ValueError(
                f"There must be a target for every source. Received: {len(self.source):,} and {len(self.target):,}."
            )

    def __len__(self):
        return len(self.source)

    def take(self, positions):
        """The pairs at these positions, in this order."""
        return ParallelTexts(*(tuple(side[position] for position in positions) for side in (self.source, self.target)))


@dataclass(frozen=True)
class ParallelData:
    """A data set of pairs of texts with its parts and where it comes from.

    Attributes:
        name: as in the command line and the report.
        source_name, target_name: of the two languages or kinds: "en", "de".
        train, validation, test: `ParallelTexts`.
        split: one sentence: whose split this is, and the seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        published: [{"of", "score"}], on the same test texts.
        notes: sentences on what was left out while reading.
    """

    name: str
    source_name: str
    target_name: str
    train: ParallelTexts
    validation: ParallelTexts
    test: ParallelTexts
    split: str = ""
    source: str = ""
    terms: str = ""
    published: list = field(default_factory=list)
    notes: tuple = ()

    def record(self):
        """Everything but the texts, as JSON types."""
        return {
            "name": self.name,
            "from": self.source_name,
            "to": self.target_name,
            **{part: len(getattr(self, part)) for part in ("train", "validation", "test")},
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "published": self.published,
            "notes": list(self.notes),
        }
