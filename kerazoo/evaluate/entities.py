"""Entities in tagged words, and how many of them are found: F1 of whole entities, as CoNLL's tasks count it."""


def entities(tags):
    """[(first, last + 1, kind)] of one text's tags in IOB2; an "I-" after nothing of its kind begins an entity.

    Example:

    >>> entities(["B-PER", "I-PER", "O", "B-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    """
    found, first, kind = [], None, None
    for place, tag in enumerate([*tags, "O"]):
        goes_on = tag.startswith("I-") and kind == tag[2:]
        if kind is not None and not goes_on:
            found.append((first, place, kind))
            kind = None
        if tag != "O" and not goes_on:
            first, kind = place, tag[2:]
    return found


def scores(answers, truth, words=None):
    """Precision, recall and F1 of whole entities: right where place and kind are both right.

    Args:
        answers, truth: lists of tags, one list a text.
        words: the texts' words, for `surface_f1`; None leaves it out.

    Returns:
        {"f1", "precision", "recall", "entities", "by_kind": {kind: {"f1", "precision", "recall", "entities"}},
        "accuracy": of tags, "surface_f1": where every different form of an entity counts once (Derczynski et al.,
        2017)}.

    Raises:
        ValueError: not as many tags in the answers as in the truth.

    Example:

    >>> found = scores([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "B-ORG"]])
    >>> found["f1"], found["by_kind"]["PER"]["f1"]
    (0.5, 1.0)
    """
    if [len(tags) for tags in answers] != [len(tags) for tags in truth]:
        raise ValueError("There must be an answer for every word.")
    found, there = (
        {(text, *entity) for text, tags in enumerate(side) for entity in entities(tags)} for side in (answers, truth)
    )
    kinds = sorted({entity[-1] for entity in found | there})
    of_kind = {kind: [{e for e in side if e[-1] == kind} for side in (found, there)] for kind in kinds}
    pairs = [(one, other) for mine, right in zip(answers, truth) for one, other in zip(mine, right)]
    result = _measured(found, there) | {
        "by_kind": {kind: _measured(*sides) for kind, sides in of_kind.items()},
        "accuracy": sum(one == other for one, other in pairs) / max(len(pairs), 1),
    }
    if words is not None:
        forms = [{(" ".join(words[t][a:b]), kind) for t, a, b, kind in side} for side in (found, there)]
        result["surface_f1"] = _measured(*forms)["f1"]
    return result


def _measured(found, there):
    right = len(found & there)
    precision, recall = right / len(found) if found else 0.0, right / len(there) if there else 0.0
    return {
        "f1": 2 * right / (len(found) + len(there)) if right else 0.0,
        "precision": precision,
        "recall": recall,
        "entities": len(there),
    }
