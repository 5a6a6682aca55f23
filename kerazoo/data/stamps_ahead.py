"""The stamps that follow those of a series, at its own spacing: even steps, months, working days, hours of opening."""

import numpy as np

DAY = np.timedelta64(1, "D")
OFTEN = 0.5  # Of the commonest weekday's count (or hour's): one that occurs as often belongs to the pattern.
HELD = 0.8  # Share of the rows that a pattern must hold, and of the pattern that must be rows.
MOST_TIMES = 1440  # Times of the day in a pattern, at most.


def stamps_ahead(stamps, count):
    """The `count` stamps after the last one of a series.

    Even steps go on. Otherwise, in this order: months, quarters or years on one day of the month, on the month's last
    day, or on its first or last working day; the weekdays, and the times of the day, on which most rows lie (working
    days, trading hours); the median step.

    Args:
        stamps: datetime64, (T,), ascending, at least two.
        count: how many.

    Returns:
        `(stamps, said)`: datetime64[s], (count,), and how they go on, in words. Holidays are not known.

    Raises:
        ValueError: fewer than two stamps, or some that do not ascend.

    Example:

    >>> import numpy as np
    >>> months = np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[s]")
    >>> stamps_ahead(months, 2)[0].astype("datetime64[D]").astype(str).tolist()
    ['2024-04-30', '2024-05-31']
    >>> days = np.array(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], "datetime64[s]")
    >>> stamps_ahead(days, 4)[0].astype("datetime64[D]").astype(str).tolist()
    ['2024-01-10', '2024-01-11', '2024-01-12', '2024-01-15']
    """
    stamps = np.asarray(stamps, "datetime64[s]")
    steps = np.diff(stamps).astype("int64")
    if len(stamps) < 2 or steps.min() <= 0:
        raise ValueError(f"A series must have at least two stamps, ascending. Received: {len(stamps)} stamps.")
    if len(np.unique(steps)) == 1 and not _is_months(stamps):
        step = int(steps[0])
        return _even(stamps[-1], step, count), f"every {_duration(step)}"
    return _months(stamps, count) or _weekdays(stamps, steps, count) or _median(stamps, steps, count)


def _is_months(stamps):
    """Whether a few even steps are months or years that happen to be of one length, as July and August are."""
    return len(stamps) <= 4 and _months(stamps, 1) is not None


def _even(last, step, count):
    return last + np.arange(1, count + 1) * np.timedelta64(step, "s")


def _median(stamps, steps, count):
    step = int(np.median(steps))
    return _even(stamps[-1], step, count), f"every {_duration(step)}, the median step of stamps without a pattern"


def _month_days(months):
    """{name: datetime64[D] of each month} that a monthly series may lie on, but for one day of the month."""
    first = months.astype("datetime64[D]")
    last = (months + 1).astype("datetime64[D]") - DAY
    return {
        "the last day": last,
        "the last working day": np.busday_offset(last, 0, roll="backward"),
        "the first working day": np.busday_offset(first, 0, roll="forward"),
    }


def _months(stamps, count):
    months, days = stamps.astype("datetime64[M]"), stamps.astype("datetime64[D]")
    steps = np.diff(months).astype("int64")
    times = stamps - days
    if steps.min() < 1 or (times != times[-1]).any():
        return None
    sizes, counts = np.unique(steps, return_counts=True)
    step = int(sizes[counts.argmax()])
    if (steps % step).any():
        return None
    ahead = months[-1] + step * np.arange(1, count + 1)
    each = {1: "month", 3: "quarter", 12: "year"}.get(step, f"{step} months")
    place = int((days - months.astype("datetime64[D]")).astype("int64").max())  # Days after the month's first.

    def of_day(months):
        return np.minimum(months.astype("datetime64[D]") + place, (months + 1).astype("datetime64[D]") - DAY)

    if place < 28 and (of_day(months) == days).all():
        return of_day(ahead) + times[-1], f"every {each}, on day {place + 1} of the month"
    for name, where in _month_days(months).items():
        if (where == days).all():
            return _month_days(ahead)[name] + times[-1], f"every {each}, on {name} of the month"
    if (of_day(months) == days).all():
        return of_day(ahead) + times[-1], f"every {each}, on day {place + 1} of the month"
    return None


def _weekdays(stamps, steps, count):
    """Rows on some weekdays, at some times of the day, as most of the rows lie."""
    days = stamps.astype("datetime64[D]")
    times, time_counts = np.unique((stamps - days).astype("int64"), return_counts=True)
    if np.median(steps) > 4 * 86_400 or len(times) > MOST_TIMES:
        return None
    times = times[time_counts >= OFTEN * time_counts.max()]
    unique = np.unique(days)
    weekdays, day_counts = np.unique(_weekday(unique), return_counts=True)
    weekdays = weekdays[day_counts >= OFTEN * day_counts.max()]
    if len(unique) < 10 and weekdays.max() < 5:
        weekdays = np.arange(5)  # Less than two weeks without a weekend: of working days.
    usual = np.isin((stamps - days).astype("int64"), times) & np.isin(_weekday(days), weekdays)
    span = np.isin(_weekday(np.arange(days[0], days[-1] + DAY)), weekdays).sum() * len(times)
    if usual.mean() < HELD or usual.sum() < HELD * (span - 2 * len(times)):
        return None
    reach = days[-1] + np.arange(8 + 7 * -(-count // len(weekdays)))  # Days, with a week to spare.
    reach = reach[np.isin(_weekday(reach), weekdays)]
    ahead = (reach[:, None] + times.astype("timedelta64[s]")).ravel()
    ahead = ahead[ahead > stamps[-1]][:count].astype("datetime64[s]")
    names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    said = "every day" if len(weekdays) == 7 else f"on {', '.join(names[day] for day in weekdays)}"
    if len(times) > 1:
        said += f", {len(times)} times a day"
    return ahead, f"{said}; holidays are not known"


def _weekday(days):
    """0 for Monday: 1970 began on a Thursday."""
    return (days.astype("int64") + 3) % 7


def _duration(seconds):
    for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % size == 0:
            count = seconds // size
            return name if count == 1 else f"{count:,} {name}s"
    return f"{seconds} seconds"
