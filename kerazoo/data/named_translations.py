"""Named sets of translations, from the data folder or the network."""

from kerazoo.data.named_files import named_text
from kerazoo.data.parallel_texts import ParallelData, ParallelTexts
from kerazoo.registry import unknown_choice

NAMES = ("multi30k",)
LANGUAGES = ("cs", "de", "en", "fr")
ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
PARTS = ("train", "val", "test_2016_flickr")
# File: (bytes, sha256).
FILES = {
    "train.en.gz": (568_929, "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    "train.de.gz": (637_044, "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    "train.fr.gz": (604_242, "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
    "train.cs.gz": (593_827, "a65adb8b32e3bc664f21ecba7a6e7f6950fd1f405e135f7c312faabdb6255077"),
    "val.en.gz": (21_650, "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    "val.de.gz": (24_681, "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
    "val.fr.gz": (23_001, "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
    "val.cs.gz": (22_096, "b63226e05c4bd5dd6a42897d74b86a1b9d2c31498252c572b1ea7f7996927fcc"),
    "test_2016_flickr.en.gz": (21_077, "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
    "test_2016_flickr.de.gz": (22_890, "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"),
    "test_2016_flickr.fr.gz": (22_310, "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"),
    "test_2016_flickr.cs.gz": (22_572, "200a4a74cc9560f051924abb9803be008d1908d77f747e9141aeb86dfd2797f1"),
}
# Of the 2016 test part.
PUBLISHED = {
    ("en", "de"): [{"of": "Transformer, tiny, tokenised (Wu et al., 2021)", "score": 41.02}],
    ("en", "fr"): [{"of": "Transformer, tiny, tokenised (Wu et al., 2021)", "score": 61.80}],
}


def load_translations(name, *, source="en", target="de"):
    """A set by name: "multi30k", captions of photographs in four languages (Elliott et al., 2016).

    https://aclanthology.org/W16-3210; the test part is that of 2016.

    Args:
        name: as said.
        source, target: two of "cs", "de", "en", "fr".

    Returns:
        A `ParallelData`.

    Raises:
        ValueError: an unknown name or language, the same language twice, or a damaged file.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.

    Example:

    >>> len(load_translations("multi30k", source="en", target="fr").train)  # doctest: +SKIP
    29000
    """
    if name not in NAMES:
        raise ValueError(unknown_choice("set of translations", name, NAMES))
    for language in (source, target):
        if language not in LANGUAGES:
            raise ValueError(unknown_choice("language of multi30k", language, LANGUAGES))
    if source == target:
        raise ValueError(f"The two languages must differ. Received: {source!r} twice.")
    parts = [ParallelTexts(*(_lines(f"{part}.{language}.gz") for language in (source, target))) for part in PARTS]
    return ParallelData(
        name,
        source,
        target,
        *parts,
        split="the set's own three parts, the test part of 2016",
        source="Multi30k, task 1, https://github.com/multi30k/dataset",
        terms="captions CC BY-NC-SA 4.0 (not for commercial use)",
        published=PUBLISHED.get((source, target), []),
    )


def _lines(file):
    size, sha256 = FILES[file]
    text = named_text(
        "multi30k.zip", file, folder="multi30k", file=file, address=ADDRESS + file, sha256=sha256, size=size
    )
    return tuple(line.strip() for line in text.removesuffix("\n").split("\n"))
