"""The Numenta Anomaly Benchmark: series with windows in which something strange happens (Lavin & Ahmad, 2015,
https://arxiv.org/abs/1510.03336), from `nab.zip` in KERAZOO_DATA_DIR; labels for series of one's own."""

import functools
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerazoo.data.archives import read_zip
from kerazoo.data.dates import read_dates
from kerazoo.data.delimited import read_cells
from kerazoo.data.locate import data_folder
from kerazoo.data.series import Series
from kerazoo.data.text_files import decode_text
from kerazoo.data.walk import is_visible
from kerazoo.registry import unknown_choice

# The first rows of a file are for learning and never scored: 15%, of 5,000 rows at most.
PROBATION, LONGEST_PROBATION = 0.15, 750


@dataclass(frozen=True)
class LabelledSeries:
    """A series and where its anomalies lie.

    Attributes:
        series: the `Series`.
        windows: ((first row, last row), ...), both inside, in order; None where nobody has labelled the series.
        learning: rows at the beginning that are for learning.
    """

    series: Series
    windows: tuple | None
    learning: int

    def labels(self):
        """True for every row inside a window, (T,)."""
        inside = np.zeros(len(self.series), bool)
        for first, last in self.windows or ():
            inside[first : last + 1] = True
        return inside


def probation(rows):
    """Rows of a file's beginning that NAB leaves unscored.

    Example:

    >>> probation(1000), probation(10_320)
    (150, 750)
    """
    return min(int(PROBATION * rows), LONGEST_PROBATION)


def load_nab(name=""):
    """Labelled series of NAB.

    The rows of a file are taken as they stand: some stamps occur twice or not at all, and NAB counts rows.

    Args:
        name: "realKnownCause/nyc_taxi.csv" is one file, "realKnownCause" its group, "" everything.

    Returns:
        {name: `LabelledSeries`}.

    Raises:
        FileNotFoundError: there is no `nab.zip`.
        ImportError: without pandas.
        ValueError: an unknown name, or a damaged archive.

    Example:

    >>> found = load_nab("realKnownCause/nyc_taxi.csv")  # doctest: +SKIP
    >>> len(found["realKnownCause/nyc_taxi.csv"].windows)  # doctest: +SKIP
    5
    """
    files, windows = _archive(str(data_folder() / "nab.zip"))
    chosen = [file for file in files if not name or file == name or file.startswith(f"{name}/")]
    if not chosen:
        choices = sorted(files) + sorted({file.partition("/")[0] for file in files})
        raise ValueError(unknown_choice("NAB file or group", name, choices))
    return {file: _labelled(file, files[file], windows[file]) for file in sorted(chosen)}


@functools.lru_cache(maxsize=1)
def _archive(path):
    """({file: CSV text}, {file: windows}) of the archive."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"NAB must lie at {path}: the folders `data` and `labels` of https://github.com/numenta/NAB as a zip "
            "archive, in the folder KERAZOO_DATA_DIR. Received: no such file."
        )
    wanted = (".csv", "labels/combined_windows.json")
    members = read_zip(path, lambda name: name.endswith(wanted) and is_visible(name))
    files, labels = {}, None
    for member, content in members.items():
        if member.endswith("combined_windows.json"):
            labels = json.loads(decode_text(content, member))
        elif "data/" in member:
            files[member.rpartition("data/")[2]] = decode_text(content, member)
    if not files or labels is None or set(files) - set(labels):
        raise ValueError(f"{path} must have data/<group>/<file>.csv and labels/combined_windows.json for all of them.")
    return files, labels


def _labelled(name, text, windows):
    import pandas

    table, _ = read_cells(io.StringIO(text))
    if not {"timestamp", "value"} <= set(table.columns):
        raise ValueError(f"{name} must have the columns timestamp and value. Received: {list(table.columns)}.")
    stamps = read_dates(table["timestamp"], f"{name}, column 'timestamp'")[0].astype("datetime64[s]")
    values = pandas.to_numeric(table["value"], errors="coerce").to_numpy("float32", na_value=np.nan)[:, None]
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: every value must be a finite number. Received: others.")
    rows = []
    for ends in windows:
        places = [np.flatnonzero(stamps == np.datetime64(end.partition(".")[0])) for end in ends]
        if not all(map(len, places)):
            raise ValueError(f"{name}: a window must begin and end at stamps of the file. Received: {ends}.")
        rows.append(tuple(int(place[0]) for place in places))  # Of a stamp that occurs twice the first, as NAB does.
    facts = {
        "name": name,
        "source": f"{name} of https://github.com/numenta/NAB, labels combined_windows.json",
        "terms": "MIT (data and labels of NAB)",
    }
    return LabelledSeries(Series(values, stamps, ("value",), **facts), tuple(rows), probation(len(values)))


def runs(flags):
    """((first, last), ...) of the runs of True.

    Example:

    >>> runs([False, True, True, False, True])
    ((1, 2), (4, 4))
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, "int8"), [0]])))
    return tuple((int(first), int(last) - 1) for first, last in edges.reshape(-1, 2))
