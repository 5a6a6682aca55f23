"""Named tables: carried by scikit-learn, or from KERAZOO_DATA_DIR or their canonical address, in that order."""

import functools
import io
from dataclasses import replace

import numpy as np

from kerazoo.data.named_files import named_text
from kerazoo.data.nsl_kdd import nsl_kdd
from kerazoo.data.tables import Table, table_of
from kerazoo.extras import need
from kerazoo.registry import unknown_choice

UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
OTHERS = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/"
ADULT_COLUMNS = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race sex capital-gain "
    "capital-loss hours-per-week native-country income"
)
GERMAN_COLUMNS = (
    "checking_account months credit_history purpose amount savings employed_since installment_rate status_and_sex "
    "guarantors residence_since property age other_installments housing credits_here job dependants telephone "
    "foreign_worker class"
)
MAMMOGRAPHY_COLUMNS = "feature1 feature2 feature3 feature4 feature5 feature6 class"


def load_table(name):
    """Loads a named table.

    Args:
        name: a key of `TABLES`.

    Returns:
        `(table, tests)`: the `Table`, and {name: `Table`} of its upstream test parts; none, where it comes whole.

    Raises:
        ValueError: an unknown name, or a damaged file.
        ConnectionError: a file is nowhere on this machine and cannot be fetched.
        ImportError: without scikit-learn or pandas.

    Example:

    >>> table, tests = load_table("breast_cancer")
    >>> len(table), table.classes[table.positive], tests
    (569, 'malignant', {})
    """
    if name not in TABLES:
        raise ValueError(unknown_choice("table", name, TABLES))
    return TABLES[name]()


def breast_cancer():
    """569 tumours, 30 measurements each: benign or malignant (Wolberg et al., 1995), that scikit-learn carries."""
    need("sklearn")
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    table = Table(
        {str(name): column for name, column in zip(data.feature_names, data.data.T)},
        {},
        (1 - data.target).astype("int32"),
        ("benign", "malignant"),
        name="breast_cancer",
        source="scikit-learn's load_breast_cancer: UCI Breast Cancer Wisconsin (Diagnostic)",
        terms="CC BY 4.0 (UCI Machine Learning Repository)",
    )
    return table, {}


def diabetes():
    """442 patients, ten measurements, and how far their diabetes went in a year (Efron et al., 2004), a number."""
    need("sklearn")
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    table = Table(
        {str(name): column for name, column in zip(data.feature_names, data.data.T)},
        {},
        data.target.astype("float64"),
        (),
        name="diabetes",
        source="scikit-learn's load_diabetes: Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression (2004)",
        terms="none stated; cite the authors",
    )
    return table, {}


def wine():
    """178 wines of three growers, 13 measurements each (Forina et al., 1991), that scikit-learn carries."""
    need("sklearn")
    from sklearn.datasets import load_wine

    return _bundled(load_wine, "wine", "UCI Wine"), {}


def digits():
    """1,797 handwritten digits, 8 by 8 pixels as 64 columns (Alpaydin and Kaynak, 1998), ten classes."""
    need("sklearn")
    from sklearn.datasets import load_digits

    return _bundled(load_digits, "digits", "UCI Optical Recognition of Handwritten Digits, its test part"), {}


def _bundled(load, name, upstream):
    """The `Table` of classes that a loader of scikit-learn carries."""
    data = load()
    return Table(
        {str(column): values for column, values in zip(data.feature_names, data.data.T)},
        {},
        data.target.astype("int32"),
        tuple(map(str, data.target_names)),
        name=name,
        source=f"scikit-learn's {load.__name__}: {upstream}",
        terms="CC BY 4.0 (UCI Machine Learning Repository)",
    )


def mammography():
    """11,183 spots on mammograms, 260 of them calcifications, six measurements each (Woods et al., 1993)."""
    sha256 = "7d3dea3f075f30bbdbb8980e7725684059b4fe3d0f850fadd0f635f6993d8730"
    cells = _cells("mammography.csv", OTHERS, sha256, 827_904, MAMMOGRAPHY_COLUMNS)
    cells["class"] = cells["class"].map({"'-1'": "other", "'1'": "calcification"})
    table = table_of(cells, where="mammography", target="class", positive="calcification")
    facts = {"source": "mammography.csv (Woods et al., 1993)", "terms": "none stated; cite the authors"}
    note = "Its six columns come without names, already scaled by those who published them."
    return replace(table, name="mammography", notes=(*table.notes, note), **facts), {}


