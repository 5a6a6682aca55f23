"""What a network that summarises has to beat: the begin of the text, and the summary of the text most like it."""

import re

import numpy as np

from kerazoo.evaluate.retrieval import Words

CHUNK = 256  # Texts at a time: their likeness to all of training would not fit into memory.


def first_sentence(text):
    """Up to the first full stop, question or exclamation mark that a space follows, or the first line's end.

    Example:

    >>> first_sentence("A tool, v1.2. It works.\\nMore.")
    'A tool, v1.2.'
    """
    line = text.strip().partition("\n")[0]
    return re.split(r"(?<=[.!?])\s", line, maxsplit=1)[0]


def lead(texts, words=None):
    """The first sentence of each text (lead-1), of which at most so many words."""
    return [" ".join(first_sentence(text).split()[:words]) for text in texts]


def of_nearest(texts, sources, summaries):
    """For each text the summary of the training text that has the most words in common with it (TF-IDF, cosine).

    Args:
        texts: to summarise.
        sources, summaries: of training.
    """
    search, found = Words(sources), []
    for first in range(0, len(texts), CHUNK):
        found += [summaries[place] for place in np.argmax(search(texts[first : first + CHUNK]), axis=1)]
    return found
