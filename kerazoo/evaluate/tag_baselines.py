"""What a tagger has to beat: each word's commonest tag, and a conditional random field over features made by hand."""

import collections
import tempfile
import time
from pathlib import Path

from kerazoo.evaluate.entities import scores
from kerazoo.extras import need

C1, C2, ROUNDS = 0.1, 0.1, 100  # The tutorial's of sklearn-crfsuite.


def tag_baselines(data):
    """[{"name", "seconds", ...}] on the test texts, with what `kerazoo.evaluate.entities.scores` gives.

    Args:
        data: the `TaggedData`; its training texts are learned from.

    Raises:
        ImportError: without python-crfsuite.
    """
    rows = []
    for name, tag in (("each word's commonest tag", commonest), ("CRF over features of words", features_crf)):
        start = time.perf_counter()
        answers = tag(data.train, data.test.words)
        seconds = round(time.perf_counter() - start, 2)
        rows.append({"name": name, **scores(answers, data.test.tags, data.test.words), "seconds": seconds})
    return rows


def commonest(train, texts):
    """The tag that each word has most often in training, "O" for others: a list of tags for each text."""
    counts = collections.defaultdict(collections.Counter)
    for words, tags in zip(train.words, train.tags):
        for word, tag in zip(words, tags):
            counts[word][tag] += 1
    best = {word: max(sorted(tags), key=tags.__getitem__) for word, tags in counts.items()}
    return [[best.get(word, "O") for word in words] for words in texts]


def features_crf(train, texts):
    """What a linear-chain CRF over each word's form and its neighbours' answers: a list of tags for each text."""
    need("pycrfsuite")
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": C1, "c2": C2, "max_iterations": ROUNDS, "feature.possible_transitions": True})
    for words, tags in zip(train.words, train.tags):
        trainer.append([_features(words, place) for place in range(len(words))], tags)
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "crf"))
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        with tagger.open(file):
            return [tagger.tag([_features(words, place) for place in range(len(words))]) for words in texts]


def _features(words, place):
    word = words[place]
    found = ["bias", f"lower={word.lower()}", f"end3={word[-3:]}", f"end2={word[-2:]}", f"begin3={word[:3]}"]
    found += [f"upper={word.isupper()}", f"title={word.istitle()}", f"digit={word.isdigit()}"]
    for step in (-2, -1, 1, 2):
        if 0 <= place + step < len(words):
            other = words[place + step]
            found += [
                f"{step}:lower={other.lower()}",
                f"{step}:title={other.istitle()}",
                f"{step}:upper={other.isupper()}",
            ]
        elif abs(step) == 1:
            found.append("first" if step < 0 else "last")
    return found
