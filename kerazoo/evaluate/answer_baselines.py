"""What a reader has to beat: a window that slides over the passage and counts the question's words.

Richardson et al. (2013, https://aclanthology.org/D13-1020), with their distance, on the candidates of the sentence that
has most of the question's words (Rajpurkar et al., 2016, https://aclanthology.org/D16-1264). There candidates are
constituents of a parse; without a parser they are the runs of words, up to a length, that begin and end with a word
that says something.
"""

import collections
import math
import re
import time

from kerazoo.evaluate.answers import scores

LENGTHS = range(1, 9)  # Words of a candidate at most; validation chooses.
WORD = re.compile(r"[\w'’]+|[^\w\s]")
ENDS = {".", "!", "?"}
STOP = frozenset(
    [
        "a",
        "about",
        "after",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "being",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "during",
        "each",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "more",
        "most",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "other",
        "our",
        "out",
        "over",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "under",
        "until",
        "up",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)


def answer_baselines(data):
    """[{"name", "seconds", "longest", ...}] on the test questions, with what `kerazoo.evaluate.answers.scores` gives.

    Args:
        data: the `QuestionData`; the longest candidate is chosen by its validation part's F1.
    """
    start = time.perf_counter()

    def answered(part, longest):
        return [sliding_window(*pair, longest=longest) for pair in zip(part.questions, part.passages)]

    def judged(part, longest):
        return scores(answered(part, longest), part.texts(), part.questions)

    longest = max(LENGTHS, key=lambda length: (judged(data.validation, length)["f1"], -length))
    found = judged(data.test, longest)
    seconds = round(time.perf_counter() - start, 2)
    return [{"name": "sliding window and distance", **found, "longest": longest, "seconds": seconds}]


def sliding_window(question, passage, *, longest=4):
    """The answer that a sliding window finds, as it stands in the passage; "" where there is no candidate.

    Args:
        question, passage: strings.
        longest: words of an answer at most.

    Example:

    >>> from kerazoo.evaluate.answer_baselines import sliding_window
    >>> sliding_window("Who wrote the program?", "It was late. Ada wrote the program in May.", longest=1)
    'Ada'
    """
    spans = [match.span() for match in WORD.finditer(passage)]
    words = [passage[a:b].lower() for a, b in spans]
    asked = {word for word in (match.group().lower() for match in WORD.finditer(question)) if _is_word(word)}
    if not words:
        return ""
    counts = collections.Counter(words)
    weight = {word: math.log(1 + 1 / count) for word, count in counts.items()}
    best, found = None, None
    for first, last in _nearest_sentences(words, asked):
        for a in range(first, last):
            for b in range(a, min(a + longest, last)):
                if not (_says(words[b]) and _says(words[a])) or set(words[a : b + 1]) <= asked:
                    continue
                score = _overlap(words, weight, asked, words[a : b + 1]) - _distance(words, asked, words[a : b + 1])
                if best is None or (score, a - b) > best:  # Of equal ones the shortest, the first of these.
                    best, found = (score, a - b), (a, b)
    return "" if found is None else passage[spans[found[0]][0] : spans[found[1]][1]]


def _is_word(word):
    return word[0].isalnum()


def _says(word):
    return _is_word(word) and word not in STOP


def _nearest_sentences(words, asked):
    """[(first, behind the last)] of the sentences that share most of the question's words."""
    bounds, first = [], 0
    for place, word in enumerate(words):
        if word in ENDS or place == len(words) - 1:
            bounds.append((first, place + 1))
            first = place + 1
    shared = [len(asked & set(words[a:b])) for a, b in bounds]
    return [bound for bound, count in zip(bounds, shared) if count == max(shared)]


def _overlap(words, weight, asked, answer):
    """The largest weight of the window's words that the question or the answer has."""
    wanted = asked | set(answer)
    size = len(wanted)
    worth = [weight[word] if word in wanted else 0.0 for word in words]
    total = best = sum(worth[:size])
    for place in range(size, len(worth)):
        total += worth[place] - worth[place - size]
        best = max(best, total)
    return best


def _distance(words, asked, answer):
    """How far the answer's words are from the question's, as a share of the passage; 1 where one is not there."""
    theirs = [place for place, word in enumerate(words) if word in asked and word not in STOP]
    own = [place for place, word in enumerate(words) if word in answer and word not in asked and word not in STOP]
    if not theirs or not own or len(words) < 2:
        return 1.0
    return (min(abs(one - other) for one in theirs for other in own) + 1) / (len(words) - 1)
