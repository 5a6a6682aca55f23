"""Splits that keep the share of every class, repeatable by their seed; and splits in order of time."""

from dataclasses import dataclass, replace

import numpy as np

from kerazoo.data.parts import check_not_empty

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1
# A validation split steers early stopping and the choice of the checkpoint; beyond this it costs
# training images and time and steers no better.
LARGEST_VALIDATION = 1_000


def stratified_split(labels, fraction, *, seed, largest=None):
    """Positions of the rest and of a part that holds `fraction` of every class.

    Args:
        labels: integers, (N,).
        fraction: share of the part, between 0 and 1.
        seed: of the draw.
        largest: the part's size at most, or None.

    Returns:
        `(rest, part)`, sorted positions; together they are all of 0 .. N-1. Every class with two or
        more images is in both.

    Raises:
        ValueError: a fraction outside (0, 1).

    Example:

    >>> import numpy as np
    >>> rest, part = stratified_split(np.array([0] * 10 + [1] * 20), 0.1, seed=0)
    >>> len(rest), len(part)
    (27, 3)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"`fraction` must lie between 0 and 1. Received: {fraction!r}.")
    labels = np.asarray(labels)
    rng = np.random.default_rng(seed)
    if largest is not None:
        fraction = min(fraction, largest / max(len(labels), 1))
    part = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(len(members) * fraction)
        part.append(members[: min(max(count, 1), len(members) - 1)])
    part = np.sort(np.concatenate(part)) if part else np.zeros(0, int)
    return np.setdiff1d(np.arange(len(labels)), part), part


def stratified_sample(labels, count, rng):
    """Sorted positions of about `count` images with every class as evenly as it can be: (n,), n <= count.

    Classes are dealt in turn, so that a small sample still has each of them.
    """
    labels = np.asarray(labels)
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        turn[members] = np.arange(len(members))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:count])


def few_of_each(labels, count, *, seed):
    """Sorted positions of `count` examples of every class; those of a smaller count are among those of a larger.

    Args:
        labels: integers, (N,).
        count: examples of each class.
        seed: of the draw.

    Raises:
        ValueError: a class with fewer examples.

    Example:

    >>> import numpy as np
    >>> few_of_each(np.array([0, 0, 0, 1, 1, 1]), 2, seed=0).tolist()
    [0, 2, 4, 5]
    """
    labels = np.asarray(labels)
    rng, chosen = np.random.default_rng(seed), []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) < count:
            raise ValueError(f"Every class must have {count} examples. Received: class {label} with {len(members)}.")
        chosen.append(members[:count])
    return np.sort(np.concatenate(chosen))


def draw_missing(parts, *, seed=0):
    """Draws the splits that a data set comes without from its training images, class by class.

    Args:
        parts: {"train": Images} with "validation" and "test" where they exist.
        seed: of the draws.

    Returns:
        `(parts, said)`: all three, and a clause for each one that was drawn.

    Raises:
        ValueError: no class has an image to spare, or an empty part.
    """
    check_not_empty(parts)
    parts, said = dict(parts), []
    for name, share, largest in (("test", TEST_SHARE, None), ("validation", VALIDATION_SHARE, LARGEST_VALIDATION)):
        if name in parts:
            continue
        train = parts["train"]
        rest, drawn = stratified_split(train.labels, share, seed=seed, largest=largest)
        if not len(drawn):
            raise ValueError(
                f"A {name} split cannot be drawn: every class has one image only. Received: {len(train)} images."
            )
        parts[name], parts["train"] = train.take(drawn), train.take(rest)
        said.append(f"{len(drawn):,} images drawn from the training images of every class for {name}, seed {seed}")
    return parts, said


def draw_from_training(parts, share, *, seed=0, largest=None, unit="texts"):
    """Draws the splits that a data set of unlabelled things comes without from its training part.

    Args:
        parts: {"train": part} with "validation" and "test" where they exist; parts have `len` and `take`.
        share: of the training part, for each one that is drawn.
        seed: of the draws.
        largest: a drawn part's size at most, or None.
        unit: what a part has, in the plural.

    Returns:
        `(parts, said)`: all three, and a clause for each one that was drawn.

    Raises:
        ValueError: too few to draw from, or an empty part.
    """
    check_not_empty(parts)
    parts, said = dict(parts), []
    for name in ("test", "validation"):
        if name in parts:
            continue
        train = parts["train"]
        count = min(round(len(train) * share), largest or len(train))
        if not count:
            raise ValueError(
                f"Drawing a {name} part takes at least {int(0.5 / share) + 1} {unit}. Received: {len(train)}."
            )
        order = np.random.default_rng(seed).permutation(len(train))
        parts[name], parts["train"] = train.take(sorted(order[:count])), train.take(sorted(order[count:]))
        said.append(f"{count:,} {unit} drawn from the training {unit} for {name}, seed {seed}")
    return parts, said


def limited(data, count, *, seed=0):
    """A data set of unlabelled things with at most `count` of them in each part, drawn.

    Args:
        data: a dataclass with the parts `train`, `validation` and `test`, which have `len` and `take`.
        count: as said.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    return replace(
        data, **{name: part.take(sorted(rng.permutation(len(part))[:count])) for name, part in parts.items()}
    )


@dataclass(frozen=True)
class Fold:
    """Rows of one step of a walk forward: ranges with an end that is not theirs."""

    train: range
    validation: range
    test: range


def walk_forward(count, *, folds, first, reach, validation=0.15):
    """Folds in order of time: each is trained on all rows before its test rows (Lopez de Prado, 2018, chapter 7).

    Between two parts lie `reach` rows that neither has: their labels look into the later part.

    Args:
        count: rows.
        folds: how many; their test parts follow on one another and have one size, but for rounding.
        first: rows before the first test part.
        reach: rows that a label looks ahead.
        validation: share of the rows before a test part that steer the training, the latest of them.

    Raises:
        ValueError: too few rows for the folds.

    Example:

    >>> from kerazoo.data.splits import walk_forward
    >>> [(fold.train, fold.test) for fold in walk_forward(100, folds=2, first=60, reach=2, validation=0.5)]
    [(range(0, 28), range(60, 80)), (range(0, 38), range(80, 100))]
    """
    if folds < 1 or not 0 < first < count or count - first < folds or not 0 < validation < 1:
        raise ValueError(
            "There must be rows before the first test part and one for each fold after it, and a share between 0 and "
            f"1. Received: {count} rows, first={first}, folds={folds}, validation={validation}."
        )
    edges = np.linspace(first, count, folds + 1).round().astype(int).tolist()
    parts = []
    for start, end in zip(edges, edges[1:]):
        seen = start - reach
        held = start - max(round(start * validation), 1)
        if held - reach < 1 or held >= seen:
            raise ValueError(
                f"Too few rows before a test part, with {reach} left out between parts. Received: {start} rows."
            )
        parts.append(Fold(range(held - reach), range(held, seen), range(start, end)))
    return parts
