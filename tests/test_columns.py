"""Exported tabular models take rows by their columns' names: in `kerazoo.load`, and in plain TensorFlow."""

import datetime
import json
import subprocess
import sys
from decimal import Decimal

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo.applications import table_networks
from kerazoo.data.encoder import Encoder
from kerazoo.data.tables import Table
from kerazoo.engines.base import TensorFacts
from kerazoo.engines.columns import Columns
from kerazoo.exporters import ExportError

NUMBERS = ("mean radius", "class", "1st", "Größe", "a b", "a_b", "A_B", "self")  # No name of an argument is easy.
COUNT = 40


def rows_of(count=COUNT, *, seed=0, words=("yes", "no")):
    rng = np.random.default_rng(seed)
    numeric = {name: rng.normal(10 * place, 1 + place, count) for place, name in enumerate(NUMBERS)}
    numeric["1st"][::7] = np.nan
    categories = {"job": rng.choice(["cook", "smith", ""], count)} | ({"smokes?": rng.choice(words, count)})
    return Table(numeric, categories, rng.integers(0, 3, count).astype("int32"), ("a", "b", "c"))


def exported(folder, table, **options):
    """(export's folder, network's answers) of an untrained network for this table."""
    keras.utils.set_random_seed(0)
    encoder = Encoder(table)
    model = kerazoo.build(
        "tab_mlp",
        numeric=len(encoder.numeric),
        cardinalities=encoder.cardinalities,
        hidden=(8,),
        outputs=3,
        objective="multiclass",
    )
    network = table_networks.Network(model, encoder, np.ones(3), None)
    arguments = type("", (), {"model": "tab_mlp", "export": folder})()
    served = table_networks.deployable(arguments, network, table)
    metadata = {"numeric": list(encoder.numeric), "categories": list(encoder.values), "words": encoder.values}
    raw = table_networks.raw_rows(table, encoder)
    kerazoo.export(
        served,
        folder,
        **{"formats": "saved_model", "representative_data": raw, "signature": "columns", "metadata": metadata}
        | options,
    )
    return kerazoo.load(folder), network.probabilities(table), raw


def test_names_become_names_of_arguments():
    columns = Columns([*NUMBERS, ""], ["_job"])
    assert list(columns.inputs) == [*NUMBERS, "", "_job"]
    names = list(columns.inputs.values())
    assert names == ["mean_radius", "column_class", "column_1st", "gr__e", *names[4:]]
    assert names[4:] == ["a_b", "a_b_2", "a_b_3", "column_self", "column_", "column__job"]


def test_missing_cells_of_every_kind_become_nan_and_no_word():
    pandas = pytest.importorskip("pandas")
    columns = Columns(["x"], ["w"])
    empty = [None, float("nan"), "", "  ", pandas.NA, pandas.NaT]
    read = columns.matrices({"x": [*empty, " 1.5 ", True, Decimal(2)], "w": [*empty, " b ", b"c", 3]})
    assert np.isnan(read["numeric"][:6]).all() and read["numeric"][6:, 0].tolist() == [1.5, 1, 2]
    assert read["categories"][:, 0].tolist() == [*[""] * 6, "b", "c", "3"] and read["numeric"].dtype == "float32"
    read = columns.matrices({"x": ["", 1.5], "w": ["nan", float("nan")]})  # What NumPy makes of mixed lists.
    assert np.isnan(read["numeric"][0, 0]) and read["numeric"][1, 0] == 1.5
    assert read["categories"][:, 0].tolist() == ["nan", ""]
    masked = np.ma.MaskedArray([1.0, 2.0], [False, True])
    numbers = columns.matrices({"x": masked, "w": np.array([["b"], [""]])})["numeric"]
    assert numbers[0, 0] == 1 and np.isnan(numbers[1, 0])
    frame = pandas.DataFrame({"w": pandas.Categorical(["b", None]), "x": pandas.array([7, None], "Int64"), "y": 0})
    read = columns.matrices(frame)
    assert read["categories"][:, 0].tolist() == ["b", ""] and read["numeric"][0, 0] == 7
    assert np.isnan(read["numeric"][1, 0])


