"""Tables from files, their encoding, the judging of two classes, and the diagnosis application."""

import json

import numpy as np
import pytest

import kerazoo
from kerazoo.data.encoder import Encoder
from kerazoo.data.named_tables import load_table
from kerazoo.data.tables import read_table
from kerazoo.layers.standardize import Standardize

for needed in ("sklearn", "pandas", "matplotlib"):
    pytest.importorskip(needed)

from kerazoo.evaluate import binary  # noqa: E402


def write(tmp_path, text, name="rows.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def patients(tmp_path, count=80):
    """A table whose class follows from a number with gaps and a word."""
    rng = np.random.default_rng(0)
    lines = ["patient_id,age,pressure,smokes,ill"]
    for i in range(count):
        pressure, smokes = rng.normal(120, 15), rng.choice(["yes", "no", "?"])
        ill = "sick" if pressure + 20 * (smokes == "yes") > 135 else "well"
        lines.append(f"p{i},{rng.integers(20, 80)},{'' if i % 9 == 0 else f'{pressure:.1f}'},{smokes},{ill}")
    return write(tmp_path, "\n".join(lines) + "\n")


def test_schema_is_inferred_and_said(tmp_path):
    path = patients(tmp_path)
    table = read_table(path, target="ill")
    assert list(table.numeric) == ["age", "pressure"] and list(table.categories) == ["smokes"]
    assert table.classes == ("sick", "well") and table.classes[table.positive] == "sick"  # The rarer one.
    assert table.notes[1:] == ("'patient_id' is left out: 80 different words.",)
    assert np.isnan(table.numeric["pressure"][0]) and "" in table.categories["smokes"]
    assert read_table(path, target="ill", positive="well", drop=["age"]).positive == 1
    assert json.dumps(table.record())


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,x\n2,y\n", {"target": "c"}, r"has the columns \['a', 'b'\], of which `target` must be. Received: 'c'"),
        ("a,b\n1,x\n2,\n", {"target": "b"}, "line 3, column 'b': every row must have a class"),
        ("a,b\n1,x\n2,x\n", {"target": "b"}, "must have 2 to 50 classes. Received: 1"),
        ("b\nx\ny\n", {"target": "b"}, "must have a column beside 'b'"),
        ("a,b\n1,x\n2,y\n", {"target": "b", "positive": "z"}, "`positive` must be one of"),
        ("", {"target": "b"}, "is no CSV table"),
    ],
)
def test_refusals_say_why(tmp_path, text, options, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, text), **options)
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv", target="b")


def test_the_encoder_learns_from_training_rows_alone(tmp_path):
    train = read_table(write(tmp_path, "x,w,y\n1,a,0\n3,b,1\n,a,0\n8,,1\n"), target="y")
    other = read_table(write(tmp_path, "x,w,y\n,c,0\n4,b,1\n1000,a,0\n", "other.csv"), target="y")
    encoder = Encoder(train)
    assert encoder.cardinalities == (3,) and encoder.median.tolist() == [3.0]
    rows = encoder(other)
    values = np.array([1, 3, 3, 8])
    np.testing.assert_allclose(rows["numeric"][:2, 0], (np.array([3, 4]) - values.mean()) / values.std(), rtol=1e-6)
    assert rows["categories"][:, 0].tolist() == [0, 2, 1]  # Never seen, b, a.
    assert encoder(train)["categories"][:, 0].tolist() == [1, 2, 1, 0]


def test_standardize_fills_gaps():
    layer = Standardize([1.0, 2.0], [0.0, 1.0], [2.0, 4.0])
    inputs = np.array([[np.nan, 5.0], [4.0, np.nan]], "float32")
    np.testing.assert_allclose(layer(inputs), [[0.5, 1.0], [2.0, 0.25]])
    assert Standardize.from_config(layer.get_config()).get_config() == layer.get_config()


def test_scores_and_costs():
    truth = np.array([0, 0, 1, 1])
    perfect = binary.scores([0.0, 0.1, 0.9, 1.0], truth)
    assert perfect["auroc"] == perfect["auprc"] == perfect["accuracy"] == 1.0
    costs = binary.costs([0.2, 0.6, 0.4, 0.9], truth, miss=5, thresholds=[0.0, 0.5, 1.0])
    np.testing.assert_allclose(costs, [0.5, (1 + 5) / 4, 2 * 5 / 4])
    assert 0.2 < binary.cheapest_threshold([0.2, 0.6, 0.4, 0.9], truth, miss=5) < 0.4
    with pytest.raises(ValueError, match="Both classes"):
        binary.scores([0.1, 0.2], [1, 1])
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        binary.scores([0.1, 1.2], [0, 1])


