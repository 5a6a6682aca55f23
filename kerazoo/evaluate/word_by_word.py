"""What a translator has to beat: each word by itself, as counting pairs of texts has it."""

import re

import numpy as np

WORDS = re.compile(r"\w+(?:[-'’]\w+)*|[^\w\s]")
NOTHING = ""  # A word of every source, for target words that no word of it stands for.
ROUNDS = 5
CLOSING = re.compile(r"\s+([.,;:!?)\]”»])")


class WordByWord:
    """Translates each word by its likeliest translation, in the source's order.

    The chances are those of IBM's first model (Brown et al., 1993, https://aclanthology.org/J93-2003), by five rounds
    of expectation and maximisation. A word that no pair had stays as it is.

    Args:
        source, target: strings, a target for every source.

    Example:

    >>> known = WordByWord(["a dog", "a cat", "the dog"], ["ein Hund", "eine Katze", "der Hund"])
    >>> known.translate(["the dog!"])
    ['Der Hund!']
    """

    def __init__(self, source, target):
        ones = [[NOTHING, *words(text.lower())] for text in source]
        others = [words(text) for text in target]
        names = [sorted({word for text in side for word in text}) for side in (ones, others)]
        self.source = {word: place for place, word in enumerate(names[0])}
        places = {word: place for place, word in enumerate(names[1])}
        # Every pair of words that stand in one pair of texts; `token` is the target's word there.
        links, tokens, count = [], [], 0
        for one, other in zip(ones, others):
            left = np.array([self.source[word] for word in one])
            right = np.array([places[word] for word in other], int)
            links.append(np.stack([np.tile(left, len(right)), np.repeat(right, len(left))]))
            tokens.append(np.repeat(np.arange(count, count + len(right)), len(left)))
            count += len(right)
        left, right = np.concatenate(links, axis=1)
        tokens = np.concatenate(tokens)
        kinds, kind = np.unique(left * len(names[1]) + right, return_inverse=True)
        left = kinds // len(names[1])
        chance = np.ones(len(kinds))
        for _ in range(ROUNDS):
            share = chance[kind] / np.bincount(tokens, weights=chance[kind], minlength=count)[tokens]
            expected = np.bincount(kind, weights=share, minlength=len(kinds))
            chance = expected / np.bincount(left, weights=expected, minlength=len(names[0]))[left]
        # Counted where it is each target word's likeliest link: else full stops, which stand everywhere, win for words
        # with several translations.
        order = np.lexsort((-chance[kind], tokens))
        linked = kind[order[np.unique(tokens[order], return_index=True)[1]]]
        count = np.bincount(linked, minlength=len(kinds))
        order = np.lexsort((-chance, -count, left))
        firsts = order[np.unique(left[order], return_index=True)[1]]
        self.best = {int(left[place]): names[1][int(kinds[place] % len(names[1]))] for place in firsts}

    def translate(self, texts):
        """A string for each text."""
        return [self._translated(text) for text in texts]

    def _translated(self, text):
        said = " ".join(
            self.best[self.source[word.lower()]] if word.lower() in self.source else word for word in words(text)
        )
        said = CLOSING.sub(r"\1", said)
        return said[:1].upper() + said[1:]


def words(text):
    """The words and marks of a text."""
    return WORDS.findall(text)
