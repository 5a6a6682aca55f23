"""What the calendar says of a stamp, known for the future too."""

import numpy as np

DAY = 86_400  # seconds
# Cycle -> seconds; a cycle is left out where a row is as long as half of it.
CYCLES = {"day": DAY, "week": 7 * DAY, "year": 365.2425 * DAY}


def calendar(stamps, *, learned_from=None):
    """Sine and cosine of the time within a day, a week and a year.

    Args:
        stamps: datetime64, (T,).
        learned_from: the first rows, of which a model learns what a time means. A cycle that they do not hold twice is
            left out: nothing tells what happened once from what happens every time.

    Returns:
        `(values, names)`: float32, (T, K), and K names.

    Raises:
        ValueError: no cycle is left.

    Example:

    >>> import numpy as np
    >>> values, names = calendar(np.array(["2024-01-01T00:00", "2024-01-01T06:00"], "datetime64[s]"))
    >>> names[:2], abs(values[:, :2]).round(2).tolist()
    (['day_sine', 'day_cosine'], [[0.0, 1.0], [1.0, 0.0]])
    """
    stamps = np.asarray(stamps, "datetime64[s]")
    step = float(np.median(np.diff(stamps).astype("int64"))) if len(stamps) > 1 else 0.0
    # Weeks begin on Monday: 1970 began on a Thursday.
    since = {
        "day": stamps.astype("int64"),
        "week": stamps.astype("int64") + 3 * DAY,
        "year": (stamps - stamps.astype("datetime64[Y]")).astype("int64"),
    }
    values, names = [], []
    for cycle, seconds in CYCLES.items():
        if 2 * step >= seconds or (learned_from is not None and learned_from * step < 2 * seconds):
            continue
        angle = 2 * np.pi * (since[cycle] % seconds) / seconds
        values += [np.sin(angle), np.cos(angle)]
        names += [f"{cycle}_sine", f"{cycle}_cosine"]
    if not names:
        raise ValueError(
            "The calendar tells the time of the day, week and year in rows shorter than half of them and, to learn, "
            f"in at least two of them. Received: {learned_from or len(stamps):,} rows of {step:g} s."
        )
    return np.stack(values, axis=1).astype("float32"), names
