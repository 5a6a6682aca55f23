"""Long descriptions of packages and their one-line synopses, as pairs, with parts that share no family of packages."""

import numpy as np

from kerazoo.data.package_descriptions import LISTS, load_packages
from kerazoo.data.parallel_texts import ParallelData, ParallelTexts

SHARE, LARGEST = 0.05, 3_000  # Of the pairs, for validation and for test each; pairs of either at most.


def package_summaries(folder=LISTS, *, seed=0):
    """A `ParallelData` from `description` to `synopsis`, of the system's own package lists.

    Packages that are built together (a library, its headers, its manual) have the same first paragraph, or the same
    synopsis up to a bracket or dash. Such a family is never divided between the parts: a synopsis of training would
    else be the answer in the test part.

    Args:
        folder: where apt keeps its lists.
        seed: of the parts' draw.

    Raises:
        as `load_packages`; ValueError: too few packages to draw parts from.
    """
    packages = load_packages(folder)
    family = families(packages.titles, packages.texts)
    order = np.random.default_rng(seed).permutation(family.max() + 1)
    wanted = min(int(SHARE * len(packages)), LARGEST)
    if not wanted:
        raise ValueError(f"{folder} must have at least {round(1 / SHARE)} packages. Received: {len(packages)}.")
    # Families in a random order, as many as fill the test part, then the validation part; no part overflows.
    sizes, parts, filled = (
        np.bincount(family),
        {"test": [], "validation": [], "train": []},
        {"test": 0, "validation": 0},
    )
    for one in order:
        part = next((part for part, count in filled.items() if count + sizes[one] <= wanted), "train")
        parts[part].append(one)
        if part in filled:
            filled[part] += sizes[one]
    parts = {
        part: ParallelTexts(
            *(
                tuple(side[place] for place in np.flatnonzero(np.isin(family, chosen)))
                for side in (packages.texts, packages.titles)
            )
        )
        for part, chosen in parts.items()
    }
    known = set(parts["train"].target)
    again = sum(synopsis in known for synopsis in parts["test"].target)
    return ParallelData(
        "packages",
        "description",
        "synopsis",
        parts["train"],
        parts["validation"],
        parts["test"],
        split=f"{len(sizes):,} families of packages drawn into three parts, seed {seed}",
        source=packages.source,
        terms=packages.terms,
        notes=(
            *packages.notes,
            f"{sizes.max():,} packages are in the largest family; {again:,} synopses of the test part are those of a "
            "training package too, of another family.",
        ),
    )


def families(titles, texts):
    """The number of each package's family, (N,): they have a first paragraph or the begin of a synopsis in common.

    Example:

    >>> titles = ["spell checker", "spell checker (headers)", "a game", "another game"]
    >>> families(titles, ["Checks.", "Headers.", "Plays.\\nFor two.", "Plays.\\nFor one."]).tolist()
    [0, 0, 1, 1]
    """
    parent = list(range(len(texts)))

    def root(place):
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    seen = {}
    for place, (title, text) in enumerate(zip(titles, texts)):
        begin = title.partition(" (")[0].partition(" - ")[0]
        for key in (("text", text.partition("\n")[0].casefold()), ("title", begin.casefold())):
            parent[root(place)] = root(seen.setdefault(key, place))
    return np.unique([root(place) for place in range(len(texts))], return_inverse=True)[1]
