"""Tables as text: the one place where separator, decimal sign, quotes and header row of users' files are recognised."""

import csv
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kerazoo.data.date_cells import SHAPES
from kerazoo.data.parquet_files import read_parquet
from kerazoo.data.text_files import CELLS, MOST_COLUMNS, read_text
from kerazoo.extras import need

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DECIMALS = {"point": ".", "comma": ","}
USUAL = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}  # Where several separators would do.
ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
EMPTY = ("", "na", "nan", "null", "none", "?", "n/a", "#n/a", "<na>")
SAMPLE_ROWS, SAMPLE_SIZE = 200, 2**18  # What the dialect is recognised by: rows, and characters.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# Decimal sign -> numbers with a fraction, and whole ones with the other sign between their thousands.
FRACTION, GROUPED = {}, {}
for point, group in ((r"\.", ","), (",", r"\.")):
    tail = r"(?:[eE][+-]?\d+)?"
    FRACTION[point[-1]] = re.compile(rf"[+-]?(?:\d{{1,3}}(?:{group}\d{{3}})+|\d*){point}\d+{tail}")
    GROUPED[point[-1]] = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{group}\d{{3}})+")


@dataclass(frozen=True)
class Dialect:
    """How a table is written; what is None is recognised from the file.

    Attributes:
        separator: "comma", "semicolon", "tab" or "pipe".
        decimal: "point" or "comma".
        header: whether the first row names the columns.
        quote: '"' or "'", around cells with separators in them.
        skipped: lines before the table.

    Raises:
        ValueError: another separator or decimal sign, or a comma as both.

    Example:

    >>> print(Dialect("semicolon", "comma", True))
    read as: separator ';', decimal ',', header row
    """

    separator: str | None = None
    decimal: str | None = None
    header: bool | None = None
    quote: str = '"'
    skipped: int = 0

    def __post_init__(self):
        for name, choices in (("separator", SEPARATORS), ("decimal", DECIMALS)):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise ValueError(f"`{name}` must be one of {list(choices)}. Received: {value!r}.")

    @property
    def sign(self):
        """The separator itself."""
        return SEPARATORS[self.separator]

    def __str__(self):
        sign = "tab" if self.separator == "tab" else repr(self.sign)
        parts = [f"separator {sign}"]
        parts += [f"decimal {DECIMALS[self.decimal]!r}"] if self.decimal else []
        parts += ["header row" if self.header else "no header row"]
        parts += [f"quote {self.quote}"] if self.quote != '"' else []
        return f"read as: {', '.join(parts)}"


def sniff(text, dialect=None, *, usual=","):
    """The `Dialect` of a table's text: what the given one leaves open is recognised from the first rows.

    Args:
        text: of the file.
        dialect: what is known, or None.
        usual: the separator that is taken where several would do.

    Example:

    >>> print(sniff("day;load\\n2024-01-01;1,5\\n2024-01-02;2,5\\n"))
    read as: separator ';', decimal ',', header row
    """
    dialect = dialect or Dialect()
    sample, skipped = text[:SAMPLE_SIZE], dialect.skipped
    told = re.match(r"sep=([,;\t|])\n", sample)  # A first line that Excel writes.
    if told:
        sample, skipped = sample[told.end() :], 1
    quote = _quote(sample)
    signs = [dialect.sign] if dialect.separator else [told.group(1)] if told else list(SEPARATORS.values())
    tables = {sign: _sample_rows(sample, sign, quote, len(text) > SAMPLE_SIZE) for sign in signs}
    sign = _separator(tables, usual)
    rows = tables[sign]
    decimal = dialect.decimal or _decimal([cell for row in rows for cell in row], sign)
    header = _has_header(rows, decimal) if dialect.header is None else dialect.header
    name = next(name for name, value in SEPARATORS.items() if value == sign)
    return Dialect(name, decimal, header, quote, skipped)


def rows_of(text, dialect, where):
    """Yields (line, cells) of the rows that are not empty; between tabs no sign quotes, and a line is a row.

    Raises:
        ValueError: quotes that do not close, or a cell too long, with the line.
    """
    lines = text.removesuffix("\n").split("\n")[dialect.skipped :]
    if dialect.separator == "tab":
        for number, line in enumerate(lines, start=1 + dialect.skipped):
            if line.strip():
                yield number, line.split("\t")
        return
    # Line by line, so that a mistake has its line.
    reader = csv.reader((f"{line}\n" for line in lines), strict=True, delimiter=dialect.sign, quotechar=dialect.quote)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num + dialect.skipped, row
    except csv.Error as error:
        raise ValueError(f"{where}, line {reader.line_num + dialect.skipped}: {error}.") from error


