"""Columns of dates: one format for a whole column, decided from all of it, or refused with the way to choose.

"01/02/2021" is the first of February or the second of January. The column tells where it can: a number above 12, rows
that are in order of time under one reading alone, or stamps that are dense under one reading and scattered under the
other. Where both readings fit, nothing is guessed.
"""

import re

import numpy as np

from kerazoo.data.date_cells import ISO, NO_ZONE, SECOND, SHAPES, date_of, time_of_day, zone_of

ORDERS = {"day-first": "cba", "month-first": "cab", "year-first": "abc"}  # Groups with year, month and day.
UNIX = {"unix-s": 1, "unix-ms": 10**3, "unix-us": 10**6, "unix-ns": 10**9}  # Ticks of a second.
DATE_FORMATS = (*ORDERS, *UNIX, "excel")
UNIX_RANGE = (1e8, 5e9)  # Seconds: 1973 to 2128. In other units these ranges do not overlap.
EXCEL_RANGE, EXCEL_BEGIN = (10_000, 75_000), np.datetime64("1899-12-30", "us")  # Days: 1927 to 2105.
YEARS = (1900, 2100)  # Of dates that are written as bare digits.
PIVOT = 69  # Two-digit years from 69 on are of the 1900s, as POSIX has it.
# One reading's stamps fill half of their grid and, of it, so many times as much as another's: then it is evenly spaced.
DENSE, CLEARLY = 0.5, 4
LEAST_IN_ORDER = 4  # Different stamps whose order tells something: fewer are often in order by chance.
LAST = 253_402_300_799  # Seconds from 1970 to the end of 9999.
SAMPLE = 200  # Cells by which a column's kind is recognised.
NAMES = ("time", "timestamp", "date", "datetime", "day", "month", "year", "ds", "stamp", "unix", "epoch", "when")


def check_date_format(date_format):
    """Refuses what is neither a name nor a pattern.

    Raises:
        ValueError: it is.
    """
    if date_format is not None and date_format not in DATE_FORMATS and "%" not in date_format:
        raise ValueError(
            f"`date_format` (--date-format) must be one of {', '.join(DATE_FORMATS)}, or a pattern like "
            f"'%d/%m/%Y %H:%M'. Received: {date_format!r}."
        )


def read_dates(cells, where="the column", *, date_format=None):
    """The stamps of a column, in UTC where the cells say a zone.

    Read are numbers with one separator (31/12/2021, 31.12.21, 2021-12-31), digits alone (20211231), English months (31
    Dec 2021), months (2021-12) and quarters (2021Q4), each with a time of day or none; Unix time in seconds, milli-,
    micro- or nanoseconds and Excel's days by their size; stamps and dates of Parquet.

    Args:
        cells: a pandas Series, in the order of the file's rows; its index + 2 is the line.
        where: file and column, for messages.
        date_format: one of `DATE_FORMATS`, or a pattern of `strptime`; None decides from the whole column.

    Returns:
        `(stamps, said)`: datetime64[us], (N,), and how they were read, for a note.

    Raises:
        ValueError: a cell that is no date, dates of two formats, some with and some without a zone, or a column that
            can be read in two ways.

    Example:

    >>> import pandas
    >>> stamps, said = read_dates(pandas.Series(["12/01/2018", "13/01/2018"]))
    >>> str(stamps[0])[:10], said
    ('2018-01-12', 'day first, for only so every cell is a date')
    """
    import pandas

    check_date_format(date_format)
    if pandas.api.types.is_datetime64_any_dtype(cells):
        stamps = (cells.dt.tz_convert("UTC").dt.tz_localize(None) if cells.dt.tz is not None else cells).to_numpy()
        _refuse(np.isnat(stamps), cells, where)
        return stamps.astype("datetime64[us]"), "as the file's own stamps"
    if date_format and "%" in date_format:
        return _by_pattern(cells, where, date_format), f"as {date_format!r}"
    if date_format in (None, "year-first"):
        stamps = _iso(cells)
        if stamps is not None:
            return stamps, "year first" + (", as chosen" if date_format else "")
    numbers = pandas.to_numeric(cells, errors="coerce").to_numpy("float64", na_value=np.nan)
    if date_format in UNIX or date_format == "excel":
        with np.errstate(over="ignore"):
            seconds = numbers * 86_400 if date_format == "excel" else numbers / UNIX[date_format]
        _refuse(~(np.abs(seconds) <= LAST), cells, where)
        return _counted(pandas.to_numeric(cells).to_numpy(), date_format), f"as {date_format}"
    if len(numbers) and np.isfinite(numbers).all():
        kind = _kind_of_cells(cells, numbers)
        if kind == "digits":
            cells = pandas.Series(_digits(numbers), index=cells.index)
        elif kind is None or date_format:
            raise ValueError(
                f"{where}: dates must be text, Unix time, days as Excel counts them, years, or digits like 20211231; "
                f"choose by `date_format` (--date-format). Received: {cells.iloc[0]!r}."
            )
        else:
            return _counted(pandas.to_numeric(cells).to_numpy(), kind), f"as {kind}, by the size of the numbers"
    return _of_text(cells, where, date_format)


