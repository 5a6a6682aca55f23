"""Parquet tables made by others: no more cells than a file of its size can mean."""

from kerazoo.data.archives import EXPANSION
from kerazoo.errors import one_line
from kerazoo.extras import need
from kerazoo.paths import expand

CELL = 8  # Bytes of a cell in memory, at least.
SMALL = 2**30  # Bytes that any file may become; columns of few different values are stored in very little.


def read_parquet(path):
    """The table as a pandas data frame.

    Args:
        path: a `.parquet` file.

    Raises:
        FileNotFoundError: no such file.
        ImportError: without pandas and pyarrow.
        ValueError: a damaged file, or one with far more cells than bytes.
    """
    need("pandas")
    need("pyarrow")
    import pandas
    import pyarrow
    from pyarrow import parquet

    path = expand(path)
    try:
        facts = parquet.read_metadata(path)
        size = facts.num_rows * facts.num_columns * CELL
        size = max(size, sum(facts.row_group(index).total_byte_size for index in range(facts.num_row_groups)))
        if not 0 <= size <= max(SMALL, EXPANSION * path.stat().st_size):
            raise ValueError(f"it promises {facts.num_rows} rows of {facts.num_columns} columns")
        return pandas.read_parquet(path)
    except FileNotFoundError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path} is damaged or no Parquet table: {one_line(error)}.") from error
