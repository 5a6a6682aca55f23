"""Named sets of questions, from the data folder or the network."""

from kerazoo.data.named_files import named_text
from kerazoo.data.questions import QuestionData, drawn_parts
from kerazoo.data.squad_files import read_squad
from kerazoo.registry import unknown_choice

NAMES = ("xquad_en",)
ADDRESS = "https://raw.githubusercontent.com/google-deepmind/xquad/master/"
FILE, SIZE, SHA256 = "xquad.en.json", 609_383, "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29"
SPLIT_SEED = 0  # The split's own, whatever the run's is: figures of two runs are of the same questions.
# Of readers trained on SQuAD's 87,599 questions; "on" says what they answered.
PUBLISHED = [
    {"of": "multilingual BERT (Artetxe et al., 2020)", "on": "all of XQuAD's English", "exact": 0.722, "f1": 0.835},
    {"of": "BiDAF (Seo et al., 2016)", "on": "SQuAD's test part", "exact": 0.680, "f1": 0.773},
    {"of": "sliding window (Rajpurkar et al., 2016)", "on": "SQuAD's test part", "exact": 0.130, "f1": 0.200},
]


def load_questions(name):
    """A set by name: "xquad_en", 1,190 questions about 240 passages of 48 articles, of SQuAD's development part.

    XQuAD is for testing alone: it has no parts. Here whole articles are drawn to learn from, to validate and to test.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.

    Example:

    >>> len(load_questions("xquad_en").train)  # doctest: +SKIP
    824
    """
    if name not in NAMES:
        raise ValueError(unknown_choice("set of questions", name, NAMES))
    text = named_text("xquad.zip", FILE, folder="xquad", file=FILE, address=ADDRESS + FILE, sha256=SHA256, size=SIZE)
    parts, said = drawn_parts({"train": read_squad(text, FILE)}, seed=SPLIT_SEED)
    return QuestionData(
        name,
        **parts,
        split=said,
        source="XQuAD, English (Artetxe et al., 2020), https://github.com/google-deepmind/xquad",
        terms="CC BY-SA 4.0",
        published=PUBLISHED,
    )
