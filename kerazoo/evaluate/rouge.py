"""How much of a reference a summary says, by ROUGE: the figures that papers state."""

import numpy as np

from kerazoo.extras import need

KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}  # As rouge-score calls them.
DRAWS = 1000  # Of the test texts, for the interval.


def each(summaries, references):
    """F1 of words, pairs of words and longest common subsequence of every summary (Lin, 2004).

    https://aclanthology.org/W04-1013, as the package rouge-score computes them, with stemming; from 0 to 100.

    Args:
        summaries: strings.
        references: strings, one for each.

    Returns:
        {"rouge_1", "rouge_2", "rouge_l"}: (N,) float64.

    Raises:
        ImportError: rouge-score is not installed.
        ValueError: no texts, or not as many of each.
    """
    need("rouge_score")
    from rouge_score.rouge_scorer import RougeScorer

    if not len(summaries) or len(summaries) != len(references):
        raise ValueError(f"There must be a reference for every summary. Received: {len(references)}, {len(summaries)}.")
    scorer = RougeScorer(list(KINDS.values()), use_stemmer=True)
    rows = [scorer.score(reference, summary) for reference, summary in zip(references, summaries)]
    return {name: np.array([100 * row[kind].fmeasure for row in rows]) for name, kind in KINDS.items()}


def scores(summaries, references, *, seed=0):
    """The means of `each`, and the interval of ROUGE-L.

    Returns:
        {"rouge_1", "rouge_2", "rouge_l", "rouge_l_95", "words", "count"}: means from 0 to 100, the interval by drawing
        texts anew a thousand times, the mean number of words of a summary.

    Example:

    >>> round(scores(["a tool for files"], ["tool for files"])["rouge_2"])
    80
    """
    found = each(summaries, references)
    draws = np.random.default_rng(seed).integers(0, len(summaries), (DRAWS, len(summaries)))
    low, high = np.quantile(found["rouge_l"][draws].mean(axis=1), (0.025, 0.975))
    return {
        **{name: float(values.mean()) for name, values in found.items()},
        "rouge_l_95": [float(low), float(high)],
        "words": float(np.mean([len(text.split()) for text in summaries])),
        "count": len(summaries),
    }


def novel(summaries, sources):
    """The share of the summaries' words that their source does not have, capitals aside."""
    words, new = 0, 0
    for summary, source in zip(summaries, sources):
        known = set(source.casefold().split())
        words += len(summary.split())
        new += sum(word not in known for word in summary.casefold().split())
    return new / max(words, 1)
