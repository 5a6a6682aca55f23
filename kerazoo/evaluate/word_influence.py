"""Which words drove a classifier's answer: what changes when each is hidden."""

import numpy as np


def influence(function, ids, hidden, *, size=256):
    """How much less sure of its answer a classifier is without each word.

    One word at a time becomes unknown, the others stay. So it says what a change of this word alone does.

    Args:
        function: (B, T) int32 -> logits (B, classes).
        ids: (N, T) int32, 0 after a text's end.
        hidden: id that takes a word's place.
        size: rows that the function is given at a time.

    Returns:
        `(logits, effects)`: (N, classes) of the whole texts, and (N, T) the fall of the answered class's logit over
        the mean of the others', 0 where there is no word.

    Example:

    >>> import numpy as np
    >>> _, effects = influence(lambda ids: np.stack([0 * ids.sum(1), (ids == 7).sum(1)], 1), np.array([[5, 7, 0]]), 1)
    >>> effects.tolist()
    [[0.0, 1.0, 0.0]]
    """
    ids = np.asarray(ids)
    rows, places = np.nonzero(ids)
    changed = ids[rows]
    changed[np.arange(len(rows)), places] = hidden
    every = np.concatenate([ids, changed])
    logits = np.concatenate([np.asarray(function(every[i : i + size])) for i in range(0, len(every), size)])
    own, without = logits[: len(ids)], logits[len(ids) :]
    answers, classes = own.argmax(axis=1), own.shape[1]

    def lead(values, answered):
        chosen = np.take_along_axis(values, answered[:, None], axis=1)[:, 0]
        return chosen - (values.sum(axis=1) - chosen) / (classes - 1)

    effects = np.zeros(ids.shape)
    effects[rows, places] = lead(own, answers)[rows] - lead(without, answers[rows])
    return own, effects
