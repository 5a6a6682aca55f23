"""Users' text files: UTF-8, or UTF-16 with a byte order mark; everything else is refused with file and line.

Every reader of users' text goes through `read_text` or `decode_text`, so that a byte order mark never becomes part of
a name and a file of another encoding is named.
"""

import codecs
import gzip
import json
import zlib
from pathlib import Path

# UTF-32's mark begins like that of UTF-16.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What a compressed file may unpack to: text packs to a tenth, a file made to fill the memory to a thousandth.
UNPACKED, LARGEST_RATIO = 2**26, 100
MOST_COLUMNS = 16_384  # Of a table, as spreadsheets have them.
CELLS = 2**22  # So many cells of a table are read whatever the file's size; more must stand in it.


def read_text(path):
    """A text file's content: without byte order mark, lines ending in "\\n" alone.

    Args:
        path: the file; one that ends in `.gz` is unpacked, to 64 MiB or a hundred times its size at most.

    Raises:
        OSError: it cannot be read.
        ValueError: as `decode_text`, or a damaged or overlarge archive.

    Example:

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "classes.txt")
    >>> _ = file.write_bytes("cat\\r\\ndog\\r\\n".encode("utf-16"))
    >>> read_text(file)
    'cat\\ndog\\n'
    """
    path = Path(path)
    return decode_text(_unpacked(path) if path.suffix.lower() == ".gz" else path.read_bytes(), path)


def read_lines(path):
    """The lines of a text file, without their ends; as `read_text`."""
    return read_text(path).split("\n")


def read_names(path):
    """The names of classes in a text file, one in a line: a name's line is its class's number.

    Raises:
        OSError: it cannot be read.
        ValueError: as `decode_text`; an empty line before a name, or a name twice.
    """
    names = [line.strip() for line in read_text(path).rstrip().split("\n")]
    for number, name in enumerate(names, 1):
        if not name or name in names[: number - 1]:
            raise ValueError(
                f"{path}, line {number}, must have a class's name of its own, for lines count the classes. "
                f"Received: {name!r}."
            )
    return tuple(names)


def read_json(path):
    """The content of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: as `decode_text`, or no JSON, with the position.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} must be JSON. Received: {error}.") from error
    except RecursionError as error:
        raise ValueError(f"{path} must be JSON that is not nested so deeply.") from error


def decode_text(data, where):
    """The text of a file's bytes: without byte order mark, lines ending in "\\n" alone.

    Args:
        data: bytes.
        where: the file, for the message.

    Raises:
        ValueError: neither UTF-8 nor UTF-16 with a byte order mark, or a NUL character, with the line.

    Example:

    >>> decode_text("\\ufeffname,age\\r\\n".encode(), "people.csv")
    'name,age\\n'
    """
    mark, encoding = next(((mark, encoding) for mark, encoding in MARKS if data.startswith(mark)), (b"", "utf-8"))
    name = encoding.upper().removesuffix("-LE").removesuffix("-BE")
    content = data[len(mark) :]
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, errors="replace").count("\n") + 1
        raise ValueError(
            f"{where}, line {line}, must be {name}. Received: byte 0x{content[error.start]:02x}. Save it as UTF-8."
        ) from error
    text = text.replace("\r\n", "\n")
    if "\n" not in text:  # Excel on a Mac; elsewhere a lone carriage return is a sign like others.
        text = text.replace("\r", "\n")
    place = text.find("\0")
    if place >= 0:
        raise ValueError(
            f"{where}, line {text.count(chr(10), 0, place) + 1}, must be text: UTF-8, or UTF-16 with a byte order "
            "mark. Received: a NUL character. Save it as UTF-8."
        )
    return text


def _unpacked(path):
    size = path.stat().st_size
    most = max(UNPACKED, LARGEST_RATIO * size)
    try:
        with gzip.open(path) as file:
            data = file.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} must be a gzip archive. Received: {error}.") from error
    if len(data) > most:
        raise ValueError(f"{path} must unpack to {most:,} bytes at most. Received: more, of {size:,} bytes.")
    return data
