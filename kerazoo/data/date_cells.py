"""The forms in which a cell of a table can be a date, and what a cell of each form says."""

import re

SECOND = 10**6  # Times are microseconds.
NO_ZONE = -(10**6)
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october")
MONTHS += ("november", "december")

_TIME = (
    r"(?:[T\s,]+(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?(?:[:.](?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>z|utc|gmt|[+-]\d{2}:?(?:\d{2})?)?)?"
)
_COMPACT_TIME = (
    r"(?:[T\s]*(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})?(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s*(?P<zone>z|utc|gmt|[+-]\d{2}:?(?:\d{2})?)?)?"
)
_WEEKDAY, _NAME = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?", r"(?P<b>[a-z]{3,9})\.?"
_LONG = r"\d{4}|\d{1,2}"
_YEAR, _DAY = r"(?P<c>\d{4}|\d{2})", r"(?P<a>\d{1,2})(?:st|nd|rd|th)?"
ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?"
# Groups a, b and c of a date; named months are day first, others as their order is decided.
SHAPES = {
    "numbers": rf"{_WEEKDAY}(?P<a>{_LONG})(?P<sign>[-/. ])(?P<b>\d{{1,2}})(?P=sign)(?P<c>{_LONG}){_TIME}",
    "digits": rf"(?P<digits>\d{{8}}){_COMPACT_TIME}",
    "day name": rf"{_WEEKDAY}{_DAY}[-/. ]+{_NAME},?[-/. ]+{_YEAR}{_TIME}",
    "name day": rf"{_WEEKDAY}{_NAME}[-/. ]+{_DAY},?\s+{_YEAR}{_TIME}",
    "year name": rf"(?P<c>\d{{4}})[-/. ]{_NAME}[-/. ](?P<a>\d{{1,2}}){_TIME}",
    "year month": r"(?P<c>\d{4})[-/. ](?P<b>\d{1,2})",
    "month year": r"(?P<b>\d{1,2})[-/. ](?P<c>\d{4})",
    "name year": rf"{_NAME}[-/. ]+{_YEAR}",
    "quarter": r"(?P<c>\d{4})[-/. ]?q(?P<quarter>[1-4])",
}
SHAPES = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in SHAPES.items()}


def date_of(groups):
    """(a, b, c) of a cell's groups, or None where its month is no English one."""
    if groups.get("digits"):
        return int(groups["digits"]), 0, 0
    if groups.get("quarter"):
        return 1, 3 * int(groups["quarter"]) - 2, int(groups["c"])
    month = groups["b"]
    if not month.isdigit():
        names = [number for number, name in enumerate(MONTHS, 1) if name.startswith(month.lower().rstrip("."))]
        if len(names) != 1:
            return None
        month = names[0]
    return int(groups.get("a") or 1), int(month), int(groups["c"])


def time_of_day(groups):
    """Microseconds, or None for an hour that is none."""
    hour, minute, second = (int(groups.get(part) or 0) for part in ("hour", "minute", "second"))
    half = groups.get("half")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        return None
    micros = int((groups.get("fraction") or "0").ljust(6, "0")[:6])
    return ((hour * 60 + minute) * 60 + second) * SECOND + micros


def zone_of(text):
    """Minutes east of Greenwich."""
    if not text:
        return NO_ZONE
    if text[0] not in "+-":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return -minutes if text[0] == "-" else minutes
