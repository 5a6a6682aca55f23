"""Questions with their passages and answers, and the parts of a data set of them."""

from dataclasses import dataclass, field

import numpy as np

SHARES = {"test": 0.2, "validation": 0.1}
ARTICLES = 10  # From so many on, parts share no article; before, no passage.


@dataclass(frozen=True)
class Questions:
    """Questions about passages.

    Attributes:
        ids, questions, passages, articles: tuples of strings, as many of each; a passage comes as often as it is
            asked about, an article is what it was taken from.
        answers: a tuple of tuples of (place, text), several people's answers: `text` begins at the passage's code
            point `place`. An empty tuple: the passage has no answer.
    """

    ids: tuple
    questions: tuple
    passages: tuple
    articles: tuple
    answers: tuple

    def __post_init__(self):
        counts = [len(side) for side in self.sides()]
        if len(set(counts)) > 1:
            raise ValueError(f"Every question must have an id, a passage, an article, answers. Received: {counts}.")

    def __len__(self):
        return len(self.ids)

    def sides(self):
        """The columns, in the order of the constructor."""
        return self.ids, self.questions, self.passages, self.articles, self.answers

    def take(self, positions):
        """The questions at these positions, in this order."""
        return Questions(*(tuple(side[place] for place in positions) for side in self.sides()))

    def texts(self):
        """For each question the texts of its answers; ("",) where there is none."""
        return [tuple(text for _, text in answers) or ("",) for answers in self.answers]

    @property
    def unanswerable(self):
        """How many have no answer."""
        return sum(not answers for answers in self.answers)


@dataclass(frozen=True)
class QuestionData:
    """A data set of questions with its parts and where it comes from.

    Attributes:
        name: as in the command line and the report.
        train, validation, test: `Questions`.
        split: one sentence: whose split this is, and the seed where one was drawn.
        source: where the files come from, one line.
        terms: what the owners allow, as far as they say.
        published: [{"of", "exact", "f1"}], each with what it was measured on.
        notes: sentences on what was left out while reading.
    """

    name: str
    train: Questions
    validation: Questions
    test: Questions
    split: str = ""
    source: str = ""
    terms: str = ""
    published: list = field(default_factory=list)
    notes: tuple = ()

    def record(self):
        """Everything but the texts, as JSON types."""
        parts = {part: getattr(self, part) for part in ("train", "validation", "test")}
        return {
            "name": self.name,
            **{part: len(questions) for part, questions in parts.items()},
            "passages": {part: len(set(questions.passages)) for part, questions in parts.items()},
            "unanswerable": {part: questions.unanswerable for part, questions in parts.items()},
            "split": self.split,
            "source": self.source,
            "terms": self.terms,
            "published": self.published,
            "notes": list(self.notes),
        }


def drawn_parts(parts, *, seed):
    """Draws the parts that are lacking from the training questions: whole articles, or whole passages of few articles.

    Args:
        parts: {"train": `Questions`, and maybe "validation" and "test"}.
        seed: of the draw.

    Returns:
        `(parts, said)`: all three, and a sentence, empty where nothing was drawn.

    Raises:
        ValueError: too few articles and passages to draw from.
    """
    lacking = [part for part in SHARES if part not in parts]
    if not lacking:
        return parts, ""
    parts, questions = dict(parts), parts["train"]
    unit, owners = "articles", questions.articles
    if len(set(owners)) < ARTICLES:
        unit, owners = "passages", questions.passages
    names = list(dict.fromkeys(owners))
    if len(names) < len(lacking) + 1:
        raise ValueError(
            f"Drawing {' and '.join(lacking)} takes at least {len(lacking) + 1} passages. Received: {len(names)}."
        )
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    place = {name: index for index, name in enumerate(names)}
    places, said = [place[owner] for owner in owners], []
    for part in lacking:
        count = max(round(SHARES[part] * len(names)), 1)
        chosen, order = set(order[:count]), order[count:]
        parts[part] = questions.take([i for i, owner in enumerate(places) if owner in chosen])
        said.append(f"{count} for {part}")
    kept = set(order)
    parts["train"] = questions.take([i for i, owner in enumerate(places) if owner in kept])
    return parts, f"whole {unit} drawn from {len(names)} with seed {seed}: {', '.join(said)}, the rest for training"