def read_cells(path, dialect=None, *, what="A table"):
    """A table as a pandas data frame: text cells as they stand, with decimal points; Parquet keeps its types.

    Without a header the columns are called "column 1", "column 2" and so on. The index + 2 is a row's line.

    Args:
        path: a `.csv`, `.tsv`, `.txt`, each also `.gz`, or `.parquet` file, or a file object with text.
        dialect: a `Dialect` that says what is not to be recognised.
        what: what is read, for messages.

    Returns:
        `(frame, said)`: a sentence on what was recognised, or "" for Parquet.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas, or pyarrow for Parquet.
        ValueError: another kind of file, bytes that are no text, rows of unequal length, or more columns or cells than
            a file of its size can hold.
    """
    need("pandas")
    if hasattr(path, "read"):
        text, where, usual = path.read(), getattr(path, "name", "the table"), ","
    else:
        where = path = Path(path)
        endings = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"][-1:] or [""]
        if not path.is_file():
            raise FileNotFoundError(f"{what} must be an existing file. Received: {str(path)!r}.")
        if endings[0] == ".parquet":
            return read_parquet(path), ""
        if endings[0] not in ENDINGS:
            raise ValueError(
                f"{what} must be a .csv, .csv.gz or .parquet file (or {', '.join(ENDINGS[1:])}); save a spreadsheet as "
                f"CSV. Received: {str(path)!r}."
            )
        text, usual = read_text(path), USUAL.get(endings[0], ",")
    if not text.strip():
        raise ValueError(f"{where} is no CSV table: it is empty.")
    known, dialect = dialect and dialect.decimal, sniff(text, dialect, usual=usual)
    frame = _frame(text, dialect, where)
    if "," in text and (dialect.separator != "comma" or dialect.quote in text):
        frame, dialect = _with_points(frame, dialect, known, where)
    frame, left_out = _named(frame, text, dialect, where)
    return frame, f"{str(dialect).capitalize()}.{left_out}"


def _quote(sample):
    """The apostrophe, where it stands around cells and the quotation mark nowhere."""
    around = len(re.findall(r"(?:^|[,;\t|])\s*'[^'\n]*'\s*(?=[,;\t|]|$)", sample, re.MULTILINE))
    return "'" if '"' not in sample and around >= max(2, sample.count("\n") // 2) else '"'


def _sample_rows(sample, sign, quote, cut):
    quoting = {"quoting": csv.QUOTE_NONE} if sign == "\t" and quote not in sample else {"quotechar": quote}
    rows = []
    try:
        for row in csv.reader(io.StringIO(sample), delimiter=sign, skipinitialspace=True, **quoting):
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
            if len(rows) > SAMPLE_ROWS:
                return rows[:-1]
    except csv.Error:
        pass  # The reader will say where.
    return rows[:-1] if cut and len(rows) > 1 else rows


def _separator(tables, usual):
    """The separator under which most rows have one number of cells, above one."""
    shares, common = {}, {}
    for sign, rows in tables.items():
        cells, count = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 1)
        if cells == 1 and len(set(map(len, rows))) > 1:  # Rows of any length, but for some of one cell.
            cells, count = Counter(len(row) for row in rows if len(row) > 1).most_common(1)[0]
        shares[sign], common[sign] = (count / len(rows) if cells > 1 else 0.0), cells
    best = max(shares.values())
    if not best:
        return usual if usual in tables else next(iter(tables))
    fitting = [sign for sign, share in shares.items() if share >= best - 0.1]
    others = [sign for sign in fitting if sign != ","]
    if "," in fitting and others:
        other = others[0]
        first = {sign: len(tables[sign][0]) == common[sign] for sign in (",", other)}
        decimals = any(FRACTION[","].fullmatch(cell) for row in tables[other] for cell in row)
        if decimals or (first[other] and not first[","]):
            return other
    return usual if usual in fitting else max(fitting, key=shares.get)


def _decimal(cells, sign):
    """The decimal sign of these cells: 1,234 is a fraction where no cell says otherwise and commas do not separate."""
    commas, points, unclear = 0, 0, 0
    for cell in cells:
        comma, point = bool(FRACTION[","].fullmatch(cell)), bool(FRACTION["."].fullmatch(cell))
        unclear += comma and bool(GROUPED["."].fullmatch(cell))
        commas += comma and not GROUPED["."].fullmatch(cell)
        points += point and not GROUPED[","].fullmatch(cell)
    return "comma" if not points and (commas or (unclear and sign != ",")) else "point"


def _has_header(rows, decimal):
    """Whether the first row names the columns: words over numbers or dates, or no number and no date at all."""

    def counts(cell):
        number = NUMBER.fullmatch(cell) or FRACTION[DECIMALS[decimal]].fullmatch(cell)
        return bool(number or any(shape.fullmatch(cell) for shape in SHAPES.values()))

    if not rows:
        return True
    first, below = rows[0], rows[1:]
    for place, cell in enumerate(first):
        column = [row[place] for row in below if place < len(row) and row[place].lower() not in EMPTY]
        named = column and cell.lower() not in EMPTY and not counts(cell)
        if named and 2 * sum(map(counts, column)) > len(column):
            return True
    return not any(map(counts, first))