def looks_like_dates(cells, date_format=None):
    """Whether a column of a table holds dates: half of its first cells, or numbers that count time under its name."""
    import pandas

    if pandas.api.types.is_datetime64_any_dtype(cells):
        return True
    cells = cells.dropna().iloc[:SAMPLE]
    cells = cells[cells.astype(str).str.strip() != ""]
    if not len(cells):
        return False
    if date_format and "%" in date_format:
        return bool(_parsed_by_pattern(cells, date_format).notna().all())
    numbers = pandas.to_numeric(cells, errors="coerce").to_numpy("float64", na_value=np.nan)
    if np.isfinite(numbers).any():
        words = re.split(r"[^a-z]+", str(cells.name).lower())
        named = any(word in NAMES for word in words) or any(str(cells.name).lower().endswith(name) for name in NAMES)
        kind = number_kind(numbers) if np.isfinite(numbers).all() else None
        counts = len(numbers) > 1 and ((np.diff(numbers) > 0).all() or (np.diff(numbers) < 0).all())
        return kind is not None and (named or (kind in UNIX and bool(counts)))
    _, fitting = _shape_of(cells)
    return 2 * fitting >= len(cells)


def number_kind(numbers):
    """What a column of bare numbers counts: a name of `UNIX`, "excel", "year", "month", "digits", or None."""
    low, high = numbers.min(), numbers.max()
    whole = (numbers == np.floor(numbers)).all() and high < 2**53
    if whole and _digits(numbers) is not None:
        return "digits"
    for kind, ticks in UNIX.items():
        if UNIX_RANGE[0] * ticks <= low and high <= UNIX_RANGE[1] * ticks:
            return kind
    if whole and low >= 1800 and high <= 2200:
        return "year"
    if whole and low >= 180_000 and high <= 220_012 and np.isin(numbers % 100, range(1, 13)).all():
        return "month"
    return "excel" if EXCEL_RANGE[0] <= low and high < EXCEL_RANGE[1] else None