def german_credit():
    """1,000 credits of a German bank, good or bad, 20 columns (Hofmann, 1994); a bad one taken costs five refused."""
    sha256 = "ec12a88b9fc14d74ba646ea0410cf7ff4533bec2eb61652f8ad76796bbfec017"
    cells = _cells("german.csv", OTHERS, sha256, 79_793, GERMAN_COLUMNS)
    cells["class"] = cells["class"].map({"1": "good", "2": "bad"})
    # Its one column of sex and marital status: A92 and A95 are the women.
    cells["sex"] = np.where(cells["status_and_sex"].isin(["A92", "A95"]), "female", "male")
    cells["age group"] = age_groups(cells["age"].astype(float))
    table = table_of(
        cells,
        where="German credit",
        target="class",
        positive="bad",
        drop=("sex", "age group"),
        groups=("sex", "age group"),
    )
    facts = {"source": "UCI Statlog (German Credit Data)", "terms": "CC BY 4.0 (UCI Machine Learning Repository)"}
    return replace(table, name="german_credit", **facts), {}


def adult():
    """48,842 people of the 1994 census and whether they earn over $50,000 a year (Kohavi, 1996), upstream split."""
    train_sha = "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"
    test_sha = "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05"
    train = _cells("adult-train.csv", UCI, train_sha, 3_974_305, ADULT_COLUMNS, file="adult.data")
    test = _cells("adult-test.csv", UCI, test_sha, 2_003_153, ADULT_COLUMNS, file="adult.test")
    import pandas

    cells = pandas.concat([train, test], ignore_index=True)
    cells["income"] = cells["income"].str.rstrip(".")
    cells["age group"] = age_groups(cells["age"].astype(float))
    table = table_of(
        cells,
        where="Adult",
        target="income",
        positive="<=50K",
        drop=("fnlwgt", "age group"),
        groups=("sex", "age group", "race"),
    )
    table = replace(
        table,
        name="adult",
        source="UCI Adult: adult.data and adult.test",
        terms="CC BY 4.0 (UCI Machine Learning Repository)",
        notes=(*table.notes, "'fnlwgt' is left out: it weighs a row in the census and is no trait."),
        published={
            "FT-Transformer, accuracy, Gorishniy et al. (2021), table 2": 0.859,
            "ResNet, accuracy, the same": 0.854,
            "MLP, accuracy, the same": 0.852,
        },
    )
    rows = np.arange(len(cells))
    return table.take(rows[: len(train)]), {"adult.test": table.take(rows[len(train) :])}


def age_groups(years):
    """Names of the groups of ages: (N,) years -> (N,) str.

    Example:

    >>> age_groups([19.0, 25.0, 26.0, 61.0]).tolist()
    ['up to 25', 'up to 25', '26 to 60', 'over 60']
    """
    names = np.array(["up to 25", "26 to 60", "over 60"])
    return names[np.digitize(years, (25.5, 60.5))]


def _cells(member, address, sha256, size, columns, *, file=None):
    """The data frame of a file of "tabular.zip" or of its address, every cell text; lines with "|" are remarks."""
    need("pandas")
    import pandas

    file = file or member
    text = named_text(
        "tabular.zip", member, folder="tabular", file=file, address=address + file, sha256=sha256, size=size
    )
    return pandas.read_csv(
        io.StringIO(text), names=columns.split(), dtype=str, skipinitialspace=True, keep_default_na=False, comment="|"
    )


TABLES = {
    "adult": adult,
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
    "digits": digits,
    "german_credit": german_credit,
    "mammography": mammography,
    "nsl_kdd": nsl_kdd,
    "nsl_kdd_binary": functools.partial(nsl_kdd, binary=True),
    "wine": wine,
}