def test_words_that_a_reader_made_numbers_or_truth_values_of():
    pandas = pytest.importorskip("pandas")
    columns = Columns([], ["w", "code"], {"w": ["FALSE", "true"], "code": ["01", "2", "many"]})
    frame = pandas.DataFrame({"w": [True, False, True], "code": [1, 2, np.nan]})
    assert columns.matrices(frame)["categories"].tolist() == [["true", "01"], ["FALSE", "2"], ["true", ""]]
    scalars = {"w": [np.bool_(False)], "code": pandas.Series([np.int64(2)], dtype=object)}
    assert columns.matrices(scalars)["categories"].tolist() == [["FALSE", "2"]]
    assert columns.matrices({"w": ["False"], "code": ["9"]})["categories"].tolist() == [["False", "9"]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"x": [1]}, "must have the columns .'x', 'w'.*Received: no column 'w'"),
        ({"w": ["a"], "X": [1]}, "Received: no column 'x'"),
        ({"x": [1, 2], "w": ["a"]}, "same number of rows. Received: {'x': 2, 'w': 1}"),
        ({"x": ["ten"], "w": ["a"]}, "Column 'x' must hold numbers, or empty cells. Received: 'ten' in row 0"),
        ({"x": [1, 1e300], "w": ["a", "b"]}, "numbers that float32 can hold. Received: 1e[+]300 in row 1"),
        ({"x": [np.inf], "w": ["a"]}, "numbers that float32 can hold"),
        ({"x": [[1, 2]], "w": ["a"]}, "Column 'x' must hold numbers or words, .*an array .1, 2. of object"),
        ({"x": 1, "w": ["a"]}, "Column 'x' must hold .* Received: 1"),
        ({"x": [[1], [2, 3]], "w": ["a", "b"]}, "Column 'x' must hold"),
        ({"x": np.array(["2020-01-01"], "datetime64[ns]"), "w": ["a"]}, "an array .1,. of datetime64"),
        ({"x": [np.datetime64("2020-01-01", "ns")], "w": ["a"]}, "Received: '2020-01-01"),
        ({"x": [datetime.date(2020, 1, 1)], "w": ["a"]}, "Column 'x' must hold numbers, or empty cells"),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_one_line(rows, message):
    with pytest.raises(ValueError, match=message) as caught:
        Columns(["x"], ["w"]).matrices(rows)
    assert "\n" not in str(caught.value)


def test_only_metadata_that_fits_the_inputs_names_columns():
    inputs = {"numeric": TensorFacts((None, 2), "float32")}
    assert list(Columns.of({"numeric": ["a", "b"], "categories": []}, inputs).kinds) == ["a", "b"]
    for metadata in ({}, {"numeric": ["a"]}, {"numeric": ["a", "a"]}, {"numeric": 3}, {"numeric": ["a", 2]}):
        assert Columns.of(metadata, inputs) is None
    assert Columns.of({"numeric": ["a", "b"], "categories": ["c"]}, inputs) is None


def test_a_table_of_columns_that_are_called_as_the_matrices_are():
    columns = Columns(["categories", "x"], ["numeric"])
    assert columns.given({"categories": [1.0], "numeric": ["a"], "x": [2.0]})
    assert not columns.given({"categories": [["a"]], "numeric": [[1.0, 2.0]]})
    one = Columns(["numeric"], [])
    assert one.given({"numeric": [1.0, 2.0]}) and one.matrices({"numeric": [[1.0], [2.0]]})["numeric"].shape == (2, 1)


