"""Which words drove a classifier's answer: what changes when each is hidden."""

import numpy as np


def influence(function, ids, hidden, words, *, size=256):
    """How much less sure of its answer a classifier is without each word.

    One word at a time becomes unknown, in all its places, the others stay. So it says what a change of this word alone
    does.

    Args:
        function: (B, T) int32 -> logits (B, classes).
        ids: (N, T) int32, 0 after a text's end.
        hidden: id that takes a word's place.
        words: for each row, the places of each of its words: [[0], [1, 2]].
        size: rows that the function is given at a time.

    Returns:
        `(logits, effects)`: (N, classes) of the whole texts; and for each row the fall of the answered class's logit
        over the mean of the others' without each word, an array.

    Example:

    >>> import numpy as np
    >>> def sevens(ids):
    ...     return np.stack([0 * ids.sum(1), (ids == 7).sum(1)], 1)
    >>> _, effects = influence(sevens, np.array([[5, 7, 7, 0]]), 1, [[[0], [1, 2]]])
    >>> effects[0].tolist()
    [0.0, 2.0]
    """
    ids = np.asarray(ids)
    rows = np.repeat(np.arange(len(ids)), [len(row) for row in words])
    changed = ids[rows]
    for one, places in zip(changed, (places for row in words for places in row)):
        one[places] = hidden
    every = np.concatenate([ids, changed])
    logits = np.concatenate([np.asarray(function(every[i : i + size])) for i in range(0, len(every), size)])
    own, without = logits[: len(ids)], logits[len(ids) :]
    answers, classes = own.argmax(axis=1), own.shape[1]

    def lead(values, answered):
        chosen = np.take_along_axis(values, answered[:, None], axis=1)[:, 0]
        return chosen - (values.sum(axis=1) - chosen) / (classes - 1)

    falls = lead(own, answers)[rows] - lead(without, answers[rows])
    return own, np.split(falls, np.cumsum([len(row) for row in words])[:-1])
