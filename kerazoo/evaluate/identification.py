"""Who is it? Ranks of the right person among those enrolled, and when to say "nobody"."""

import numpy as np


def ranks(similarity, owners, truth):
    """Rank of the right person for each probe, (Q,), 1 is first; a person counts by the most similar image.

    Args:
        similarity: (Q, G), higher is more alike.
        owners: (G,) people of the enrolled images.
        truth: (Q,) people of the probes, all enrolled.

    Raises:
        ValueError: a probe of somebody who is not enrolled.

    Example:

    >>> ranks([[0.9, 0.2, 0.4], [0.9, 0.2, 0.4]], [0, 1, 1], [0, 1]).tolist()
    [1, 2]
    """
    owners, truth = np.asarray(owners), np.asarray(truth)
    people = np.unique(owners)
    if not np.isin(truth, people).all():
        raise ValueError(f"Probes must be of enrolled people. Received: {sorted(set(truth) - set(people))} too.")
    similarity = np.asarray(similarity)
    best = np.stack([similarity[:, owners == person].max(axis=1) for person in people], axis=1)
    right = best[np.arange(len(truth)), np.searchsorted(people, truth)]
    return 1 + (best > right[:, None]).sum(axis=1)


def cumulative_match(found, people):
    """Share of probes whose right person is among the first 1, 2, ..., `people`: (people,).

    Example:

    >>> cumulative_match([1, 2, 1, 3], 3).tolist()
    [0.5, 0.75, 1.0]
    """
    found = np.asarray(found)
    return np.array([(found <= rank).mean() for rank in range(1, people + 1)])


def one_image_each(similarity, labels):
    """Ranks where one image of each person is enrolled and all others are probes, every image enrolled once.

    In turn i each person's image i is enrolled; people with fewer images enrol their last, those with one image are
    enrolled and give no probes.

    Args:
        similarity: (N, N), of all images.
        labels: (N,).

    Returns:
        (turns, probes) ranks, as one array (n,).
    """
    labels = np.asarray(labels)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    found = []
    for turn in range(max(map(len, members))):
        gallery = np.array([images[min(turn, len(images) - 1)] for images in members])
        probes = np.setdiff1d(np.arange(len(labels)), gallery)
        found.append(ranks(similarity[np.ix_(probes, gallery)], labels[gallery], labels[probes]))
    return np.concatenate(found)


def unknown_threshold(similarity, labels, *, false_alarms=0.01):
    """The score below which the nearest person is a stranger's: `false_alarms` of strangers come above it.

    Every image is taken for a stranger's in turn: everybody else's are enrolled, and its highest score counts.

    Args:
        similarity: (N, N), of images of people who are not among those to be enrolled.
        labels: (N,).
        false_alarms: share of strangers who are given somebody's name, in [0, 1).

    Raises:
        ValueError: one person alone, or a share outside [0, 1).

    Example:

    >>> unknown_threshold([[1.0, 0.2, 0.4], [0.2, 1.0, 0.1], [0.4, 0.1, 1.0]], [0, 1, 2], false_alarms=0.0)
    0.4
    """
    labels = np.asarray(labels)
    if len(np.unique(labels)) < 2 or not 0 <= false_alarms < 1:
        raise ValueError(
            "There must be two people at least, and `false_alarms` in [0, 1). "
            f"Received: {len(np.unique(labels))} people, {false_alarms!r}."
        )
    strangers = labels[:, None] != labels
    highest = np.where(strangers, np.asarray(similarity, "float64"), -np.inf).max(axis=1)
    return float(np.quantile(highest, 1 - false_alarms, method="higher"))
