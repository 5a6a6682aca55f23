"""Where exports go: a folder of versions is one task's, data set's and model's, each version served as the last was."""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import kerazoo
from kerazoo import cli
from kerazoo.exporters import versions


def small(*, features=4, classes=3, name="x", output="scores", dtype="float32"):
    inputs = keras.Input((features,), name=name, dtype=dtype)
    return keras.Model(inputs, keras.layers.Dense(classes, name=output)(inputs), name="small")


def export(model, root, **metadata):
    return kerazoo.export(model, root, formats="saved_model", verify=False, metadata=metadata)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    export(small(), folder, labels=["a", "b", "c"], task="one")
    return folder


OTHERS = {
    "inputs": [{"features": 5}, {"name": "y"}, {"dtype": "int32"}],
    "outputs": [{"classes": 4}, {"output": "logits"}],
    "labels": [["a", "b", "d"], ["b", "a", "c"], ["a", "b"], None],
    "task": ["another"],
}


@pytest.mark.parametrize("differs, other", [(kind, other) for kind, others in OTHERS.items() for other in others])
def test_a_version_of_another_model_is_refused_before_anything_is_written(root, differs, other):
    model = small(**other) if differs in ("inputs", "outputs") else small()
    metadata = {"labels": ["a", "b", "c"], "task": "one"} | ({differs: other} if differs in ("labels", "task") else {})
    before = sorted(root.rglob("*"))
    with pytest.raises(ValueError, match=f"another folder. Received: .* as the {differs}, where .*1 has ") as raised:
        export(model, root, **{name: value for name, value in metadata.items() if value is not None})
    assert "\n" not in str(raised.value) and sorted(root.rglob("*")) == before


def test_the_next_version_of_the_same_model_is_taken(tmp_path):
    for number, metadata in ((1, {}), (2, {"task": "one"}), (3, {"note": "retrained"})):
        assert export(small(), tmp_path / "root", **metadata).version == number


def test_versions_whose_reports_tell_no_signature_are_read_themselves(tmp_path):
    export(small(), tmp_path / "root")
    (tmp_path / "root" / "1" / "export.json").unlink()
    with pytest.raises(versions.AnotherModel, match="as the inputs"):
        export(small(features=5), tmp_path / "root")
    assert export(small(), tmp_path / "root").version == 2


def test_the_command_refuses_it_in_one_line(tmp_path, capsys):
    small().save(tmp_path / "one.keras")
    small(classes=5).save(tmp_path / "other.keras")
    for name, status in (("one", 0), ("other", 2)):
        command = ["export", str(tmp_path / f"{name}.keras"), str(tmp_path / "root"), "--formats", "saved_model"]
        assert cli.main(command) == status
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("kerazoo: A next version must") and "as the outputs" in said
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["1"]


def run(model, *, stem="photos-small", labels=("a", "b", "c"), **options):
    """A run's end, as the applications come to it: `(arguments, report, record)`."""
    from kerazoo.applications import running
    from kerazoo.evaluate.report import Report

    arguments = argparse.Namespace(**{"out": None, "export": None, "json": False, "resume": False} | options)

    def body(arguments, start):
        folder = running.new_folder("colours", stem, arguments)
        report = running.export(arguments, model, formats="saved_model", metadata={"labels": list(labels)})
        return running.finish(arguments, {"exports": [report.path]}, Report("A run"), "Done.", folder)

    return running.main(arguments, body)


def test_every_task_data_and_model_has_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for stem in ("photos-small", "tfds:beans-small", "photos-small"):
        run(small(), stem=stem)
    found = sorted(str(path) for path in Path("saved_models").glob("*/*/*"))
    assert found == [
        f"saved_models/colours/{end}" for end in ("photos-small/1", "photos-small/2", "tfds-beans-small/1")
    ]
    assert kerazoo.load("saved_models/colours/photos-small").metadata["task"] == "colours"


def test_a_first_look_is_not_served(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record = run(small(), limit=10)
    assert not Path("saved_models").exists() and "left_out" not in record
    assert kerazoo.load("runs/colours/photos-small-1/export").labels == ["a", "b", "c"]
    assert "with --limit is not served: it exports to runs/colours/photos-small-1/export" in capsys.readouterr().out
    run(small(), limit=10, export=Path("own"))
    assert kerazoo.load("own").labels == ["a", "b", "c"]


def test_a_run_is_kept_where_its_folder_is_another_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(small())
    record = run(small(classes=2), labels="ab")
    assert [path.name for path in Path("saved_models/colours/photos-small").iterdir()] == ["1"]
    (said,) = record["left_out"]
    assert "another folder" in said and "runs/colours/photos-small-2/export" in said
    assert record["exports"] == ["runs/colours/photos-small-2/export/1"]
    assert json.loads(Path("runs/colours/photos-small-2/run.json").read_text())["left_out"] == [said]
    assert Path("runs/colours/photos-small-2/report.html").is_file()


def test_a_runs_model_is_exported_again_by_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(small())
    np.save("rows.npy", np.random.default_rng(0).normal(size=(16, 4)).astype("float32"))
    np.savez("rows.npz", x=np.load("rows.npy"))
    capsys.readouterr()
    command = ["export", "runs/colours/photos-small-1", "smaller", "--quantize", "int8", "--json"]
    for data in ("rows.npy", "rows.npz"):
        assert cli.main([*command, "--formats", "tflite", "--representative-data", data]) == 0
    out, err = capsys.readouterr()
    assert json.JSONDecoder().raw_decode(out)[0]["metadata"] == {"task": "colours", "labels": ["a", "b", "c"]}
    lines = err.splitlines()
    for said in (
        "Converting to tflite ...",
        "Converting to tflite_int8 ...",
        "Comparing tflite_int8 with the model ...",
    ):
        assert lines.count(said) == 2
    assert any(line.startswith("Timing tflite") for line in lines)
    rows = np.load("rows.npy")
    expected = kerazoo.load("saved_models/colours/photos-small")(rows)
    np.testing.assert_allclose(kerazoo.load("smaller", "tflite")(rows), expected, rtol=1e-5, atol=1e-5)
    assert kerazoo.load("smaller", "tflite_int8")(rows).shape == (16, 3)


@pytest.mark.parametrize(
    "words, said",
    [
        (["there", "to"], "A run's folder must hold its model"),
        (["m.keras", "to", "--quantize", "int8"], "calibrated on `--representative-data`"),
        (["m.keras", "to", "--quantize", "int8", "--representative-data", "none.npy"], "must be an existing file"),
        (["m.keras", "to", "--quantize", "int8", "--representative-data", "m.keras"], "must be an .npy or .npz file"),
        (["m.keras", "to", "--quantize", "int8", "--representative-data", "there"], "must be"),
        (["m.keras", "to", "--quantize", "int8", "--representative-data", "text.npy"], "must be an .npy or .npz file"),
    ],
)
def test_the_commands_refusals_are_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("text.npy").write_text("1,2,3")
    small().save("m.keras")
    assert cli.main(["export", *words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]
    assert not Path("to").exists()


def test_with_json_a_run_prints_its_record_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record = run(small(), json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == record
    assert "Writing saved_model ..." in err and "Comparing saved_model with the model ..." in err
