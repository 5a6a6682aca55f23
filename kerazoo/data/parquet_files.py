"""Users' Parquet files, bounded by what their own size can hold before they take memory."""

from kerazoo.data.text_files import CELLS, LARGEST_RATIO, MOST_COLUMNS, UNPACKED
from kerazoo.errors import one_line
from kerazoo.extras import need


def read_parquet(path):
    """The pandas data frame of a Parquet file, its index as columns.

    Args:
        path: the file.

    Raises:
        ImportError: without pandas or pyarrow.
        ValueError: no such file, lists in cells, or more columns, cells or text than a file of its size can hold.
    """
    need("pandas")
    need("pyarrow")
    import pandas
    import pyarrow
    from pyarrow import parquet

    try:
        facts = parquet.ParquetFile(path)
        about, size = facts.metadata, path.stat().st_size
        unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
        if about.num_columns > MOST_COLUMNS:
            raise ValueError(f"{path} must have at most {MOST_COLUMNS:,} columns. Received: {about.num_columns:,}.")
        cells = about.num_rows * about.num_columns
        if cells > max(CELLS, 32 * size) or unpacked > max(UNPACKED, LARGEST_RATIO * size):
            raise ValueError(
                f"{path} must hold as much as a file of {size:,} bytes can. Received: {cells:,} cells of {unpacked:,} "
                "bytes."
            )
        nested = [field.name for field in facts.schema_arrow if pyarrow.types.is_nested(field.type)]
        if nested:
            raise ValueError(f"{path} must have one value in a cell. Received: lists in {nested[:5]}.")
        frame = _spelled_out(path, facts.schema_arrow, max(UNPACKED, LARGEST_RATIO * size)).to_pandas()
    except (
        pyarrow.ArrowException,
        UnicodeDecodeError,
        OSError,
        KeyError,
        TypeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise ValueError(f"{path} is damaged or no Parquet table: {one_line(error)}") from error
    if not isinstance(frame.index, pandas.RangeIndex):
        frame = frame.reset_index()  # pandas writes a data frame's dates as its index.
    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _spelled_out(path, schema, most):
    """The Arrow table of a Parquet file; its texts are first read as indices into a dictionary.

    So a long text that a few bytes repeat a million times is refused before it takes memory.
    """
    import pyarrow
    from pyarrow import compute, parquet

    texts = [field.name for field in schema if _is_text(field.type)]
    table = parquet.ParquetFile(path, read_dictionary=texts).read()
    for place, field in enumerate(table.schema):
        if not pyarrow.types.is_dictionary(field.type):
            continue
        column = table.column(place)
        if _is_text(field.type.value_type):
            lengths = (
                compute.sum(compute.take(compute.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
                for chunk in column.chunks
            )
            total = sum(lengths)
            if total > most:
                raise ValueError(
                    f"{path} must hold texts of {most:,} bytes at most, for its size. Received: {total:,} in "
                    f"{field.name!r}."
                )
        table = table.set_column(place, field.name, column.cast(field.type.value_type))
    return table


def _is_text(kind):
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
