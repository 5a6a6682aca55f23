"""Named sets of the UCR and UEA archives: from KERAZOO_DATA_DIR, the installed aeon, or the network, in that order."""

from kerazoo.data.labelled_files import read_ts
from kerazoo.data.labelled_series import SeriesData
from kerazoo.data.named_files import packaged_file
from kerazoo.registry import unknown_choice

# The archives' own site packs each set as a zip that changes; these are the same files one by one, under a tag.
ADDRESS = "https://raw.githubusercontent.com/aeon-toolkit/aeon/v1.5.0/aeon/datasets/data"
TERMS = "none stated; the archives ask to be cited (Dau et al., 2019; Bagnall et al., 2018)"
FIVE, ONE = "InceptionTime, five networks, Fawaz et al. (2020)", "InceptionTime, mean of five single networks, the same"
# Name -> the archive's name, (size, sha256) of both parts, what the classes mean, and accuracies on the same test
# series by the authors (https://github.com/hfawaz/InceptionTime, results-InceptionTime-128.csv,
# results-inception-128.csv and, for several channels, results-mts.csv).
SETS = {
    "gunpoint": {
        "title": "GunPoint",
        "train": (84_188, "f842401779fd9800d247d8b33121a1a4643710a19b24917dbdd9a060ca8630d5"),
        "test": (252_305, "79332750788a6227b325b96bd0d70130c8eb707b9731f8d7dec62b7a7d36017e"),
        "classes": {"1": "gun", "2": "point"},
        "published": {FIVE: 1.0, ONE: 1.0},
    },
    "arrowhead": {
        "title": "ArrowHead",
        "train": (100_357, "a83c470aaf611a5f5284377cce27a5fc9f6292bc3d110257b0fd4905ced5ee72"),
        "test": (484_894, "5417dab42626d41df5e435bb22458c2df40dfad4bcd3b59559bbe72e20e84904"),
        "classes": {"0": "Avonlea", "1": "Clovis", "2": "Mix"},
        "published": {FIVE: 0.8457, ONE: 0.8469},
    },
    "italy_power_demand": {
        "title": "ItalyPowerDemand",
        "train": (18_300, "341269cb7e6cef96846b30e774580beec79addb93848ba360145219115a74b7c"),
        "test": (274_054, "26122451f87dd0387ef90b18bc8a86c041371b8a1c068004922b939971247144"),
        "classes": {"1": "October to March", "2": "April to September"},
        "published": {FIVE: 0.9650, ONE: 0.9642},
    },
    "basic_motions": {
        "title": "BasicMotions",
        "train": (227_790, "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6"),
        "test": (227_713, "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc"),
        "classes": {name: name.lower() for name in ("Standing", "Running", "Walking", "Badminton")},
        "published": {FIVE: 1.0},
    },
}


def load_labelled_series(name):
    """Loads a named set with its own training and test part.

    Args:
        name: a key of `SETS`.

    Returns:
        A `SeriesData`, without validation series.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.

    Example:

    >>> load_labelled_series("gunpoint").train.values.shape  # doctest: +SKIP
    (50, 150, 1)
    """
    if name not in SETS:
        raise ValueError(unknown_choice("set of series", name, SETS))
    facts = SETS[name]
    parts = {part: read_ts(_find(name, part), classes=tuple(facts["classes"])) for part in ("train", "test")}
    return SeriesData(
        name,
        **parts,
        split="the archive's own training and test part",
        source=f"{facts['title']}, https://www.timeseriesclassification.com/description.php?Dataset={facts['title']}",
        terms=TERMS,
        names=tuple(facts["classes"].values()),
        published=[{"of": of, "score": score} for of, score in facts["published"].items()],
    )


def _find(name, part):
    """The file of a part: in the data folder, in the installed aeon, or downloaded; its checksum always holds."""
    title, (size, sha256) = SETS[name]["title"], SETS[name][part]
    file = f"{title}_{part.upper()}.ts"
    facts = {"address": f"{ADDRESS}/{title}/{file}", "sha256": sha256, "size": size}
    return packaged_file("aeon", f"datasets/data/{title}/{file}", folder=title, **facts)
