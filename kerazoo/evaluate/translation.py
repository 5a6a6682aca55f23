"""How good translations are, by sacreBLEU: the figures that papers state."""

import numpy as np

from kerazoo.extras import need

SAMPLES = 1000  # Draws of the test texts, for the interval.


def scores(hypotheses, references):
    """BLEU and chrF of a whole test part, as sacreBLEU computes them (Post, 2018, https://arxiv.org/abs/1804.08771).

    Args:
        hypotheses: strings.
        references: strings, one for each.

    Returns:
        {"bleu", "bleu_95", "chrf", "brevity", "count", "signature"}: BLEU and chrF from 0 to 100, the interval by
        drawing texts anew a thousand times, brevity the hypotheses' words over the references'.

    Raises:
        ImportError: sacrebleu is not installed.
        ValueError: no texts, or not as many of each.

    Example:

    >>> round(scores(["a black dog runs"], ["a black dog runs"])["bleu"])
    100
    """
    need("sacrebleu")
    from sacrebleu.metrics import BLEU, CHRF

    if not hypotheses or len(hypotheses) != len(references):
        raise ValueError(
            f"There must be a reference for every hypothesis. Received: {len(references)}, {len(hypotheses)}."
        )
    measure = BLEU()
    found = measure.corpus_score(list(hypotheses), [list(references)], n_bootstrap=SAMPLES)
    return {
        "bleu": float(found.score),
        "bleu_95": [float(found._mean - found._ci), float(found._mean + found._ci)],  # It has no other names.
        "chrf": float(CHRF().corpus_score(list(hypotheses), [list(references)]).score),
        "brevity": found.sys_len / max(found.ref_len, 1),
        "count": len(hypotheses),
        "signature": str(measure.get_signature()),
    }


def sentence_bleu(hypothesis, reference):
    """BLEU of one text, its counts smoothed: to put texts in order, not to be stated."""
    from sacrebleu.metrics import BLEU

    return float(BLEU(effective_order=True).sentence_score(hypothesis, [reference]).score)


def by_length(hypotheses, references, sources, groups=4):
    """[[words of the longest source, BLEU, texts]], groups of about as many texts each, short sources first."""
    from sacrebleu.metrics import BLEU

    lengths = np.array([len(source.split()) for source in sources])
    rows, edges = [], np.unique(np.quantile(lengths, np.linspace(0, 1, groups + 1)[1:], method="higher"))
    for low, high in zip([-1, *edges[:-1]], edges):
        places = np.flatnonzero((lengths > low) & (lengths <= high))
        chosen = [[texts[place] for place in places] for texts in (hypotheses, references)]
        rows.append([int(high), float(BLEU().corpus_score(chosen[0], [chosen[1]]).score), len(places)])
    return rows
