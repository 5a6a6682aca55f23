"""`kerazoo run tabular`: a number or classes of any table, from file to report and export."""

import json

import numpy as np
import pytest

import kerazoo
from kerazoo.data.tables import read_table
from kerazoo.evaluate import regression

for needed in ("sklearn", "pandas", "matplotlib"):
    pytest.importorskip(needed)

from kerazoo.applications import tables  # noqa: E402
from kerazoo.data.named_tables import load_table  # noqa: E402
from kerazoo.evaluate import classical  # noqa: E402

TINY = ["--model=tab_mlp", "--option=hidden=[8]", "--epochs=2", "--learning-rate=0.01", "--out=run", "--export=served"]


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """A file of houses: area with gaps, rooms, kind, a price that follows from them, a grade of three."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = ["Living area,rooms,kind,price,grade"]
    for _ in range(200):
        area, rooms, kind = rng.uniform(20, 200), rng.integers(1, 8), rng.choice(["flat", "house"])
        price = 2000 * area + 10_000 * rooms + 50_000 * (kind == "house") + rng.normal(0, 1000)
        grade = 1 + (price > 200_000) + (price > 350_000)
        lines.append(f"{'' if rng.random() < 0.05 else f'{area:.1f}'},{rooms},{kind},{price:.2f},{grade}")
    (tmp_path / "houses.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def written(path, cells, name="y"):
    path.write_text("x," + name + "\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(cells)))
    return path


def test_the_target_decides_the_task(tmp_path):
    file = tmp_path / "rows.csv"
    table = read_table(written(file, np.arange(21) * 0.5), target="y", task=None)
    assert table.classes == () and table.target.tolist() == (np.arange(21) * 0.5).tolist()
    assert table.target.dtype == "float64" and "'y' has 21 different numbers." in table.notes
    assert table.take([3, 4]).target.tolist() == [1.5, 2.0] and table.strata.tolist() == [0] * 21
    few = read_table(written(file, np.arange(40) % 20), target="y", task=None)
    assert len(few.classes) == 20 and few.target.dtype == "int32" and "'y' has 20 different classes." in few.notes
    words = read_table(written(file, ["a", "b", "c"] * 10), target="y", task=None)
    assert words.classes == ("a", "b", "c") and np.array_equal(words.strata, words.target)
    assert read_table(written(file, [1, 2, 4] * 10), target="y", task="regression").target.max() == 4
    assert len(read_table(written(file, range(30)), target="y", task="classification").classes) == 30
    assert len(read_table(file, target="y").classes) == 30  # As ever, where no task is named.


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        ([*range(30), ""], {"task": None}, "line 32, column 'y': every row must have a number. Received: none"),
        (["a", *range(60)], {"task": None}, "numbers alone, or 2 to 50 classes. Received: 61, 'a' among them"),
        (["a", "b"], {"task": "regression"}, "line 2, column 'y': every row must have a number. Received: 'a'"),
        ([1, 2, "1e300"], {"task": "regression"}, "must have a number. Received: '1e300'"),
        ([5, 5, 5], {"task": "regression"}, "'y' must have different numbers. Received: .5.0. alone"),
        (range(60), {"task": "classification"}, "'y' must have 2 to 50 classes. Received: 60"),
        (range(60), {"task": None, "positive": "3"}, "`positive` must be one of a target's classes.*numbers"),
        ([1, 2], {"task": "ranking"}, "`task` must be None or one of .*Received: 'ranking'"),
    ],
)
def test_targets_that_do_not_fit_are_refused(tmp_path, cells, options, message):
    with pytest.raises(ValueError, match=message):
        read_table(written(tmp_path / "rows.csv", cells), target="y", **options)


def test_figures_of_numbers_are_scikit_learns():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    truth = rng.normal(5, 3, 50)
    answers = truth + rng.normal(0, 1, 50)
    found = regression.scores(answers, truth)
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, answers))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, answers))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, answers))
    assert regression.scores([1.0, 2.0], [3.0, 3.0])["r2"] == 0 and regression.scores([3.0], [3.0])["r2"] == 1
    with pytest.raises(ValueError, match="must both be"):
        regression.scores([1.0], [1.0, 2.0])


def test_bundled_tables_and_the_models_beside_the_network():
    table, tests = load_table("diabetes")
    assert (len(table), list(table.numeric)[:3], table.classes, tests) == (442, ["age", "sex", "bmi"], (), {})
    assert (table.target.min(), table.target.max()) == (25, 346) and table.numeric["age"].max() == 79
    rest, part = tables.split(table, 0.2, seed=0)
    assert len(part) == 88 and not np.intersect1d(rest.numeric["s1"] * 1e4 + rest.target, part.target).size
    for name in classical.REGRESSORS:
        found = tables.number_scores(classical.fitted(name, rest)(part), part)
        assert found["r2"] == pytest.approx(0, abs=0.1) if name == "mean" else found["r2"] > 0.2
    wine, _ = load_table("wine")
    assert (len(wine), len(wine.numeric), len(wine.classes)) == (178, 13, 3)
    rest, part = tables.split(wine, 0.2, seed=0)
    shares = classical.fitted("class shares", rest)(part)
    np.testing.assert_allclose(shares[0], np.bincount(rest.target) / len(rest))
    figures = tables.class_scores(shares, part)
    assert figures["accuracy"] == pytest.approx((part.target == np.bincount(rest.target).argmax()).mean())
    assert figures["log_loss"] == pytest.approx(-np.log(shares[0][part.target]).mean())
    digits, _ = load_table("digits")
    assert (len(digits), len(digits.numeric), len(digits.classes)) == (1797, 64, 10)
    assert len(tables.sample(digits, 30)) == 30 and set(tables.sample(digits, 30).target) == set(range(10))


@pytest.mark.parametrize("name", ["ft_transformer", "tab_mlp_periodic", "tab_mlp_piecewise", "tab_resnet", "tabnet"])
def test_every_tabular_model_is_built_for_numbers_and_for_classes(name):
    from kerazoo.applications import table_networks
    from kerazoo.data.encoder import Encoder

    arguments = type("", (), {"model": name, "option": {}})()
    for dataset, outputs, loss in (("diabetes", 1, "mean_squared_error"), ("wine", 3, "sparse_categorical")):
        table, _ = load_table(dataset)
        model = table_networks.build(arguments, table, Encoder(table))
        assert model.output_shape == (None, outputs) and loss in str(model.loss.name)


def test_a_price_from_file_to_report(houses, monkeypatch, capsys):
    arguments = ["--data=houses.csv", "--target=price", "--drop=grade", *TINY, "--folds=2"]

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(tables, "compare", stop)
        kerazoo.run("tabular", arguments)
    record = kerazoo.run("tabular", [*arguments, "--resume"])
    names = ["tab_mlp", *classical.REGRESSORS]
    assert [row["name"] for row in record["scores"]["test"]] == names and len(record["folds"]) == 2 * len(names)
    own, ridge, _, mean = record["scores"]["test"]
    assert set(own) == {"name", "r2", "rmse", "mae"} and ridge["r2"] > 0.9 and abs(mean["r2"]) < 0.2
    assert record["dataset"]["split"] == "at random" and record["dataset"]["classes"] == []
    printed, page = capsys.readouterr().out, (houses / "run" / "report.html").read_text()
    assert "target: numbers from" in printed and "beats tab_mlp by" in printed and "beats tab_mlp by" in page
    assert page.count("data:image/svg+xml") == 2 and "RMSE" in page
    assert json.loads((houses / "run" / "run.json").read_text()) == json.loads(json.dumps(record))
    (exported,) = record["exports"]
    assert exported["difference"] < 1e-5 * 500_000 and exported["r2"] == pytest.approx(own["r2"], abs=1e-4)
    model = kerazoo.load("served")
    assert list(model.signature.outputs) == ["value"] and model.metadata["target"] == "price"
    assert model.metadata["output"] == "values" and model.metadata["columns"]["Living area"] == "living_area"
    rows = {"kind": ["house", None], "rooms": [3, 4], "Living area": [80.0, ""]}
    assert model(rows).shape == (2, 1) and (np.abs(model(rows) - 250_000) < 500_000).all()
    predicted = np.array(record["predictions"]["predicted"])
    assert regression.scores(predicted, record["predictions"]["true"])["rmse"] == pytest.approx(own["rmse"])


def test_grades_as_classes_and_as_numbers(houses, capsys):
    arguments = ["--data=houses.csv", "--target=grade", "--drop=price", *TINY, "--folds=0", "--limit=60", "--json"]
    record = kerazoo.run("tabular", arguments)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(record))
    assert record["dataset"]["classes"] == ["1", "2", "3"] and record["dataset"]["development"] == 60
    own = record["scores"]["test"][0]
    assert set(own) == {"name", "accuracy", "macro_f1", "log_loss"} and len(record["confusion"]) == 3
    assert own["accuracy"] == pytest.approx(np.trace(record["confusion"]) / np.sum(record["confusion"]))
    answers = kerazoo.load("served")({"Living area": [50.0], "rooms": [3], "kind": ["flat"], "grade": ["unused"]})
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    again = kerazoo.run("tabular", [a for a in arguments if a != "--out=run"] + ["--task=regression", "--out=two"])
    assert "r2" in again["scores"]["test"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task=regression"], "`--task` goes with `--data`"),
        (["--limit=0"], "`--limit` must be at least 1"),
        (["--data=houses.csv"], "`--data` needs `--target`, the column to predict"),
        (["--data=houses.csv", "--target=price", "--weighting=balanced"], "`--weighting` weighs classes"),
        (["--data=houses.csv", "--target=kind", "--task=regression"], "column 'kind': every row must have a number"),
    ],
)
def test_mistakes_are_said(houses, arguments, message):
    with pytest.raises(ValueError, match=message):
        kerazoo.run("tabular", arguments)
    assert not list(houses.glob("runs/*/*"))
