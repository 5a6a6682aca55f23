"""Exact match and F1 of answers, as SQuAD defines them (Rajpurkar et al., 2016, https://aclanthology.org/D16-1264)."""

import collections
import re
import string

import numpy as np

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
WORDS = ("what", "who", "when", "where", "which", "why", "how")


def normalized(text):
    """An answer as it is compared: lower case, without ASCII punctuation, English articles and superfluous spaces.

    Example:

    >>> from kerazoo.evaluate.answers import normalized
    >>> normalized("The  Panthers' defense.")
    'panthers defense'
    """
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def exact(answer, truth):
    """1.0 where two answers are the same once they are normalized, else 0.0."""
    return float(normalized(answer) == normalized(truth))


def f1(answer, truth):
    """The harmonic mean of precision and recall of an answer's words; 1.0 or 0.0 where one of both has none.

    Example:

    >>> from kerazoo.evaluate.answers import f1
    >>> round(f1("the Carolina Panthers", "Panthers"), 4)
    0.6667
    """
    words, wanted = normalized(answer).split(), normalized(truth).split()
    if not words or not wanted:
        return float(words == wanted)
    common = sum((collections.Counter(words) & collections.Counter(wanted)).values())
    return 2 * common / (len(words) + len(wanted))


def judged(answers, truths):
    """(N, 2) exact match and F1 of each answer, of the true ones the one that it is most like.

    Args:
        answers: strings, "" for no answer.
        truths: for each a tuple of strings, ("",) where there is none.

    Raises:
        ValueError: as many answers as truths there are not.
    """
    if len(answers) != len(truths):
        raise ValueError(f"There must be an answer to every question. Received: {len(answers)} for {len(truths)}.")
    rows = []
    for answer, several in zip(answers, truths):
        # As SQuAD's own program: what is an article or a point alone counts where nothing else is there.
        several = [truth for truth in several if normalized(truth)] or [""]
        rows.append([max(measure(answer, truth) for truth in several) for measure in (exact, f1)])
    return np.array(rows, float).reshape(-1, 2)


def scores(answers, truths, questions):
    """{"exact", "f1", "f1_95", "count", "by_word", and where some have no answer, "answerable", "unanswerable"}.

    Args:
        answers, truths: as for `judged`.
        questions: strings.
    """
    rows = judged(answers, truths)
    none = np.array([not any(map(normalized, several)) for several in truths], bool)
    kinds = np.array([question_word(question) for question in questions])
    found = _means(rows)
    margin = 1.96 * rows[:, 1].std() / max(len(rows), 1) ** 0.5
    found["f1_95"] = [max(found["f1"] - margin, 0.0), min(found["f1"] + margin, 1.0)]
    found["by_word"] = {kind: _means(rows[kinds == kind]) for kind in (*WORDS, "other") if (kinds == kind).any()}
    if none.any():
        found |= {"answerable": _means(rows[~none]), "unanswerable": _means(rows[none])}
    return found


def question_word(question):
    """The first of its words that is one of `WORDS`, or "other"; whom and whose are who.

    Example:

    >>> from kerazoo.evaluate.answers import question_word
    >>> question_word("In which year did Tesla die?"), question_word("Name the king.")
    ('which', 'other')
    """
    words = [{"whom": "who", "whose": "who"}.get(word, word) for word in re.findall(r"[a-z]+", question.lower())]
    return next((word for word in words if word in WORDS), "other")


def best_threshold(answers, absence, truths):
    """Above which `absence` no answer is the better one, by F1: `(threshold, F1)`; of equal ones the lowest.

    Args:
        answers: strings, the best span of each.
        absence: (N,), by how much "no answer" scores above it.
        truths: as for `judged`.
    """
    order = np.argsort(absence, kind="stable")
    given = judged(answers, truths)[order, 1]
    withheld = judged([""] * len(answers), truths)[order, 1]
    # At place k the first k answer.
    totals = np.concatenate([[0], np.cumsum(given)]) + withheld.sum() - np.concatenate([[0], np.cumsum(withheld)])
    ranked = np.asarray(absence, float)[order]
    middles = np.concatenate([[ranked[0] - 1], (ranked[1:] + ranked[:-1]) / 2, [ranked[-1] + 1]])
    apart = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])  # Equal ones go together.
    place = int(np.argmax(np.where(apart, totals, -1)))
    return float(middles[place]), float(totals[place] / len(answers))


def _means(rows):
    if not len(rows):
        return {"exact": 0.0, "f1": 0.0, "count": 0}
    return {"exact": float(rows[:, 0].mean()), "f1": float(rows[:, 1].mean()), "count": len(rows)}
