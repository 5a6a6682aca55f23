"""What a language model has to beat: counting which token followed the last few."""

import numpy as np


def witten_bell(train, test, *, vocabulary, order):
    """Surprise of each test token under an interpolated n-gram model (Witten and Bell, 1991).

    What followed each context is counted in the training text. A context gives as much weight to the next shorter one
    as it has seen different followers; the shortest mixes with the uniform distribution.

    Args:
        train, test: (T,) ids.
        vocabulary: how many ids there are.
        order: tokens of an n-gram, the predicted one among them.

    Returns:
        (T,) float64 nats of `test`; the first tokens have shorter contexts.

    Example:

    >>> witten_bell([0, 1] * 50, [0, 1, 0, 1], vocabulary=2, order=2).round(2).tolist()
    [0.69, 0.01, 0.01, 0.01]
    """
    train, test = np.asarray(train, "int64"), np.asarray(test, "int64")
    chances = np.full(len(test), 1.0 / vocabulary)
    # A context is told by a number below this power; beyond int64 the order ends.
    for size in range(min(order, int(62 / np.log2(max(vocabulary, 2))))):
        if len(train) <= size or len(test) <= size:
            break
        seen, wanted = _grams(train, size, vocabulary), _grams(test, size, vocabulary)
        grams, counts = np.unique(seen, return_counts=True)
        contexts, first = np.unique(grams // vocabulary, return_index=True)
        totals = np.add.reduceat(counts, first)
        followers = np.diff(np.append(first, len(grams)))
        together = _looked_up(grams, counts, wanted)
        total = _looked_up(contexts, totals, wanted // vocabulary)
        kinds = _looked_up(contexts, followers, wanted // vocabulary)
        mixed = (together + kinds * chances[size:]) / np.maximum(total + kinds, 1)
        chances[size:] = np.where(total > 0, mixed, chances[size:])
    return -np.log(chances)


def _grams(ids, size, vocabulary):
    """A number for each `size` + 1 neighbours, the last one's digit the lowest."""
    code = np.zeros(len(ids) - size, "int64")
    for place in range(size + 1):
        code = code * vocabulary + ids[place : len(ids) - size + place]
    return code


def _looked_up(keys, values, wanted):
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
