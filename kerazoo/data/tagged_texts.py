"""Texts in words with a tag each, and the parts of a data set of them."""

from dataclasses import dataclass, field

OUTSIDE = "O"


@dataclass(frozen=True)
class TaggedTexts:
    """Texts whose words have tags.

    Attributes:
        words: a tuple of tuples of strings.
        tags: likewise, as many; IOB2: "O", "B-PER", "I-PER".
    """

    words: tuple
    tags: tuple

    def __post_init__(self):
        if [len(words) for words in self.words] != [len(tags) for tags in self.tags]:
            raise ValueError("Every word must have a tag.")

    def __len__(self):
        return len(self.words)

    def take(self, positions):
        """The texts at these positions, in this order."""
        return TaggedTexts(*(tuple(side[position] for position in positions) for side in (self.words, self.tags)))


@dataclass(frozen=True)
class TaggedData:
    """A data set of tagged texts with its parts and where it comes from.

    Attributes:
        name: as in the command line and the report.
        tags: their names, "O" first.
        train, validation, test: `TaggedTexts`.
        split: one sentence: whose split this is, and the seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        published: [{"of", "f1"}], F1 of whole entities on the same test texts.
        notes: sentences on what was repaired or left out while reading.
    """

    name: str
    tags: tuple
    train: TaggedTexts
    validation: TaggedTexts
    test: TaggedTexts
    split: str = ""
    source: str = ""
    terms: str = ""
    published: list = field(default_factory=list)
    notes: tuple = ()

    def record(self):
        """Everything but the texts, as JSON types."""
        return {
            "name": self.name,
            "tags": list(self.tags),
            **{part: len(getattr(self, part)) for part in ("train", "validation", "test")},
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "published": self.published,
            "notes": list(self.notes),
        }


def names_of(texts):
    """The tags of some texts and all that belong to their kinds: "O", then "B-" and "I-" of each kind in order."""
    kinds = sorted({tag[2:] for tags in texts.tags for tag in tags if tag != OUTSIDE})
    return (OUTSIDE, *(f"{side}-{kind}" for kind in kinds for side in "BI"))


def repaired(tags):
    """IOB2: an entity begins with "B-", also where the tags had "I-" there; and whether anything was changed.

    Example:

    >>> repaired(("O", "I-PER", "I-PER", "I-ORG"))
    (('O', 'B-PER', 'I-PER', 'B-ORG'), True)
    """
    whole, before = [], OUTSIDE
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            tag = f"B-{tag[2:]}"
        whole.append(tag)
        before = tag
    return tuple(whole), tuple(whole) != tuple(tags)
