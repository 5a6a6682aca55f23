"""Fraud, intrusions, credit: the tables behind them, how they are judged, the applications from data to report."""

import csv
import json
import zipfile

import numpy as np
import pytest

import kerazoo
from kerazoo.data.bands import bands, grouping, in_order
from kerazoo.data.encoder import Encoder, bin_edges
from kerazoo.data.locate import data_folder
from kerazoo.data.tables import Table, read_table
from kerazoo.layers.quantile_scale import QuantileScale

for needed in ("sklearn", "pandas", "matplotlib"):
    pytest.importorskip(needed)

from kerazoo.applications import table_detectors, table_networks, tables  # noqa: E402
from kerazoo.data import nsl_kdd  # noqa: E402
from kerazoo.data.named_tables import load_table  # noqa: E402
from kerazoo.evaluate import binary, classical, fairness, reasons  # noqa: E402

TINY = ["--model=tab_mlp", "--option=hidden=[8]", "--epochs=2", "--learning-rate=0.01"]


def table_of(count=200, *, classes=("no", "yes"), time=None, seed=0):
    """Numbers, one of them with gaps and a long tail, and a word, from which the class follows."""
    rng = np.random.default_rng(seed)
    size, word = np.exp(rng.normal(3, 2, count)), rng.choice(["a", "b", "c"], count)
    level = (size > 20).astype(int) + (word == "b") * (len(classes) > 2)
    size[::9] = np.nan
    numbers = {"size": size, "flat": np.full(count, 7.0)}
    return Table(numbers, {"word": word}, np.minimum(level, len(classes) - 1).astype("int32"), classes, 1, time=time)


def rows_of(tmp_path, count=240):
    """A file of payments with a time, a group of people, a word and three kinds of rows."""
    rng = np.random.default_rng(0)
    lines = ["when,amount,shop,sex,kind,bad"]
    for i in range(count):
        amount, shop, sex = rng.normal(50, 20), rng.choice(["web", "till"]), rng.choice(["f", "m"])
        bad = amount + 25 * (shop == "web") + rng.normal(0, 5) > 75
        kind = ("theft" if shop == "web" else "loss") if bad else "fine"
        stamp = np.datetime64("2024-01-01") + np.timedelta64(count - i, "h")  # The latest first.
        lines.append(f"{stamp},{amount:.2f},{shop},{sex},{kind},{'yes' if bad else 'no'}")
    path = tmp_path / "payments.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


# Tables.


def has(archive):
    return pytest.mark.skipif(not (data_folder() / archive).is_file(), reason=f"{archive} is not on this machine")


@has("tabular.zip")
def test_named_tables():
    spots, _ = load_table("mammography")
    assert len(spots) == 11_183 and (spots.target == spots.positive).sum() == 260 and len(spots.numeric) == 6
    credit, _ = load_table("german_credit")
    assert (len(credit.numeric), len(credit.categories)) == (7, 13) and (credit.target == credit.positive).sum() == 300
    assert (credit.groups["sex"] == "female").sum() == 310 and "sex" not in credit.categories
    people, tests = load_table("adult")
    test = tests["adult.test"]
    assert (len(people), len(test)) == (32_561, 16_281) and people.classes == test.classes == ("<=50K", ">50K")
    assert (test.target == 1).sum() == 3_846 and "fnlwgt" not in people.numeric
    assert set(people.groups) == {"sex", "age group", "race"} and people.without(["sex", "race"]).groups["sex"].size


@has("nsl_kdd.zip")
def test_intrusions_have_two_tests_with_attacks_that_training_lacks():
    train, tests = load_table("nsl_kdd")
    assert (len(train), [len(test) for test in tests.values()]) == (25_192, [22_544, 11_850])
    counts = dict(zip(train.classes, np.bincount(tests["KDDTest+"].target).tolist()))
    assert counts == {"dos": 7_460, "normal": 9_711, "probe": 2_421, "r2l": 2_885, "u2r": 67}
    assert len(train.numeric) == 38 and list(train.categories) == ["protocol_type", "service", "flag"]
    new = set(tests["KDDTest+"].groups["attack"]) - set(train.groups["attack"])
    assert {"mscan", "apache2", "snmpguess"} <= new and "neptune" not in new
    two, _ = load_table("nsl_kdd_binary")
    assert two.classes[two.positive] == "attack" and np.array_equal(two.target == 1, train.target == 1)


