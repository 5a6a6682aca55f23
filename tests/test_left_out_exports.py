"""A run that has trained keeps its end: what fails in exporting is left out and said, and the status tells."""

import argparse
import json

import keras

from kerazoo import cli, runner
from kerazoo.exporters import parity


def small():
    inputs = keras.Input((3,), name="x")
    return keras.Model(inputs, keras.layers.Dense(2)(inputs), name="small")


def finished(folder, monkeypatch, tolerance):
    """A run's end: the export, the report and the record; `(record, report)`."""
    from kerazoo.applications import running
    from kerazoo.evaluate.report import Report

    monkeypatch.setitem(parity.TOLERANCES, ("saved_model", None), tolerance)
    folder.mkdir(parents=True)
    arguments = argparse.Namespace(export=folder / "export", json=False)
    report = running.export(arguments, small(), formats=("saved_model",))
    record = running.finish(arguments, {"exports": []}, Report("A run"), "Done.", folder)
    return record, report


def test_the_report_and_the_record_come_where_an_export_fails(tmp_path, monkeypatch, capsys):
    record, report = finished(tmp_path / "bad", monkeypatch, -1.0)
    assert report.files == [] and "relative error" in record["left_out"][0]
    assert json.loads((tmp_path / "bad" / "run.json").read_text())["left_out"] == record["left_out"]
    assert "Files left out" in (tmp_path / "bad" / "report.html").read_text()
    assert "Left out: saved_model: " in capsys.readouterr().out
    record, report = finished(tmp_path / "good", monkeypatch, 2e-5)
    assert [file.engine for file in report.files] == ["saved_model"] and "left_out" not in record
    assert "Files left out" not in (tmp_path / "good" / "report.html").read_text()


def test_the_status_tells_of_files_left_out(monkeypatch):
    for record, status in (({"left_out": ["tflite: other"]}, 1), ({"left_out": []}, 0), ({}, 0), (None, 0)):
        monkeypatch.setattr(runner, "run", lambda task, argv, record=record: record)
        assert cli.main(["run", "any"]) == status


def test_every_application_exports_by_the_one_function():
    import re
    from pathlib import Path

    import kerazoo.applications

    folders = [Path(path) for path in kerazoo.applications.__path__]
    for path in (path for folder in folders for path in folder.rglob("*.py") if path.name != "running.py"):
        assert not re.search(r"kerazoo\.export\(", path.read_text(encoding="utf-8")), path
