"""The options that say how a user's table is written, where it is not recognised rightly."""

SETTINGS = "separator decimal header date_format duplicates"
# Signs and words of a command line -> names of `kerazoo.data.delimited`.
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "\\t": "tab", "|": "pipe"}
DECIMALS = {".": "point", ",": "comma"}
HEADERS = {"yes": True, "no": False}


def add_options(group, *, numbers=True, dates=False, stamps=False):
    """--separator and --header; --decimal of tables with numbers, --date-format of those with dates.

    Where rows have stamps, --duplicates too.
    """
    group.set_defaults(decimal=None, date_format=None, duplicates=None)
    choices = ("comma", "semicolon", "tab", "pipe")
    group.add_argument(
        "--separator", type=_named(SEPARATORS), choices=choices, help="of cells; by default recognised from the file"
    )
    group.add_argument("--header", choices=tuple(HEADERS), help="whether the first row names the columns; likewise")
    if numbers:
        group.add_argument(
            "--decimal", type=_named(DECIMALS), choices=("point", "comma"), help="sign of decimals; likewise"
        )
    if stamps:
        group.add_argument(
            "--duplicates",
            choices=("first", "last", "mean"),
            help="which of several rows of one stamp counts; by default they are refused",
        )
    if dates or stamps:
        group.add_argument(
            "--date-format",
            metavar="FORMAT",
            help="day-first, month-first, year-first, unix-s, unix-ms, unix-us, unix-ns, excel, or a pattern like "
            "%%d/%%m/%%Y %%H:%%M; by default decided from the whole column",
        )


def check(arguments):
    """Refuses these options where no file of the user's is read, and a format of dates that is none.

    Raises:
        ValueError: one of them without --data, or an unknown format.
    """
    from kerazoo.data.dates import check_date_format

    given = [f"--{name.replace('_', '-')}" for name in SETTINGS.split() if getattr(arguments, name) is not None]
    if given and not arguments.data:
        raise ValueError(f"`{given[0]}` goes with `--data`: named data need no such option. Received: it, without.")
    check_date_format(arguments.date_format)


def dialect(arguments):
    """The `Dialect` of what the options say."""
    from kerazoo.data.delimited import Dialect

    return Dialect(arguments.separator, arguments.decimal, HEADERS.get(arguments.header))


def of_series(arguments):
    """What `kerazoo.data.series.read_series` takes of these options and --time."""
    names = {"time": arguments.time, "date_format": arguments.date_format, "dialect": dialect(arguments)}
    return names | {"duplicates": arguments.duplicates or "error"}


def _named(names):
    """Takes the sign itself, too: `--separator ";"`."""
    return lambda word: names.get(word, word)