def test_breast_cancer_looks_for_the_malignant():
    table, tests = load_table("breast_cancer")
    assert tests == {}
    assert len(table) == 569 and table.classes[table.positive] == "malignant"
    assert (table.target == table.positive).sum() == 212
    with pytest.raises(ValueError, match="Did you mean 'breast_cancer'"):
        load_table("breast_cancr")


# The application.

SMALL = ["--folds=2", "--epochs=2", "--option=blocks=1", "--option=width=8", "--option=hidden=8"]


def test_breast_cancer_from_data_to_report(tmp_path, monkeypatch, capsys):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.chdir(tmp_path)
    record = kerazoo.run("disease_diagnosis", SMALL)
    printed = capsys.readouterr().out
    names = ["tab_resnet", "logistic regression", "gradient boosting"]
    assert [row["name"] for row in record["scores"]["test"]] == names
    assert [(row["name"], row["fold"]) for row in record["folds"]] == [(n, f) for f in (1, 2) for n in names]
    assert "AUROC" in printed and ("beats" in printed or "cannot be told apart" in printed)
    assert record["scores"]["test"][1]["auroc"] > 0.95
    assert [row["form"] for row in record["exports"]] == ["saved_model", "tflite"]
    assert all(row["difference"] < 1e-4 for row in record["exports"])
    folder = tmp_path / "runs" / "disease_diagnosis" / "breast_cancer-tab_resnet-1"
    assert json.loads((folder / "run.json").read_text()) == json.loads(json.dumps(record))
    page = (folder / "report.html").read_text()
    assert page.count("data:image/svg+xml") == 3 and "no medical device" in page
    assert sum(map(sum, record["threshold"]["confusion"])) == record["dataset"]["tests"]["test"] == 113


def test_a_run_stopped_among_the_folds_goes_on(tmp_path, monkeypatch, capsys):
    from kerazoo.applications import tables

    monkeypatch.chdir(tmp_path)
    honest = tables.compare

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "compare", stop)
    with pytest.raises(KeyboardInterrupt):
        kerazoo.run("disease_diagnosis", [*SMALL, "--out=run"])
    assert "--resume" in capsys.readouterr().out
    monkeypatch.setattr(tables, "compare", honest)
    record = kerazoo.run("disease_diagnosis", [*SMALL, "--out=run", "--resume"])
    assert record["training"]["epochs_run"] == 2 and len(record["folds"]) == 6


def test_a_users_table_is_exported_with_its_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = patients(tmp_path, 200)
    arguments = [f"--data={path}", "--target=ill", "--positive=sick", "--drop=patient_id", *SMALL, "--folds=0"]
    record = kerazoo.run("disease_diagnosis", arguments)
    assert record["folds"] == [] and [row["form"] for row in record["exports"]] == ["saved_model"]
    assert record["exports"][0]["difference"] < 1e-5
    model = kerazoo.load(record["exports"][0]["folder"])
    raw = {
        "numeric": np.array([[50, 120], [50, np.nan]], "float32"),
        "categories": np.array([["yes"], ["never seen"]], object),
    }
    answers = np.asarray(model(raw))
    assert answers.shape == (2, 1) and ((answers > 0) & (answers < 1)).all()
    numeric, categories = (model.metadata[kind] for kind in ("numeric", "categories"))
    rows = dict(zip(numeric, raw["numeric"].T)) | dict(zip(categories, raw["categories"].T))
    np.testing.assert_allclose(model(rows), answers, rtol=1e-5)
    assert set(model.signatures["columns"].structured_input_signature[1]) == set(model.metadata["columns"].values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model=resnet20"], "`--model` must be one for tables"),
        (["--data=rows.csv"], "`--data` needs `--target`"),
        (["--folds=1"], "`--folds` must be 0 or at least 2"),
        (["--miss=0"], "`--miss` must be positive"),
        (["--option=depth=3"], "Unknown argument for 'tab_resnet'"),
    ],
)
def test_mistakes_are_said(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        kerazoo.run("disease_diagnosis", [*arguments, "--epochs=1"])
