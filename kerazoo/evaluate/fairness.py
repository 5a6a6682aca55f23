"""How decisions fall on groups of people."""

import numpy as np

from kerazoo.data.bands import in_order

RATES = ("approval", "true_positive", "false_positive")


def rates(approved, worthy, groups):
    """Rates of each group (Hardt et al., 2016, https://arxiv.org/abs/1610.02413).

    Args:
        approved: (N,), whether a row is approved.
        worthy: (N,), whether it was right to approve it.
        groups: (N,) names.

    Returns:
        {group: {"rows", "approval", "true_positive", "false_positive"}}: the shares approved of all, of the worthy
        and of the others; None where there is no such row.

    Example:

    >>> rates([1, 0, 1, 1], [1, 1, 0, 1], ["a", "a", "b", "b"])["a"]
    {'rows': 2, 'approval': 0.5, 'true_positive': 0.5, 'false_positive': None}
    """
    approved, worthy, groups = np.asarray(approved, bool), np.asarray(worthy, bool), np.asarray(groups)

    def share(rows):
        return float(approved[rows].mean()) if rows.any() else None

    return {
        group: {
            "rows": int((groups == group).sum()),
            "approval": share(groups == group),
            "true_positive": share((groups == group) & worthy),
            "false_positive": share((groups == group) & ~worthy),
        }
        for group in in_order(groups)
    }


def differences(rates_of_groups):
    """{rate: largest less smallest over the groups that have it}: 0 where decisions fall alike on all.

    Example:

    >>> differences(rates([1, 0, 1, 1], [1, 1, 0, 1], ["a", "a", "b", "b"]))["true_positive"]
    0.5
    """
    known = {rate: [row[rate] for row in rates_of_groups.values() if row[rate] is not None] for rate in RATES}
    return {rate: max(values) - min(values) if values else None for rate, values in known.items()}
