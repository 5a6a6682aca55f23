"""Named time series: from KERAZOO_DATA_DIR, an installed package, or the network, in that order."""

import ast
import csv
import io

import numpy as np

from kerazoo.data.named_files import named_text, packaged_file
from kerazoo.data.series import Series, read_series
from kerazoo.registry import unknown_choice

# Rows of the standard split: 12, 4 and 4 months of 30 days (Zhou et al., 2021; all papers since).
ETT_HOURLY_SPLIT = (12 * 30 * 24, 4 * 30 * 24, 4 * 30 * 24)
ETT_SIZE, ETT_SHA256 = 2_589_657, "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066"
ETT_ADDRESS = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv"
# Eight weeks, two and two.
TAYLOR_SPLIT = (8 * 7 * 48, 2 * 7 * 48, 2 * 7 * 48)
TAYLOR_SIZE, TAYLOR_SHA256 = 35_522, "3df2f44f654bfe4338ea39350912140c9710fa776270f50a2529b2f5c87a4e19"
TAYLOR_ADDRESS = "https://raw.githubusercontent.com/alkaline-ml/pmdarima/v2.1.1/pmdarima/datasets/taylor.py"
# Eight months, two and two, as nearly as a year of days allows; the test is a southern spring's end and early summer.
ELECDEMAND_SPLIT = (243 * 48, 61 * 48, 61 * 48)
ELECDEMAND_SIZE, ELECDEMAND_SHA256 = 448_760, "fd707850ff7efc39d5bdea163347a0a509fb81ffca3a18b154e29a70d1e992b3"
ELECDEMAND_ADDRESS = (
    "https://raw.githubusercontent.com/vincentarelbundock/Rdatasets/"
    "1dcc2bf5f955cc1224a3e1307256e1fe86b68dae/csv/fpp2/elecdemand.csv"
)


def load_series(name):
    """Loads a named series.

    Args:
        name: a key of `SERIES`.

    Returns:
        `(series, split)`: the `Series`, and the rows of its standard training, validation and test parts.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: the file is nowhere on this machine and cannot be fetched.
        ImportError: without pandas.

    Example:

    >>> series, split = load_series("etth1")  # doctest: +SKIP
    >>> series.values.shape, split  # doctest: +SKIP
    ((17420, 7), (8640, 2880, 2880))
    """
    if name not in SERIES:
        raise ValueError(unknown_choice("series", name, SERIES))
    return SERIES[name]()


def etth1():
    """Hourly oil temperature and six loads of a power transformer, 2016 to 2018 (Zhou et al., 2021)."""
    facts = {"address": ETT_ADDRESS, "sha256": ETT_SHA256, "size": ETT_SIZE}
    source = named_text("ett.zip", "ETTh1.csv", folder="etth1", file="ETTh1.csv", **facts)
    series = read_series(io.StringIO(source), time="date", name="etth1")
    facts = {
        "source": "ETTh1.csv of https://github.com/zhouhaoyi/ETDataset",
        "terms": "CC BY-ND 4.0",
        "published": ETTH1_PUBLISHED,
    }
    return Series(**(vars(series) | facts)), ETT_HOURLY_SPLIT


def taylor():
    """Half-hourly electricity demand of England and Wales in megawatts, summer 2000 (Taylor, 2003): twelve weeks."""
    facts = {"address": TAYLOR_ADDRESS, "sha256": TAYLOR_SHA256, "size": TAYLOR_SIZE}
    file = packaged_file("pmdarima", "datasets/taylor.py", folder="taylor", **facts)
    # The numbers stand in a program: it is parsed, never run.
    tree = ast.parse(file.read_text(encoding="utf-8"))
    lists = (ast.literal_eval(node) for node in ast.walk(tree) if isinstance(node, ast.List))
    demand = np.array(max(lists, key=len), "float32")[:, None]
    stamps = np.datetime64("2000-06-05", "s") + np.arange(len(demand)) * np.timedelta64(1800, "s")
    source = "taylor of pmdarima 2.1.1, from R's forecast package"
    return Series(demand, stamps, ("demand",), "taylor", source=source, terms="none stated"), TAYLOR_SPLIT


def elecdemand():
    """Half-hourly electricity demand of Victoria in gigawatts, 2014, with work days and Melbourne's temperature."""
    facts = {"address": ELECDEMAND_ADDRESS, "sha256": ELECDEMAND_SHA256, "size": ELECDEMAND_SIZE}
    text = named_text("fpp2.zip", "elecdemand.csv", folder="elecdemand", file="elecdemand.csv", **facts)
    header, *rows = csv.reader(io.StringIO(text))
    values = np.array(rows, "float64")[:, 1:].astype("float32")  # The first column counts the rows.
    stamps = np.datetime64("2014-01-01", "s") + np.arange(len(values)) * np.timedelta64(1800, "s")
    facts = {"source": "elecdemand of R's fpp2 package (Hyndman, 2018), by Rdatasets", "terms": "GPL-3, as fpp2 states"}
    return Series(values, stamps, tuple(header[1:]), "elecdemand", targets=("Demand",), **facts), ELECDEMAND_SPLIT


# Horizon -> (MSE, MAE) of standardised values, all seven channels: PatchTST/42 looks 336 hours back (Nie et al., 2023,
# table 3, https://arxiv.org/abs/2211.14730), DLinear and NLinear as well (Zeng et al., 2023, table 2,
# https://arxiv.org/abs/2205.13504), iTransformer 96 (Liu et al., 2024, table 10, https://arxiv.org/abs/2310.06625).
ETTH1_PUBLISHED = {
    "PatchTST/42, Nie et al. (2023)": {
        96: (0.375, 0.399),
        192: (0.414, 0.421),
        336: (0.431, 0.436),
        720: (0.449, 0.466),
    },
    "DLinear, Zeng et al. (2023)": {
        96: (0.375, 0.399),
        192: (0.405, 0.416),
        336: (0.439, 0.443),
        720: (0.472, 0.490),
    },
    "NLinear, Zeng et al. (2023)": {
        96: (0.374, 0.394),
        192: (0.408, 0.415),
        336: (0.429, 0.427),
        720: (0.440, 0.453),
    },
    "iTransformer, Liu et al. (2024), looking 96 back": {
        96: (0.386, 0.405),
        192: (0.441, 0.436),
        336: (0.487, 0.458),
        720: (0.503, 0.491),
    },
}
SERIES = {"etth1": etth1, "taylor": taylor, "elecdemand": elecdemand}