PLAIN = """
import json, sys
import numpy as np
import tensorflow as tf
rows = json.load(open(sys.argv[2]))
loaded = tf.saved_model.load(sys.argv[1])
signature = loaded.signatures["columns"]
names = json.load(open(sys.argv[1] + "/metadata.json"))["columns"]
def tensor(name, values, shape):
    spec = signature.structured_input_signature[1][names[name]]
    values = [float("nan") if value is None else value for value in values]
    return tf.reshape(tf.constant(values, spec.dtype), shape)
answers = []
for shape in ((-1,), (-1, 1)):
    found = signature(**{names[name]: tensor(name, values, shape) for name, values in rows.items()})
    answers.append({name: value.numpy().tolist() for name, value in found.items()})
assert not any(module.split(".")[0] == "kerazoo" for module in sys.modules)
print(json.dumps(answers))
"""


def test_a_signature_by_column_answers_in_plain_tensorflow(tmp_path):
    pandas = pytest.importorskip("pandas")
    table = rows_of()
    model, expected, raw = exported(tmp_path / "out", table)
    rows = table.numeric | table.categories
    np.testing.assert_allclose(model(raw), expected, atol=1e-5)  # The two matrices, as ever.
    shuffled = dict(reversed(rows.items()))
    frame = pandas.DataFrame(shuffled | {"further": 1}).replace({"": None})
    for given in (shuffled, rows | {"further": [1]}, {name: v[:, None] for name, v in rows.items()}, frame):
        np.testing.assert_allclose(model(given), expected, atol=1e-5)
    with pytest.raises(ValueError, match="Received: no column 'mean radius'"):
        model(frame.drop(columns="mean radius"))
    file = tmp_path / "rows.json"
    cells = {name: [None if v != v else v for v in values.tolist()] for name, values in rows.items()}
    file.write_text(json.dumps(cells))
    command = [sys.executable, "-c", PLAIN, str(tmp_path / "out" / "1"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for answer in json.loads(done.stdout.splitlines()[-1]):
        assert list(answer) == ["probabilities"]
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_every_engine_takes_columns(tmp_path):
    pytest.importorskip("ai_edge_litert")
    table = rows_of()
    table = Table(table.numeric, {}, table.target, table.classes)
    _, expected, _ = exported(tmp_path / "out", table, formats=("saved_model", "tflite"))
    for engine in ("saved_model", "tflite"):
        served = kerazoo.load(tmp_path / "out", engine=engine)
        np.testing.assert_allclose(served(table.numeric), expected, atol=1e-5)
        np.testing.assert_allclose(served(**dict(table.numeric)), expected, atol=1e-5)
        words = {"note": ["words"] * COUNT, **table.numeric}  # Of a column that no number is read from.
        words["1st"] = ["" if cell != cell else repr(cell) for cell in words["1st"].tolist()]
        np.testing.assert_allclose(served(words), expected, atol=1e-5)
        with pytest.raises(ValueError, match="Received: no column 'Größe'"):
            served({name: values for name, values in table.numeric.items() if name != "Größe"})
        with pytest.raises(ValueError, match="at least one. Received"):
            served({name: [] for name in table.numeric})


def test_a_signature_by_column_is_checked_and_needs_names(tmp_path, monkeypatch):
    from kerazoo.exporters import columns

    table = rows_of(10)
    with pytest.raises(ValueError, match='`signature="columns"` needs the columns.*"numeric": .*Received'):
        exported(tmp_path / "none", table, metadata={"numeric": ["a"]})
    with pytest.raises(ValueError, match='`signature="columns"` is an endpoint of the format "saved_model"'):
        exported(tmp_path / "tflite", table, formats="tflite")
    honest = columns.ColumnEndpoint._answer
    monkeypatch.setattr(
        columns.ColumnEndpoint, "_answer", lambda self, **named: honest(self, **(named | {"a_b": named["a_b_2"]}))
    )
    with pytest.raises(ExportError, match="The endpoint `columns` does not answer as the model does"):
        exported(tmp_path / "wrong", table)
    assert not any((tmp_path / "wrong").glob("*")) and not (tmp_path / "none").exists()