def test_archives_that_are_not_what_they_should_be(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAZOO_DATA_DIR", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "tabular.zip", "w") as archive:
        archive.writestr("other.csv", "1")
    with pytest.raises(ValueError, match="must have one member mammography.csv. Received"):
        load_table("mammography")
    row = ",".join(["0", "tcp", "http", "SF", *["0"] * 37])
    with zipfile.ZipFile(tmp_path / "nsl_kdd.zip", "w") as archive:
        for member in ("KDDTrain+_20Percent.txt", "KDDTest+.txt", "KDDTest-21.txt"):
            archive.writestr(member, f"{row},normal,21\n{row},quantum,21\n")
    with pytest.raises(ValueError, match="KDDTrain.* must have sha256"):
        load_table("nsl_kdd")
    monkeypatch.setattr(nsl_kdd, "named_text", lambda *_, **__: f"{row},normal,21\n{row},quantum,21\n")
    with pytest.raises(ValueError, match=r"attacks must be among .*Received: \['quantum'\]"):
        load_table("nsl_kdd")


def test_rows_without_a_word_are_a_group_of_their_own():
    pandas = pytest.importorskip("pandas")
    assert bands(pandas.Series(["m", None, " ", "N/A", "f "]))[0].tolist() == ["m", *["unknown"] * 3, "f"]


def test_time_orders_the_rows_and_groups_are_kept_apart(tmp_path):
    table = read_table(rows_of(tmp_path, 20), target="bad", time="when", drop=["kind", "sex"], groups=["sex"])
    assert list(table.numeric) == ["amount"] and list(table.categories) == ["shop"]
    assert set(table.groups["sex"]) == {"f", "m"} and (np.diff(table.time) == 3600).all()
    assert "'when', read year first, orders the rows" in table.notes[1] and table.take([3]).groups["sex"].shape == (1,)
    path = tmp_path / "wrong.csv"
    path.write_text("t,x,y\n2021-05-01,2,a\nsoon,3,b\n")
    with pytest.raises(ValueError, match="line 3, column 't': every cell must be a date of one format.*'soon'"):
        read_table(path, target="y", time="t")
    with pytest.raises(ValueError, match=r"`drop` must leave some of .* Received: \['y'\]"):
        read_table(path, target="y").without(["y"])


def test_with_a_time_nothing_is_judged_on_its_past():
    table = table_of(100, time=np.arange(100.0))
    rest, part = tables.split(table, 0.2, seed=0)
    assert len(part) == 20 and rest.time.max() < part.time.min()
    folds = tables.fold_rows(table, 4, seed=0)
    assert len(folds) == 4 and all(kept.max() < judged.min() for kept, judged in folds)
    shuffled = tables.fold_rows(table_of(100), 4, seed=0)
    assert sorted(np.concatenate([judged for _, judged in shuffled])) == list(range(100))


def test_quantile_scaling_is_the_same_inside_the_exported_model():
    train, other = table_of(300), table_of(60, seed=1)
    encoder = Encoder(train, scaling="quantile")
    rows = encoder(other)["numeric"]
    raw = table_networks.raw_rows(other, encoder)["numeric"]
    layer = QuantileScale(encoder.median, *zip(*encoder.points))
    np.testing.assert_allclose(layer(raw), rows, atol=1e-4)
    known = encoder.scaled(train)[~np.isnan(train.numeric["size"]), 0]
    assert abs(known.mean()) < 0.05 and 0.9 < known.std() < 1.1  # However long the tail was.
    assert not rows[:, 1].any() and np.abs(rows[:, 0]).max() < 3.2
    assert [len(edges) for edges in bin_edges(encoder.scaled(train), 8)] == [9, 2]
    with pytest.raises(ValueError, match="`scaling` must be one of"):
        Encoder(train, scaling="log")


# Judging.


def test_alerts_and_rejects():
    truth = np.array([0, 1, 0, 1, 0, 0, 0, 1, 0, 0])
    values = np.array([0.1, 0.9, 0.8, 0.7, 0, 0, 0, 0.2, 0, 0])
    rows = binary.alerts(values, truth, [0.1, 0.3, 1.0, 0.001])
    assert [row["alerts"] for row in rows] == [1, 3, 10, 1]
    np.testing.assert_allclose([row["recall"] for row in rows], [1 / 3, 2 / 3, 1, 1 / 3])
    np.testing.assert_allclose([row["precision"] for row in rows], [1, 2 / 3, 0.3, 1])
    np.testing.assert_allclose(binary.reject_curve(values, truth, [0.5, 0.7, 1.0]), [0, 1 / 7, 0.3])


def test_fairness_by_hand():
    rates = fairness.rates([1, 1, 0, 0, 1, 0], [1, 0, 1, 0, 1, 1], ["a", "a", "a", "a", "b", "b"])
    assert rates["a"] == {"rows": 4, "approval": 0.5, "true_positive": 0.5, "false_positive": 0.5}
    assert rates["b"] == {"rows": 2, "approval": 0.5, "true_positive": 0.5, "false_positive": None}
    assert fairness.differences(rates) == {"approval": 0.0, "true_positive": 0.0, "false_positive": 0.0}


def ages(tmp_path, cells):
    """A file of ages, as they are written, beside a target."""
    rows = "".join(f"{cell};{i % 3};{'no' if i % 4 else 'yes'}\n" for i, cell in enumerate(cells))
    file = tmp_path / "loans.csv"
    file.write_text(f"age;jobs;bad\n{rows}")
    return file


@pytest.mark.parametrize("gap", ["", "NA", "?"])
def test_a_column_of_numbers_with_gaps_is_cut_into_bands(tmp_path, gap):
    """20 to 59, and gaps, which had made a group of every age."""
    file = ages(tmp_path, [gap if i % 10 == 9 else str(i) for i in range(20, 60)])
    table = read_table(file, target="bad", groups=("age", "jobs"))
    sizes = {name: int((table.groups["age"] == name).sum()) for name in in_order(table.groups["age"])}
    assert sizes == {"up to 28": 9, "over 28 to 38": 9, "over 38 to 48": 9, "over 48": 9, "unknown": 4}
    assert "'age' as groups: cut at 28, 38, 48, its quartiles." in table.notes
    assert set(table.groups["jobs"]) == {"0", "1", "2"}, "few different numbers are groups by themselves"


def test_bands_where_the_user_says(tmp_path):
    file = ages(tmp_path, [f"{i},5" for i in range(20, 60)])  # A decimal comma.
    assert grouping(["jobs", "age:25", "40"]) == {"jobs": None, "age": (25, 40)}
    table = read_table(file, target="bad", groups=grouping(["age:25.5", "40"]))
    assert in_order(table.groups["age"]) == ["up to 25.5", "over 25.5 to 40", "over 40"]
    assert (table.groups["age"] == "up to 25.5").sum() == 6, "an edge belongs to the band below it"
    for words, rule in ((["age:40", "25"], "must go up"), (["bad:1"], "column of numbers"), (["age:90"], "must part")):
        with pytest.raises(ValueError, match=rule):
            read_table(file, target="bad", groups=grouping(words))
    with pytest.raises(ValueError, match="Received: 'aeg'"):
        read_table(file, target="bad", groups=grouping(["aeg:25"]))


def test_bands_of_a_column_that_is_mostly_zero(tmp_path):
    table = read_table(ages(tmp_path, [max(0, i - 30) for i in range(40)]), target="bad", groups=["age"])
    assert in_order(table.groups["age"]) == ["up to 0", "over 0"]


def test_reasons_are_what_a_typical_value_would_change():
    table = table_of(50)
    typical = reasons.typical_row(table)
    assert typical["flat"] == 7.0 and typical["word"] in "abc"

    def score(rows):
        return np.nan_to_num(rows.numeric["size"]) + 5.0 * (rows.categories["word"] == "b")

    moved = reasons.effects(score, table, typical)
    assert not moved["flat"].any()
    np.testing.assert_allclose(moved["size"], np.nan_to_num(table.numeric["size"]) - typical["size"])
    assert reasons.strongest(moved, int(np.nanargmax(table.numeric["size"])))[0][0] == "size"


def test_classical_models_take_words_and_classes_they_never_saw():
    train = table_of(300, classes=("low", "middle", "high"))
    train = train.take(np.flatnonzero((train.categories["word"] != "c") & (train.target != 1)))
    other = table_of(60, classes=("low", "middle", "high"), seed=1)
    for name in classical.CLASSIFIERS:
        answer = classical.fitted(name, train)(other)
        assert answer.shape == (60, 3) and not answer[:, 1].any()
        np.testing.assert_allclose(answer.sum(axis=1), 1)
    far = other.take([0])
    far.numeric["size"][0] = 1e9
    suspicion = classical.fitted(classical.ANOMALY, train)
    assert suspicion(far)[0] > np.median(suspicion(train))


def test_weights_of_training_are_taken_out_of_the_answers():
    class Same:
        values, numeric = {}, ["size"]

        def __call__(self, table):
            return {"numeric": np.zeros((len(table), 1), "float32")}

    def even(rows, training):
        return np.zeros((len(rows), 1), "float32")

    # Trained to be even where a rare row weighs nine times a common one, it is a tenth.
    network = table_networks.Network(even, Same(), np.array([1.0, 9.0]), None)
    np.testing.assert_allclose(network.probabilities(table_of(3)), [[0.9, 0.1]] * 3, rtol=1e-6)


@pytest.mark.parametrize("name", kerazoo.list_models(task="row_anomaly"))
@pytest.mark.parametrize("positive", [0, 1])
def test_detectors_of_strange_rows_rank_a_class_unlike_the_other(name, positive, monkeypatch):
    """Two columns that go together, but in the class looked for; its name's place does not matter."""
    monkeypatch.setattr(table_detectors, "EPOCHS", 8)
    rng = np.random.default_rng(0)

    def drawn(count):
        strange = rng.random(count) < 0.1
        first = rng.normal(size=count)
        second = np.where(strange, first + rng.choice([-4, 4], count), first + rng.normal(0, 0.1, count))
        numbers = {"first": first, "second": second, "third": rng.normal(size=count)}
        return Table(numbers, {}, (strange == positive).astype("int32"), ("a", "b"), positive)

    answer = table_detectors.fitted(name, drawn(1500), seed=0)
    asked = drawn(600)
    assert binary.ranking(answer(asked), asked.target == positive)["auroc"] > 0.9


def test_a_detector_needs_numbers():
    table = Table({}, {"word": np.array(["a", "b"])}, np.array([0, 1], "int32"), ("no", "yes"), 1)
    with pytest.raises(ValueError, match="needs a column of numbers"):
        table_detectors.fitted("deep_svdd", table)


# The applications.


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def page_of(folder):
    return next((folder / "runs").glob("*/*/report.html")).read_text()


def test_fraud_of_a_users_file_by_time(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr(table_detectors, "EPOCHS", 1)
    arguments = [f"--data={rows_of(elsewhere)}", "--target=bad", "--positive=yes", "--time=when", "--drop=kind,sex"]
    arguments += ["--folds=2", "--weighting=balanced", "--budgets=0.1,1", "--detectors=deep_svdd"]
    record = kerazoo.run("fraud_detection", [*arguments, *TINY])
    names = ["tab_mlp", "logistic regression", "gradient boosting", "isolation forest", "deep_svdd"]
    assert [row["name"] for row in record["scores"]["test"]] == names == list(record["budgets"])
    assert [(row["name"], row["fold"]) for row in record["folds"]] == [(n, f) for f in (1, 2) for n in names]
    assert "brier" in record["folds"][0] and "brier" not in record["folds"][3]  # An isolation forest only ranks.
    assert record["dataset"]["split"] == "by time, the latest rows for the test"
    assert all(rows[1]["recall"] == 1 for rows in record["budgets"].values())
    assert record["exports"][0]["difference"] < 1e-5 and not record["stand_in"]
    assert len(record["found"]["curves"]["tab_mlp"]) == 5  # A tenth of 48.
    printed, page = capsys.readouterr().out, page_of(elsewhere)
    assert "Share of the cases found" in printed and "AUPRC" in printed and "stand-in" not in printed
    assert page.count("data:image/svg+xml") == 4 and "cannot be told apart" in page or " beats " in page


def test_credit_of_a_users_file_by_groups(elsewhere, capsys):
    arguments = [f"--data={rows_of(elsewhere)}", "--target=bad", "--positive=yes", "--groups=sex,amount"]
    record = kerazoo.run("credit_scoring", [*arguments, "--drop=when,kind,sex", *TINY, "--folds=0", "--out=run"])
    assert set(record["fairness"]["sex"]["rates"]) == {"f", "m"} and len(record["fairness"]["amount"]["rates"]) == 4
    assert list(record["fairness"]["amount"]["rates"])[0].startswith("up to "), "bands go up"
    assert any(note.startswith("'amount' as groups: cut at") for note in record["dataset"]["notes"])
    rates = record["fairness"]["sex"]["rates"].values()
    (right, alarms), (misses, found) = record["threshold"]["confusion"]
    assert sum(row["rows"] for row in rates) == right + alarms + misses + found == record["dataset"]["tests"]["test"]
    assert round(sum(row["rows"] * row["approval"] for row in rates)) == right + misses
    written = list(csv.DictReader((elsewhere / "run" / "reasons.csv").open()))
    assert len(written) == record["reasons"]["refused"] == alarms + found
    assert set(record["reasons"]["mean_effects"]) == {"amount", "shop"}
    page, printed = (elsewhere / "run" / "report.html").read_text(), capsys.readouterr().out
    assert page.count("data:image/svg+xml") == 6 and "prove no fairness" in page
    assert "Approved, by sex" in printed and "comes first on the test rows" in printed and "by chance" in page
    assert json.loads((elsewhere / "run" / "run.json").read_text()) == json.loads(json.dumps(record))


def test_intrusions_of_a_users_file_are_told_apart_by_kind(elsewhere, capsys):
    arguments = [f"--data={rows_of(elsewhere)}", "--target=kind", "--drop=when,bad,sex"]
    record = kerazoo.run("intrusion_detection", [*arguments, *TINY, "--folds=2"])
    part = record["parts"]["test"]
    assert list(part["classes"]["tab_mlp"]) == ["fine", "loss", "theft"] and part["attacks"]["tab_mlp"] is None
    assert np.sum(part["confusion"]) == record["dataset"]["tests"]["test"]
    own = record["scores"]["test"][0]
    assert own["accuracy"] == pytest.approx(np.trace(part["confusion"]) / np.sum(part["confusion"]))
    assert record["exports"][0]["difference"] < 1e-5 and record["exports"][0]["accuracy"] == own["accuracy"]
    served = kerazoo.load(record["exports"][0]["folder"])
    raw = {"numeric": np.array([[50.0], [np.nan]], "float32"), "categories": np.array([["web"], ["?"]], object)}
    np.testing.assert_allclose(np.asarray(served(raw)).sum(axis=1), 1, rtol=1e-5)
    assert "macro-F1" in capsys.readouterr().out and "macro-F1" in page_of(elsewhere)


def test_known_and_new_attacks_are_counted_apart():
    from kerazoo.applications.security.intrusion_detection import attacks, unknown_words

    def connections(attacks, words):
        count = len(attacks)
        target = np.array([0 if attack == "normal" else 1 for attack in attacks], "int32")
        words, groups = {"service": np.array(words)}, {"attack": np.array(attacks)}
        return Table({"n": np.zeros(count)}, words, target, ("normal", "dos"), groups=groups)

    train = connections(["normal", "smurf"], ["http", "ftp"])
    test = connections(["normal", "smurf", "smurf", "pod", "land"], ["http", "ftp", "x", "y", ""])
    answer = np.eye(2)[[1, 1, 0, 1, 0]]
    assert attacks(train, test, answer) == {
        "known": {"rows": 2, "kinds": 1, "right": 0.5, "noticed": 0.5},
        "new": {"rows": 2, "kinds": 2, "right": 0.5, "noticed": 0.5},
    }
    assert unknown_words(Encoder(train), test) == {"service": 2}


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("fraud_detection", ["--budgets=0.1,2"], r"`--budgets` must be numbers in \(0, 1\]"),
        ("fraud_detection", ["--budgets=few"], "Received: 'few'"),
        ("fraud_detection", ["--detectors=dev_net,usad"], "`--detectors` must be some of .* Received: 'usad'"),
        ("fraud_detection", ["--time=Time"], "`--time` goes with `--data`"),
        ("fraud_detection", ["--drop=feature9"], r"`--drop` must leave some .* Received: \['feature9'\]"),
        ("credit_scoring", ["--groups=sex"], "`--groups` goes with `--data`"),
        ("credit_scoring", ["--miss=-1"], "`--miss` must be positive"),
        ("intrusion_detection", ["--binary", "--data=x.csv", "--target=y"], "`--binary` goes with NSL-KDD alone"),
    ],
)
def test_mistakes_are_said(elsewhere, task, arguments, message):
    if "drop" in arguments[0] and not (data_folder() / "tabular.zip").is_file():
        pytest.skip("tabular.zip is not on this machine")
    with pytest.raises(ValueError, match=message):
        kerazoo.run(task, [*arguments, "--epochs=1"])