def _frame(text, dialect, where):
    import pandas

    names = next(rows_of(text[:SAMPLE_SIZE], dialect, where), (1, [""]))[1]
    lines, columns = text.count("\n") + 1, len(names)
    if columns > MOST_COLUMNS:
        raise ValueError(f"{where} must have at most {MOST_COLUMNS:,} columns. Received: {columns:,}.")
    if lines * columns > max(CELLS, 4 * (text.count(dialect.sign) + lines)):
        raise ValueError(
            f"{where} must have as many cells in each row as in the first, {columns:,}. Received: far fewer in most of "
            f"{lines:,} lines."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame = pandas.read_csv(
                io.BytesIO(text.encode()),  # A StringIO would take four bytes for each sign.
                sep=dialect.sign,
                header=0 if dialect.header else None,
                skiprows=dialect.skipped,
                quotechar=dialect.quote,
                dtype=str,
                skipinitialspace=True,
                keep_default_na=False,
                index_col=False,
            )
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, pandas.errors.ParserWarning) as error:
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        if isinstance(error, pandas.errors.ParserWarning):
            reason = f"rows must have {columns} cells, as the first; some have more"
        raise ValueError(f"{where} is no CSV table ({dialect}): {reason}.") from error
    if not dialect.header:
        frame.columns = [f"column {number}" for number in range(1, len(frame.columns) + 1)]
    frame.columns = [str(name).strip() for name in frame.columns]
    frame.index = frame.index + dialect.skipped - (0 if dialect.header else 1)
    return frame


def _named(frame, text, dialect, where):
    """(the frame without empty columns and row numbers that have no name, a sentence on what is left out, or "")."""
    head = next(rows_of(text[:SAMPLE_SIZE], dialect, where), (1, []))[1] if dialect.header else ()
    unnamed = [place for place, name in enumerate(head) if not name.strip()]
    empty = [place for place in unnamed if frame.iloc[:, place].astype(str).str.strip().isin(("", "nan")).all()]
    rows = [str(row) for row in range(len(frame) + 1)]
    counted = unnamed[:1] == [0] and len(frame) > 1 and frame.iloc[:, 0].tolist() in (rows[:-1], rows[1:])
    dropped = sorted({*empty, *([0] if counted else [])})
    if not dropped or len(dropped) == frame.shape[1]:
        return frame, ""
    said = " A first column without a name counts the rows and is left out." if counted else ""
    said += f" Columns without a name and a value are left out: {len(empty)}." if empty else ""
    return frame.iloc[:, [place for place in range(frame.shape[1]) if place not in dropped]], said


def _with_points(frame, dialect, known, where):
    """(the frame with decimal points, its dialect); the first decimal comma may stand far below the first rows."""
    columns = [frame.iloc[:, place].astype(str).str.strip() for place in range(frame.shape[1])]
    with_commas = [column[column.str.contains(",", regex=False).fillna(False)] for column in columns]
    if known is None:
        found = (cell for column in (with_commas if dialect.decimal == "point" else columns) for cell in column)
        decimal = _decimal(found, dialect.sign)
        if decimal == "comma" and dialect.decimal == "point":  # The points are in cells without a comma.
            decimal = _decimal((cell for column in columns for cell in column), dialect.sign)
        dialect = replace(dialect, decimal=decimal)
    sign = DECIMALS[dialect.decimal]
    other = "," if sign == "." else "."
    for place, column in enumerate(columns):
        if sign == "." and not len(with_commas[place]):
            continue
        fractions = column.str.fullmatch(FRACTION[sign].pattern).fillna(False).astype(bool)
        grouped = column.str.fullmatch(GROUPED[sign].pattern).fillna(False).astype(bool)
        if known is None:
            # 1,234 alone is a thousand or a bit more than one, and 1,5 where other cells have points is a mistake.
            once = column.str.count(f"[{other}]") == 1
            strange = column.str.fullmatch(FRACTION[other].pattern).fillna(False).astype(bool) & once
            whole = column.str.fullmatch(r"[+-]?\d+").fillna(False).astype(bool) | column.str.lower().isin(EMPTY)
            if strange.any() and not fractions.any() and (whole | strange | grouped).all():
                row = int(np.flatnonzero(strange)[0])
                raise ValueError(
                    f"{where}, line {frame.index[row] + 2}, column {frame.columns[place]!r}: the decimal sign must be "
                    f"known; choose by `decimal` (--decimal), {' or '.join(DECIMALS)}. Received: {column.iloc[row]!r}."
                )
        plain = column.str.replace(other, "", regex=False).str.replace(",", ".", regex=False)
        frame.isetitem(place, frame.iloc[:, place].where(~(fractions | grouped), plain))
    return frame, dialect
