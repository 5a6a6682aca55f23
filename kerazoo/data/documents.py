"""Documents to search in: a name, a title and a text each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Documents:
    """A collection with where it comes from.

    Attributes:
        name: as in the command line and the report.
        labels, titles, texts: tuples of strings, as many of each. A label is what the document is found under, a file's
            name or a package's; a title says in short what the text is about.
        source: where they come from, one line.
        terms: what the owners allow, as far as they say.
        notes: sentences on what was left out while reading.
    """

    name: str
    labels: tuple
    titles: tuple
    texts: tuple
    source: str = ""
    terms: str = ""
    notes: tuple = ()

    def __post_init__(self):
        if not len(self.labels) == len(self.titles) == len(self.texts):
            received = f"{len(self.labels):,}, {len(self.titles):,} and {len(self.texts):,}"
            raise ValueError(f"There must be as many labels, titles and texts. Received: {received}.")

    def __len__(self):
        return len(self.texts)

    def take(self, positions):
        """The documents at these positions, in this order."""
        sides = (tuple(side[place] for place in positions) for side in (self.labels, self.titles, self.texts))
        return Documents(self.name, *sides, self.source, self.terms, self.notes)

    def record(self):
        """Everything but the texts, as JSON types."""
        return {
            "name": self.name,
            "documents": len(self),
            "source": self.source,
            "terms": self.terms,
            "notes": list(self.notes),
        }