def _kind_of_cells(cells, numbers):
    """`number_kind`, but None where six digits can be a day as well: 010221, or 200101 among others than months."""
    kind = number_kind(numbers)
    six = [word for word in cells.astype(str).str.strip() if len(word) == 6 and word.isdigit()]
    if kind == "excel" and any(word.startswith("0") for word in six):
        return None
    if kind == "month" and len(six) == len(numbers):
        years, months = numbers.astype("int64") // 100, numbers.astype("int64") % 100
        days = _valid(_full_years(years // 100, 2), years % 100, months).all()
        steps = np.unique(np.diff(np.unique(12 * years + months)))
        if (days and not np.array_equal(steps, [1])) or not _valid(years, months, 1, *YEARS).all():
            return None
    return kind


def _digits(numbers):
    """The numbers as text, if all can be dates like 20211231, 31122021 or 20211231235900; else None."""
    length = len(f"{numbers.max():.0f}")
    if length not in (7, 8, 12, 14) or numbers.min() < 10 ** (length - 2):
        return None
    text = [f"{int(number):0{8 if length == 7 else length}d}" for number in numbers]
    orders = _orders_of_digits(np.array([int(word[:8]) for word in text]))
    dated = any(_valid(*date, *YEARS).all() for date in orders.values())
    return text if dated and all(_time_of_digits(word[8:]) for word in text) else None


def _time_of_digits(word):
    return all(int(part) < most for part, most in zip((word[:2] or 0, word[2:4] or 0, word[4:] or 0), (24, 60, 60)))


def _counted(numbers, kind):
    """datetime64[us] of numbers that count from a day on."""
    if kind == "excel":  # Its fractions are rounded: whole seconds are meant.
        return EXCEL_BEGIN + (np.round(numbers.astype("float64") * 86_400) * SECOND).astype("timedelta64[us]")
    if kind in ("year", "month"):
        years, months = (numbers, 1) if kind == "year" else (numbers // 100, numbers % 100)
        return _days(np.asarray(years, "int64"), np.asarray(months, "int64"), 1).astype("datetime64[us]")
    ticks = UNIX[kind]
    if numbers.dtype.kind in "iu":
        micros = numbers * (SECOND // ticks) if ticks <= SECOND else numbers // (ticks // SECOND)
    else:
        micros = np.round(numbers.astype("float64") * (SECOND / ticks))
    return micros.astype("int64").astype("datetime64[us]")


def _parsed_by_pattern(cells, date_format):
    """A pandas Series of stamps in UTC, NaT where a cell is not of the pattern."""
    import pandas

    try:
        return pandas.to_datetime(cells.astype(str).str.strip(), format=date_format, errors="coerce", utc=True)
    except ValueError as error:
        raise ValueError(
            f"`date_format` (--date-format) must be a pattern of strptime: {error}. Received: {date_format!r}."
        ) from error


def _by_pattern(cells, where, date_format):
    parsed = _parsed_by_pattern(cells, date_format)
    _refuse(parsed.isna().to_numpy(), cells, where)
    return parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def _refuse(bad, cells, where):
    """Refuses the first bad row, if there is one."""
    rows = np.flatnonzero(bad)
    if len(rows):
        raise ValueError(
            f"{_line(where, cells, rows[0])}: every cell must be a date of one format. "
            f"Received: {str(cells.iloc[rows[0]])!r}."
        )


def _line(where, cells, row):
    """`where` with the line of a row: "a.csv, line 3, column 'when'"."""
    file, comma, column = where.rpartition(", column ")
    return f"{file}, line {cells.index[row] + 2}{comma}{column}" if comma else f"{where}, line {cells.index[row] + 2}"


def _shape_of(cells):
    """(the shape that most of the first cells have, how many have it)."""
    words = [str(cell).strip() for cell in cells.iloc[:SAMPLE]]
    counts = {name: sum(map(bool, map(shape.fullmatch, words))) for name, shape in SHAPES.items()}
    best = max(counts, key=counts.get)
    return best, counts[best]


def _of_text(cells, where, date_format):
    name, _ = _shape_of(cells)
    parts, offsets, widths, bad = _parsed(cells, SHAPES[name])
    _refuse(bad, cells, where)
    zoned = offsets != NO_ZONE
    if zoned.any() and not zoned.all():
        row = np.flatnonzero(~zoned)[0]
        raise ValueError(
            f"{_line(where, cells, row)}: every cell must have a time zone, or none. "
            f"Received: {cells.iloc[row]!r}, without one."
        )
    readings = _readings(name, parts, widths, cells, where)
    seconds = parts[3] - np.where(zoned, offsets, 0) * 60 * SECOND
    if date_format is not None and "by their form" not in readings:
        if date_format not in readings:
            raise ValueError(
                f"{where}: `date_format` (--date-format) must be one that fits {cells.iloc[0]!r}: "
                f"{' or '.join(readings)}. Received: {date_format!r}."
            )
        readings = {date_format: readings[date_format]}
    fitting = {order: _valid(*date).all() for order, date in readings.items()}
    if not any(fitting.values()):
        raise ValueError(_unreadable(readings, cells, where))
    dates = {order: _days(*readings[order]) for order, fits in fitting.items() if fits}
    stamps = {order: days.astype("datetime64[us]") + seconds.astype("timedelta64[us]") for order, days in dates.items()}
    order, why = _chosen(stamps, cells, where)
    if len(readings) == 1:
        why = "" if date_format is None else ", as chosen"
    return stamps[order], order.replace("-", " ") + why


def _iso(cells):
    """The stamps where all cells are ISO 8601 without a zone, else None: pandas reads those a hundred times faster."""
    import pandas

    cells = cells.astype(str).str.strip()
    if not cells.str.fullmatch(ISO).all():
        return None
    stamps = pandas.to_datetime(cells, format="ISO8601", errors="coerce")
    return None if stamps.isna().any() else stamps.to_numpy().astype("datetime64[us]")


def _parsed(cells, shape):
    """((a, b, c, microseconds of the day), zones in minutes, digits of a and c, which rows are no date)."""
    count = len(cells)
    numbers, offsets = np.zeros((4, count), "int64"), np.full(count, NO_ZONE, "int64")
    widths, bad, signs = np.zeros((2, count), "int8"), np.zeros(count, bool), set()
    for row, cell in enumerate(cells):
        found = shape.fullmatch(str(cell).strip())
        groups = found.groupdict() if found else {}
        time = time_of_day(groups) if found else None
        date = date_of(groups) if found else None
        if time is None or date is None or (signs and groups.get("sign") not in signs):
            bad[row] = True
            continue
        signs.add(groups.get("sign"))
        numbers[:3, row], numbers[3, row] = date, time
        widths[:, row] = len(groups.get("a") or ""), len(groups.get("c") or "")
        offsets[row] = zone_of(groups.get("zone"))
    return numbers, offsets, widths, bad


def _readings(name, parts, widths, cells, where):
    """{order: (years, months, days)} of every order that the cells' form leaves open."""
    a, b, c, _ = parts
    if name == "digits":
        return {order: date for order, date in _orders_of_digits(a).items() if _valid(*date, *YEARS).all()} or {
            "year-first": _orders_of_digits(a)["year-first"]
        }
    if name != "numbers":
        return {"by their form": (_full_years(c, widths[1]), b, a)}
    first, last = widths[0] == 4, widths[1] == 4
    kinds = first + 2 * last
    if (kinds != kinds[0]).any() or kinds[0] == 3:
        row = int(np.flatnonzero(kinds != kinds[0])[0]) if kinds[0] != 3 else 0
        raise ValueError(
            f"{_line(where, cells, row)}: every cell must be a date of one format. "
            f"Received: {cells.iloc[row]!r} after {cells.iloc[0]!r}."
        )
    orders = ("year-first",) if first[0] else ("day-first", "month-first") if last[0] else tuple(ORDERS)
    groups = dict(zip("abc", (a, b, c)))
    readings = {}
    for order in orders:
        year, month, day = (groups[group] for group in ORDERS[order])
        readings[order] = (_full_years(year, widths[1] if order != "year-first" else widths[0]), month, day)
    return readings


def _orders_of_digits(digits):
    """{order: (years, months, days)} of dates like 20211231 and 31122021."""
    head, middle, tail = digits // 10**6, digits // 10**4 % 100, digits % 10**4
    return {
        "year-first": (digits // 10**4, digits // 100 % 100, digits % 100),
        "day-first": (tail, middle, head),
        "month-first": (tail, head, middle),
    }


def _full_years(years, width):
    return np.where(width == 4, years, np.where(years >= PIVOT, 1900 + years, 2000 + years))


def _valid(years, months, days, first=1, last=9999):
    """Which rows are dates."""
    inside = (months >= 1) & (months <= 12) & (days >= 1) & (years >= first) & (years <= last)
    month = _days(np.where(inside, years, 2000), np.where(inside, months, 1), 1).astype("datetime64[M]")
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype("int64")
    return inside & (days <= length)


def _days(years, months, days):
    """datetime64[D]."""
    months = ((years - 1970) * 12 + months - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]") + np.asarray(days - 1, "timedelta64[D]")


def _unreadable(readings, cells, where):
    """Why no order makes a date of every cell."""
    bad = {order: np.flatnonzero(~_valid(*date)) for order, date in readings.items()}
    best = min(bad, key=lambda order: len(bad[order]))
    one = bad[best][0]
    others = [order for order, rows in bad.items() if one not in rows]
    rule = f"{_line(where, cells, one)}: every cell must be a date of one format. Received: {cells.iloc[one]!r}"
    if not others:
        return f"{rule}."
    two = bad[others[0]][0]
    return (
        f"{rule}, which is {others[0].replace('-', ' ')}, and {cells.iloc[two]!r} in line {cells.index[two] + 2}, "
        "which is not."
    )


def _chosen(stamps, cells, where):
    """(the order that the whole column tells, why)."""
    orders = list(stamps)
    if len(orders) == 1:
        return orders[0], ", for only so every cell is a date"
    if all(np.array_equal(stamps[orders[0]], other) for other in stamps.values()):
        return orders[0], ", which is the same as any other order"
    in_order = [order for order, values in stamps.items() if _in_order(values)]
    density = {order: _density(values) for order, values in stamps.items()}
    densest = max(density, key=density.get)
    others = [value for order, value in density.items() if order != densest]
    clear = density[densest] >= max(DENSE, *(CLEARLY * value for value in others))
    if len(in_order) == 1 and (not clear or densest == in_order[0]):
        return in_order[0], ", for only so the rows are in order of time"
    if clear and (not in_order or densest in in_order):
        return densest, ", for only so the rows are evenly spaced"
    differs = np.flatnonzero(np.any([stamps[orders[0]] != stamps[order] for order in orders[1:]], axis=0))[0]
    choices = " or ".join(order.replace("-", " ") for order in orders)
    raise ValueError(
        f"{_line(where, cells, differs)}: {str(cells.iloc[differs])!r} can be read {choices}, and neither a number "
        "above 12 nor the order or the spacing of the rows tells which. Choose by `date_format` (--date-format): "
        f"{', '.join(orders)}, or a pattern like '%d/%m/%Y'."
    )


def _in_order(stamps):
    """Whether the rows ascend or descend, and are enough to tell."""
    steps = np.diff(stamps).astype("int64")
    return bool(((steps >= 0).all() or (steps <= 0).all()) and (steps != 0).sum() + 1 >= LEAST_IN_ORDER)


def _density(stamps):
    """Share of the grid of their commonest step that the stamps fill; months count as equally long."""
    unique = np.unique(stamps)
    if len(unique) < 3:
        return 1.0
    months = unique.astype("datetime64[M]")
    since = unique - months.astype("datetime64[us]")
    shares = [_filled(unique.astype("int64"))]
    if (since == since[0]).all():
        shares.append(_filled(months.astype("int64")))
    return max(shares)


def _filled(ticks):
    steps = np.diff(ticks)
    sizes, counts = np.unique(steps, return_counts=True)
    return len(ticks) / ((ticks[-1] - ticks[0]) / sizes[counts.argmax()] + 1)
